"""LMDB files that would end the process are refused before LMDB sees them."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from motet.data.readers.lmdb_pages import check_lmdb
from motet.errors import AssetError

lmdb = pytest.importorskip("lmdb")

READ_ALL = """
import shutil, sys
from pathlib import Path
import lmdb
for folder in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with lmdb.open(str(folder), readonly=True, lock=False) as store, store.begin() as reading:
            for key, value in reading.cursor():
                reading.get(key), sum(value[::512])
    except lmdb.Error:
        pass
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A data base of several levels, with large values and freed pages."""
    folder = tmp_path_factory.mktemp("lmdb")
    with lmdb.open(str(folder), map_size=1 << 26) as store:
        for first, step, size in ((0, 1, 700), (0, 3, 9000), (1, 5, 0)):
            with store.begin(write=True) as writing:
                for number in range(first, 200, step):
                    if size:
                        writing.put(f"person/{number}".encode(), bytes(number * 131 % size))
                    else:
                        writing.delete(f"person/{number}".encode())
    return (folder / "data.mdb").read_bytes()


def is_refused(folder: Path, data: bytes) -> bool:
    folder.mkdir(exist_ok=True)
    (folder / "data.mdb").write_bytes(data)
    try:
        check_lmdb(folder / "data.mdb")
    except AssetError as error:
        assert "\n" not in str(error)
        return True
    return False


def test_whole_files_pass(tmp_path: Path, content: bytes) -> None:
    assert not is_refused(tmp_path, content)
    with lmdb.open(str(tmp_path / "new"), map_size=1 << 20):
        pass
    check_lmdb(tmp_path / "new" / "data.mdb")


def test_files_cut_short_are_refused(tmp_path: Path, content: bytes) -> None:
    for size in (0, 1, 100, 4096, 8192, 10_000, len(content) // 2):
        assert is_refused(tmp_path, content[:size]), size
    assert is_refused(tmp_path, b"no data base" * 2000)


def test_no_damage_ends_the_process(tmp_path: Path, content: bytes) -> None:
    """What the check lets through, LMDB reads or refuses."""
    random_numbers = random.Random(12)
    passed = 0
    for number in range(400):
        data = bytearray(content)
        for _ in range(random_numbers.randint(1, 4)):
            # Numbers stand at the beginning of pages and nodes.
            page = random_numbers.randrange(len(data) // 4096) * 4096
            place = page + random_numbers.choice(
                [random_numbers.randrange(64), random_numbers.randrange(4096)]
            )
            data[place] = random_numbers.choice([0, 1, 0x7F, 0xFF, random_numbers.randrange(256)])
        folder = tmp_path / f"{number:03d}"
        if is_refused(folder, bytes(data)):
            (folder / "data.mdb").unlink()
            folder.rmdir()
        else:
            passed += 1
    assert 20 < passed < 390
    subprocess.run([sys.executable, "-c", READ_ALL, str(tmp_path)], check=True)
