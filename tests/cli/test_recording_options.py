"""`--track`, `--channel`, `--avatar`, `--map` and `--device` where a recording is read."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from motet.audio import to_mono
from motet.cli import main
from motet.cli.live_input import LiveInput
from motet.errors import ConfigError
from motet.live.input import InputMixer
from motet.registry import method_spec
from motet.types import Audio
from tests.audio.io.test_tracks import RATE, SPEECH, film
from tests.audio.sounds import speechlike
from tests.export.avatars import avatar

SOUND = speechlike(16_000, 16_000, 2)
"""Two channels of different speech."""


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "stereo.wav"
    soundfile.write(path, SOUND.T, 16_000, subtype="FLOAT")
    return path


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[Audio]:
    """What `run` and `keys` give to a method, which generates nothing."""
    audios: list[Audio] = []

    class Silent:
        spec = method_spec("kmtalk")
        method: Any

        def write(self, audio: Audio, *_: object) -> list[Path]:
            audios.append(audio)
            return []

        def prepare(self, audio: Audio) -> Audio:
            return audio

        def condition(self, options: object) -> object:
            return options

        def write_keys(self, audio: Audio, condition: object, path: Path) -> str:
            audios.append(audio)
            return "no keys"

    silent = Silent()
    silent.method = silent
    monkeypatch.setattr("motet.session.load_methods", lambda *_: silent)
    monkeypatch.setattr("motet.session.load", lambda *_: silent)
    return audios


Line = Callable[[Path], list[str]]
READING: dict[str, Line] = {
    "run": lambda path: ["run", str(path), "--quiet"],
    "keys": lambda path: ["keys", str(path), "--quiet"],
}


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("channel", [1, 2])
def test_a_channel_is_taken_alone(
    verb: str, channel: int, stereo: Path, received: list[Audio]
) -> None:
    assert main([*READING[verb](stereo), "--channel", str(channel)]) == 0
    mono = to_mono(received[0]).samples[0].numpy()
    assert np.allclose(mono, SOUND[channel - 1], atol=1e-6)


@pytest.mark.parametrize("verb", READING)
def test_a_track_is_taken(verb: str, tmp_path: Path, received: list[Audio]) -> None:
    path = film(tmp_path / "two.mkv", [0.2 * SPEECH, SPEECH], [True, False], "flac")
    for track in ("1", "2"):
        assert main([*READING[verb](path), "--track", track]) == 0
    first, second = (audio.samples[0, :RATE].numpy() for audio in received)
    assert np.allclose(5 * first, second, atol=1e-3) and np.abs(second).max() > 0.5


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("flag", ["--channel", "--track"])
@pytest.mark.parametrize("number", ["0", "3"])
def test_a_number_that_does_not_exist(
    verb: str,
    flag: str,
    number: str,
    stereo: Path,
    received: list[Audio],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*READING[verb](stereo), flag, number]) == 2
    assert not received and number in capsys.readouterr().err


def test_fit_hands_on_track_channel_and_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def capture(videos: object, folder: object, options: Any, report: object) -> object:
        calls.append(options)
        return SimpleNamespace(training=tmp_path, weights=tmp_path / "none")

    monkeypatch.setattr("motet.tracking.capture.capture.capture", capture)
    monkeypatch.setattr("motet.tracking.capture.shots.open_shots", lambda videos: [])
    monkeypatch.setattr("motet.tracking.landmarker.missing_needs", lambda *given: [])
    monkeypatch.setattr("motet.tracking.capture.describe.describe", lambda person: [])
    monkeypatch.setattr("motet.training.person.learn_person", lambda *given: calls.append(given))
    monkeypatch.setattr("motet.cli.fit._best", lambda person: "")
    line = ["fit", "a.mp4", "-o", str(tmp_path), "--consent", "mine", "--quiet"]
    line += ["--renderer", "implicit"]
    assert main([*line, "--track", "2", "--channel", "1", "--device", "auto"]) == 0
    options, training = calls
    assert (options.track, options.channel) == (2, 1)
    assert training[-1].device == "auto"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*line, "--device", "cuda"]) == 2 and len(calls) == 2
    assert "no cuda device" in capsys.readouterr().err


def live_input(channels: int, channel: int | None, method: str = "artalk") -> LiveInput:
    pipe = io.BufferedReader(io.BytesIO((SOUND.T * 32767).astype("<i2").tobytes()))  # type: ignore[arg-type]
    return LiveInput(pipe, method_spec(method), 16_000, channels, "", channel)


def test_live_takes_one_channel() -> None:
    incoming = live_input(2, 2)
    incoming.open()
    mixer = InputMixer(method_spec("artalk"), 16_000, 2, {}, channel=2)
    mono = np.concatenate([mixer.push(chunk).numpy()[0] for chunk in incoming.chunks()])
    assert np.allclose(mono[: SOUND.shape[1]], SOUND[1][: len(mono)], atol=1e-4)


@pytest.mark.parametrize("channel", [0, 3])
def test_live_refuses_a_channel_that_does_not_exist(channel: int) -> None:
    with pytest.raises(ConfigError, match=f"no channel {channel}.*--channels"):
        live_input(2, channel)


def test_live_refuses_a_channel_for_both_ears(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="leave --channel out"):
        live_input(2, 1, "mospa")


def test_run_reports_what_of_an_avatar_is_driven(
    tmp_path: Path, stereo: Path, received: list[Audio], capsys: pytest.CaptureFixture[str]
) -> None:
    path = avatar(tmp_path / "a.glb", ["jawOpen", "Hat"])
    line = ["run", str(stereo), "--avatar", str(path), "-o", str(tmp_path / "o.glb")]
    assert main(line) == 0
    printed = capsys.readouterr().out
    for text in ("driven (1): jawOpen", "ignored (1): Hat", "missing ARKit shapes (51)"):
        assert text in printed
    by_hand = tmp_path / "map.json"
    by_hand.write_text(json.dumps({"Hat": "cheekPuff"}))
    assert main([*line, "--map", str(by_hand)]) == 0
    assert "driven (2): Hat, jawOpen" in capsys.readouterr().out
    assert main([*line, "--quiet"]) == 0
    assert "driven" not in capsys.readouterr().out


def test_an_avatar_that_serves_one_file_of_two_leaves_none(
    stereo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = avatar(tmp_path / "a.glb", ["jawOpen"])
    files = tmp_path / "one.glb", tmp_path / "two.vrma"
    outputs = [word for file in files for word in ("-o", str(file))]
    assert main(["run", str(stereo), "--avatar", str(path), *outputs]) == 2
    assert "VRM" in capsys.readouterr().err
    assert not any(file.exists() for file in files)


def test_run_refuses_an_avatar_before_the_recording_is_read(
    tmp_path: Path, received: list[Audio], capsys: pytest.CaptureFixture[str]
) -> None:
    path = avatar(tmp_path / "a.glb", ["eyeBlinkLeft"])
    line = ["run", "missing.wav", "-o", str(tmp_path / "o.glb")]
    assert main([*line, "--avatar", str(path)]) == 2
    assert "no mouth that can speak" in capsys.readouterr().err
    assert main([*line, "--map", "m.json"]) == 2
    assert "--avatar" in capsys.readouterr().err and not received


def test_the_map_reaches_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from motet.export.gltf.mapping import AvatarMap
    from motet.request import Request
    from motet.sinks import MOTION_SINK
    from tests.export.takes import take

    clip = take(3)
    assert clip.motion is not None
    batch = dataclasses.replace(clip.motion, values=clip.motion.values[None])
    generator: Any = SimpleNamespace(
        run=lambda *_, **__: batch, facts=lambda *_: {}, detected=lambda *_: {}, space=None
    )
    options: list[Any] = []

    def write_clip(clip: object, path: Path, **given: Any) -> Path:
        options.append(given)
        return path

    monkeypatch.setattr("motet.export.write_clip", write_clip)
    by_hand = AvatarMap({"Hat": "jawOpen"})
    request = Request(avatar=tmp_path / "a.glb", avatar_map=by_hand)
    silence = Audio.mono(torch.zeros(16_000), 16_000)
    MOTION_SINK.write(
        generator, silence, request, "", lambda _: [tmp_path / "o.glb"], lambda *_: lambda _: None
    )
    assert options[0]["avatar_map"] is by_hand
