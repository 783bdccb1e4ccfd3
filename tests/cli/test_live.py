"""`motet live`: WAV and raw input of any rate, pictures and bodies, refusals at the start."""

from __future__ import annotations

import base64
import io
import json
import struct
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from motet.cli import main

NOISE = (np.random.default_rng(0).normal(size=16_000) * 2000).astype("<i2")
Live = Callable[..., tuple[int, list[dict], str]]


class Pipe(io.RawIOBase):
    """Bytes that arrive in small pieces, as from a recorder."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[override]
        size = min(len(buffer), 333, len(self.data))
        buffer[:size], self.data = self.data[:size], self.data[size:]
        return size


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Live:
    def run(data: bytes, *arguments: str) -> tuple[int, list[dict], str]:
        class Stdin:
            buffer = io.BufferedReader(Pipe(data))

        monkeypatch.setattr(sys, "stdin", Stdin())
        code = main(["live", *arguments])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


def wav(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, 2, rate, 0, "NONE", ""))
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def weights(lines: list[dict]) -> np.ndarray:
    return np.array([list(line["blendshapes"].values()) for line in lines])


def test_a_wav_stream_is_its_samples(live: Live) -> None:
    _, raw, _ = live(NOISE.tobytes())
    code, lines, _ = live(wav(NOISE, 16_000))
    assert code == 0 and len(lines) == 25
    assert np.array_equal(weights(raw), weights(lines))
    extra = wav(NOISE, 16_000)
    extra = extra[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + extra[36:]
    assert np.array_equal(weights(live(extra)[1]), weights(lines))


def test_any_rate_and_channels_are_brought_to_the_methods(live: Live) -> None:
    double = np.repeat(NOISE, 2)
    code, lines, _ = live(double.tobytes(), "--rate", "16000", "--channels", "2")
    assert code == 0
    assert np.allclose(weights(lines), weights(live(NOISE.tobytes())[1]), atol=2e-4)
    code, lines, _ = live(NOISE.tobytes(), "--rate", "48000")
    assert code == 0 and len(lines) == 8  # a third of a second
    assert lines[4]["sample"] == 4 * 48_000 // 25


def test_contradictions_to_the_header_are_refused(live: Live) -> None:
    code, lines, error = live(wav(NOISE, 16_000), "--rate", "8000")
    assert (code, lines) == (2, []) and "leave --rate out" in error
    code, _, error = live(wav(NOISE, 16_000)[:30])
    assert code == 2 and "cut short" in error
    bad = bytearray(wav(NOISE, 16_000))
    bad[34] = 24  # bits a sample
    code, _, error = live(bytes(bad))
    assert code == 2 and "24 bits" in error and len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "no sound came"),
        ("# motet\n\nSprache, Gest\u00fcre \u2026\n".encode() * 20, "holds text"),
        (b"fLaC" + bytes(300), "a FLAC file"),
        (b"\0\0\0\x20ftypM4A " + bytes(300), "an MP4 file"),
    ],
)
def test_what_is_no_sound_is_refused_with_the_remedy(live: Live, data: bytes, kind: str) -> None:
    code, lines, error = live(data)
    assert (code, lines) == (2, []) and kind in error and "--from FILE" in error


def test_a_few_samples_that_look_like_letters_are_samples(live: Live) -> None:
    code, lines, _ = live(b"abcdefghijkl" + NOISE.tobytes())
    assert code == 0 and len(lines) == 25


def test_pictures_are_streamed_as_jpeg(live: Live) -> None:
    code, lines, _ = live(NOISE.tobytes(), "-m", "speech2lip", "--intensity", "0.5")
    assert code == 0 and len(lines) == 25
    with av.open(io.BytesIO(base64.b64decode(lines[3]["jpeg"]))) as file:
        picture = next(file.decode(video=0))
    assert (picture.width, picture.height) == (lines[3]["width"], lines[3]["height"])


def test_a_body_needs_binaural_input_or_a_position(live: Live) -> None:
    code, _, error = live(NOISE.tobytes(), "-m", "mospa")
    assert code == 2 and "--channels 2" in error and "--source" in error
    code, lines, _ = live(NOISE.tobytes(), "-m", "mospa", "--source", "90,0,2")
    assert code == 0 and len(lines) == 30
    assert len(lines[0]["joints"]) == 25 and len(lines[0]["root"]) == 3
    code, stereo, _ = live(NOISE.tobytes(), "-m", "mospa", "--channels", "2")
    assert code == 0 and len(stereo) == 15


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["-m", "kmtalk"], "phones of the whole recording; use motet run"),
        (["-m", "artalk,mospa"], "one method"),
        (["-m", "mospa", "--source", "90,0,2", "--no-blink"], "blink acts on a face"),
        (["-m", "speech2lip", "--no-blink"], "own footage"),
        (["--source", "90,0,2"], "--source belongs to mospa"),
        (["--option", "nothing=1"], "no option 'nothing'"),
        (["--option", "temperature=0.5", "--option", "decode=greedy"], "samples no bits"),
        (["--guidance.audio", "3"], "training generation"),
        (["--guidance.style", "2"], "give one with style"),
        (["--rate", "0"], "between 1 and"),
        (["--port", "9000"], "--port belongs to --to ws"),
        (["--channels", "0"], "between 1 and 64"),
        (["--weights", "none.safetensors"], "none.safetensors"),
    ],
)
def test_what_cannot_be_honoured_is_refused_at_the_start(
    live: Live, arguments: list[str], remedy: str
) -> None:
    code, lines, error = live(NOISE.tobytes(), *arguments)
    assert (code, lines) == (2, [])
    assert remedy in error and len(error.strip().splitlines()) == 1


def test_options_reach_a_stream(live: Live) -> None:
    _, plain, _ = live(NOISE.tobytes())
    code, greedy, _ = live(NOISE.tobytes(), "--option", "decode=greedy")
    assert code == 0 and not np.array_equal(weights(plain), weights(greedy))


def test_a_style_video_is_tracked_on_the_way(
    live: Live, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    from motet import style_video
    from motet.tracking import track
    from motet.types import Motion, arkit_space

    values = torch.rand(60, 55, generator=torch.Generator().manual_seed(1)) * 0.3
    found = SimpleNamespace(motion=Motion(values, arkit_space())), SimpleNamespace(found=1.0)
    monkeypatch.setattr(track, "track_video", lambda path: found)
    video = tmp_path / "face.mp4"
    video.write_bytes(b"stands for a video")
    monkeypatch.setattr(style_video, "require", lambda *names: None)
    _, plain, _ = live(NOISE.tobytes())
    code, styled, error = live(NOISE.tobytes(), "--style", str(video))
    assert code == 0, error
    assert not np.array_equal(weights(plain), weights(styled))


def test_a_style_video_without_the_tracker_names_the_install_line(
    live: Live, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    video = tmp_path / "face.mp4"
    video.write_bytes(b"no video")
    code, _, error = live(NOISE.tobytes(), "--style", str(video))
    assert code == 2 and "mediapipe" in error and "pip install" in error
    code, _, error = live(NOISE.tobytes(), "--style", str(tmp_path / "none.mp4"))
    assert code == 2 and "none.mp4 does not exist" in error


def test_an_earlier_name_of_an_option_says_so(live: Live) -> None:
    code, lines, error = live(NOISE.tobytes(), "--style", "warm", "--option", "style_strength=2")
    assert code == 0 and len(lines) == 25
    assert "style_strength is now called guidance_style" in error
