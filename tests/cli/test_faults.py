"""Faults of the system at the command line: signals, disks, names of folders."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import motet.cli
from motet.cli import main
from motet.cli.run import Run

PROGRAM = """
import os, signal, sys
from pathlib import Path
import motet.cli
from motet.atomic_write import appearing

def work(arguments):
    with appearing(Path(sys.argv[1]) / "a.mp4") as beside:
        beside.write_bytes(b"half")
        for number in sys.argv[2:]:
            os.kill(os.getpid(), int(number))
        beside.write_bytes(b"whole")
    return 0

motet.cli._dispatch = work
sys.exit(motet.cli.main([]))
"""


@pytest.mark.parametrize(
    ("numbers", "code"),
    [((signal.SIGTERM,), 143), ((signal.SIGHUP, signal.SIGHUP), 129), ((signal.SIGINT,), 130)],
)
def test_every_polite_signal_cleans_up(
    tmp_path: Path, numbers: tuple[signal.Signals, ...], code: int
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), *(str(int(n)) for n in numbers)]
    # A shell starts background jobs with SIGINT ignored, which the program would respect.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (code, "motet: stopped\n")
    assert not list(tmp_path.iterdir())


def test_nohup_is_respected(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(int(signal.SIGHUP))]
    done = subprocess.run(
        command, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), check=True
    )
    assert done.returncode == 0 and (tmp_path / "a.mp4").read_bytes() == b"whole"


def test_the_module_gives_its_exit_code() -> None:
    command = [sys.executable, "-m", "motet.cli", "rnu"]
    assert subprocess.run(command, capture_output=True).returncode == 2


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO, errno.ENAMETOOLONG])
def test_what_the_disk_refuses_is_one_line(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(arguments: list[str]) -> int:
        raise OSError(number, os.strerror(number), "ro/a.csv")

    monkeypatch.setattr(motet.cli, "_dispatch", work)
    assert main([]) == 2
    assert capsys.readouterr().err == f"motet: ro/a.csv: {os.strerror(number)}\n"


@pytest.mark.parametrize("name", ["takes_v1.0", "2026.05.01", "john.smith", "takes"])
def test_several_recordings_make_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    recordings = (tmp_path / "a.wav", tmp_path / "b.wav")
    assert Run(recordings, out=(tmp_path / name,))._folder() == tmp_path / name
    assert Run(recordings, out=(tmp_path / "a.csv",))._folder() is None


def test_formats_make_a_folder_for_one_recording(tmp_path: Path) -> None:
    folder = tmp_path / "takes_v1.0"
    assert Run((tmp_path / "a.wav",), out=(folder,), formats=("csv",))._folder() == folder
    assert Run((tmp_path / "a.wav",), out=(folder,))._folder() is None


def test_formats_may_stand_with_commas() -> None:
    assert Run((), formats=(".csv,mp4", "glb")).endings == ("csv", "mp4", "glb")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("-take.wav", "write ./-take.wav"), ("-", "'motet live'"), ("some", "or a pattern such as")],
)
def test_names_that_mean_something_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "-take.wav").write_bytes(b"x")
    output = ["-o", "takes", "--formats", "csv"] if name == "some" else ["-o", "a.csv"]
    assert main(["run", name, *output]) == 2
    assert remedy in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize(
    ("options", "reason"),
    [("ro", "Read-only file system"), ("size=64k", "No space left on device")],
)
def test_real_disks_that_are_full_or_read_only(tmp_path: Path, options: str, reason: str) -> None:
    program = """
import sys
from pathlib import Path
import numpy as np
import motet.cli
from motet.export.video import write_video
noise = (np.random.default_rng(k).integers(0, 255, (64, 64, 3), "uint8") for k in range(60))
motet.cli._dispatch = lambda _: write_video(Path(sys.argv[1]) / "a.mp4", noise, 25)
sys.exit(motet.cli.main([]))
"""
    script = f'mount -t tmpfs -o {options} tmpfs "$1" || exit 77; "$2" -c "$3" "$1"; code=$?;'
    script += ' ls -A "$1"; exit $code'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode in (1, 77) and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip("no mounting here")
    assert done.stderr == f"motet: {tmp_path}/a.mp4 cannot be written: {reason}\n"
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
def test_a_read_only_system_without_a_home_runs(tmp_path: Path) -> None:
    program = """
import os, sys
import numpy as np
import soundfile
from motet.cli import main
time = np.arange(16000) / 16000
soundfile.write("a.wav", 0.3 * np.sin(800 * time) * np.sin(12 * time), 16000)
outs = [word for ending in ("csv", "glb", "mp4") for word in ("-o", f"a.{ending}")]
codes = [
    main(["run", "a.wav", "--quiet", "--size", "64", *outs]),
    os.dup2(os.open("a.wav", os.O_RDONLY), 0) or main(["live"]),
    main(["run", "a.wav", "--quiet", "-m", "mospa", "--source", "30,0,1", "-o", "b.npz"]),
]
sys.exit(max(codes))
"""
    script = 'mount -t tmpfs tmpfs "$1" && mount -o remount,bind,ro / || exit 77; cd "$1";'
    script += ' "$2" -c "$3" >&2; code=$?; ls; exit $code'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, program]
    source = Path(motet.cli.__file__).parents[2]
    environment = {"HOME": "/nonexistent", "TMPDIR": str(tmp_path), "PYTHONPATH": str(source)}
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **environment}
    )
    if done.returncode in (1, 77) and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip("no mounting here")
    assert done.returncode == 0, done.stderr
    assert {"a.csv", "a.glb", "a.mp4", "b.npz"} <= set(done.stdout.split())
