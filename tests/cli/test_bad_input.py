"""Bad usage and bad input at the command line: exit code 2, one line that tells the remedy, and no
file left behind."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.cli import main

FUNCTION_SCOPED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def refuse(arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """The line of a refusal; checks that nothing was written."""
    before = sorted(folder.rglob("*"))
    code = main(arguments)
    error = capsys.readouterr().err
    assert code == 2, error
    assert len(error.strip().splitlines()) == 1, error
    assert "Traceback" not in error
    assert sorted(folder.rglob("*")) == before
    return error


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(16000) * 0.1), 16000)
    return path


def wav_bytes(rate: int = 16000, channels: int = 1, frames: int = 1000) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, rate, frames, "NONE", ""))
        file.writeframes(b"\x01\x00" * channels * frames)
    return buffer.getvalue()


@FUNCTION_SCOPED
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_no_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    (tmp_path / "x.wav").write_bytes(data)
    refuse(
        ["run", str(tmp_path / "x.wav"), "-o", str(tmp_path / "o.csv"), "--quiet"], capsys, tmp_path
    )


@FUNCTION_SCOPED
@given(cut=st.integers(0, 43))
def test_headers_cut_short(tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: int) -> None:
    (tmp_path / "x.wav").write_bytes(wav_bytes()[:cut])
    refuse(
        ["run", str(tmp_path / "x.wav"), "-o", str(tmp_path / "o.npz"), "--quiet"], capsys, tmp_path
    )


def test_sounds_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {
        "empty.wav": b"",
        "silent_header.wav": wav_bytes(frames=0),
        "text.mp3": b"hello, this is no music at all\n" * 30,
        "zero_channels.wav": (
            wav_bytes().replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 1, 0), 1)
        ),
        "video.mp4": b"\x00\x00\x00\x18ftypisom" + b"\x00" * 200,
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        error = refuse(
            ["run", str(tmp_path / name), "-o", str(tmp_path / "o.csv"), "--quiet"],
            capsys,
            tmp_path,
        )
        assert name in error
    soundfile.write(
        tmp_path / "nan.wav", np.full(2000, np.nan, dtype=np.float32), 16000, subtype="FLOAT"
    )
    assert "finite" in refuse(
        ["run", str(tmp_path / "nan.wav"), "-o", str(tmp_path / "o.csv"), "--quiet"],
        capsys,
        tmp_path,
    )


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["run", "absent.wav", "-o", "o.csv"], "absent.wav"),
        (["run", "{folder}", "-o", "o.csv"], "folder"),
        (["run", "{speech}", "-o", "o.xyz"], "nothing is written as"),
        (["run", "{speech}", "-m", "artolk", "-o", "o.csv"], "did you mean 'artalk'"),
        (["run", "{speech}", "--style", "wram", "-o", "o.csv"], "did you mean 'warm'"),
        (["run", "{speech}", "--option", "speed=3", "-o", "o.csv"], "no option 'speed'"),
        (["run", "{speech}", "--option", "speed", "-o", "o.csv"], "NAME=VALUE"),
        (["run", "{speech}", "--takes", "0", "-o", "o.csv"], "at least 1"),
        (["run", "{speech}", "--intensity", "9", "-o", "o.csv"], "between 0 and 3"),
        (["run", "{speech}", "--fps", "0", "-o", "o.csv"], "between 1 and 240"),
        (["run", "{speech}", "--size", "7", "-o", "o.csv"], "between 64 and 4096"),
        (["run", "{speech}", "--weights", "{speech}", "-o", "o.csv"], "safetensors"),
        (["weights", "onnx", "kmtalk", "-o", "o.onnx"], "artalk is"),
        (["weights", "onnx", "artalk", "-o", "o.bin"], "ends in .onnx"),
        (["run", "{speech}", "--avatar", "{speech}", "-o", "o.glb"], "GLB"),
        (["run", "{speech}", "{speech}", "-o", "o.csv"], "folder"),
        (["run", "-o", "o.csv"], "no recording"),
        (["export", "{speech}", "-o", "o.csv"], "take"),
        (["render", "{speech}", "-o", "o.mp4"], "take"),
        (["rnu"], "did you mean 'run'"),
    ],
)
def test_bad_usage(
    arguments: list[str],
    remedy: str,
    speech: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [
        a.replace("{speech}", str(speech)).replace("{folder}", str(tmp_path)) for a in arguments
    ]
    assert remedy in refuse(filled, capsys, tmp_path)


def test_one_bad_file_among_many_does_not_stop_the_rest(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no")
    out = tmp_path / "out"
    code = main(
        [
            "run",
            str(tmp_path / "bad.wav"),
            str(speech),
            "-o",
            str(out),
            "--formats",
            "csv",
            "npz",
            "--quiet",
        ]
    )
    error = capsys.readouterr().err
    assert code == 2
    assert "bad.wav" in error
    assert sorted(p.name for p in out.iterdir()) == [
        "motet-ledger.jsonl",
        "speech.csv",
        "speech.npz",
    ]


def test_a_folder_that_is_missing_is_made(speech: Path, tmp_path: Path) -> None:
    assert (
        main(["run", str(speech), "-o", str(tmp_path / "new" / "deep" / "o.csv"), "--quiet"]) == 0
    )
    assert (tmp_path / "new" / "deep" / "o.csv").stat().st_size > 0
