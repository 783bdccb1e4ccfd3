from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motet import atomic_write
from motet.atomic_write import appearing, make_folder, sweep, write_bytes
from motet.errors import InputError, UnwritableError


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def left_behind(folder: Path, machine: str, process: int) -> Path:
    path = folder / f".take.{machine}-{process}-0.part.mp4"
    path.write_bytes(b"half")
    return path


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a.bin", b"old")
    with pytest.raises(KeyboardInterrupt), appearing(path) as beside:
        beside.write_bytes(b"new, unfin")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_content_and_name_are_on_disk_before_the_block_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda f: synced.append(os.readlink(f"/proc/self/fd/{f}")))
    write_bytes(tmp_path / "a.bin", b"x")
    assert [Path(path).name.rpartition(".")[2] for path in synced[:1]] == ["bin"]
    assert synced[-1] == str(tmp_path.resolve())


def test_unfinished_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    here = atomic_write._machine()
    stale = left_behind(tmp_path, here, dead_process())
    running = left_behind(tmp_path, here, os.getppid())
    elsewhere = left_behind(tmp_path, "abcdef", 1)
    old = left_behind(tmp_path, "abcdef", 2)
    os.utime(old, (time.time() - 100_000,) * 2)
    users = tmp_path / ".notes.part.txt"
    users.write_bytes(b"")
    write_bytes(tmp_path / "a.bin", b"x")
    assert not stale.exists() and not old.exists()
    assert running.exists() and elsewhere.exists() and users.exists()


def test_a_name_of_the_former_form_is_swept_too(tmp_path: Path) -> None:
    (tmp_path / f".model.safetensors.{dead_process()}.part").write_bytes(b"")
    assert len(sweep(tmp_path)) == 1


def test_names_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("語" * 80 + ".mp4")
    assert write_bytes(path, b"x").read_bytes() == b"x"


def fail(number: int):
    def write(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return write


def test_the_line_names_the_file_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (errno.EROFS, errno.ENOSPC, errno.EACCES):
        monkeypatch.setattr(Path, "write_bytes", fail(number))
        with pytest.raises(UnwritableError) as caught:
            write_bytes(tmp_path / "a.csv", b"x")
        assert str(caught.value) == (
            f"{tmp_path / 'a.csv'} cannot be written: {os.strerror(number)}"
        )


def test_a_library_that_hides_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="UntrackedPointer"), appearing(tmp_path / "a.mp4"):
        raise ValueError("UntrackedPointer: 0x2")
    monkeypatch.setattr(atomic_write, "_why_unwritable", lambda path: "No space left on device")
    with (
        pytest.raises(UnwritableError, match=r"/a\.mp4 cannot be written: No space left on device"),
        appearing(tmp_path / "a.mp4") as beside,
        appearing(beside),
    ):
        raise ValueError("UntrackedPointer: 0x2")


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnwritableError, match="a file has that name"):
        make_folder(tmp_path / "file")
    with pytest.raises(InputError, match="make it first"):
        write_bytes(tmp_path / "missing" / "a.csv", b"")
