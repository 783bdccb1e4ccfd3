"""Remarks about a mouth that stays shut over something audible."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

import motet
from motet.audio import read_audio
from motet.cli import main
from motet.face.shut_mouth import shut_mouth
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space
from tests.audio.sounds import DEMO, hum, noise, speech

RATE = 16_000


def take(opening: torch.Tensor) -> Motion:
    values = torch.zeros(len(opening), 55)
    values[:, ARKIT_SHAPES.index("jawOpen")] = opening
    return Motion(values, arkit_space())


def test_speech_under_a_shut_mouth_is_named_with_its_time() -> None:
    opening = torch.full((175,), 0.2)
    opening[50:125] = 0.0  # 2 to 5 s
    remarks = shut_mouth(read_audio(DEMO), take(opening))
    assert remarks == ["the mouth stays shut over audible speech or music (2.0 to 5.0 s)"]
    assert shut_mouth(read_audio(DEMO), take(torch.full((175,), 0.2))) == []


@pytest.mark.parametrize(
    "sound", [noise(1.0, -30.0), hum(50.0, -20.0, 5), hum(220.0, -20.0, 3)], ids=str
)
def test_sound_without_speech_is_called_that(sound: torch.Tensor) -> None:
    remarks = shut_mouth(Audio.mono(sound, RATE), take(torch.zeros(75)))
    assert remarks == ["no speech found: the mouth stays shut"]


def test_silence_and_pauses_need_no_remark() -> None:
    silent = shut_mouth(Audio.mono(torch.zeros(RATE), RATE), take(torch.zeros(25)))
    assert len(silent) == 1 and "microphone" in silent[0]
    pause = torch.cat([speech(1.0, 3.0), torch.zeros(2 * RATE), speech(3.0, 5.0)])
    opening = torch.full((150,), 0.2)
    opening[50:100] = 0.0
    assert shut_mouth(Audio.mono(pause, RATE), take(opening)) == []


def test_a_body_has_no_mouth() -> None:
    body = Motion(torch.zeros(30, 25 * 6 + 3), motet.load("mospa").method.space)
    assert shut_mouth(read_audio(DEMO), body) == []


def test_run_and_check_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    from motet.audio import write_audio

    recording = tmp_path / "hum.wav"
    write_audio(Audio.mono(hum(50.0, -20.0, 4), RATE), recording)
    with caplog.at_level(logging.WARNING):
        assert main(["run", str(recording), "--quiet", "-o", str(tmp_path / "t.npz")]) == 0
    assert "hum.wav: no speech found: the mouth stays shut" in caplog.text
    capsys.readouterr()
    assert main(["check", str(tmp_path / "t.npz")]) == 0
    assert "no speech found" in capsys.readouterr().out
