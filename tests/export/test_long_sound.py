"""Files are written from a recording that stays on disk exactly as from a sound in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.audio import open_audio, read_audio
from motet.audio.io import read
from motet.audio.io.recording import Recording
from motet.audio_types import AudioSource
from motet.export import read_take, write_clip
from motet.export.video import write_video
from motet.types import Clip, Motion, arkit_space
from tests.audio.sounds import speechlike


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[AudioSource, AudioSource]:
    left = speechlike(44_100 * 20, 44_100)[0]
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.stack([left, 3 * left[::-1]], 1), 44_100, subtype="FLOAT")
    monkeypatch.setattr(read, "KEPT_VALUES", 10_000)
    recording = open_audio(path)
    assert isinstance(recording, Recording)
    return recording, read_audio(path)


def test_take(both: tuple[AudioSource, AudioSource], tmp_path: Path) -> None:
    motion = Motion(torch.rand(500, arkit_space().dim), arkit_space())
    paths = [
        write_clip(Clip(sound, motion), tmp_path / name)
        for sound, name in zip(both, ("a.npz", "b.npz"), strict=True)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    sound = read_take(paths[0]).audio
    assert sound is not None
    assert torch.allclose(sound.load().samples, both[1].load().samples, atol=1e-6)


def test_video(both: tuple[AudioSource, AudioSource], tmp_path: Path) -> None:
    pictures = [np.full((64, 64, 3), shade, np.uint8) for shade in range(100)]
    paths = [
        write_video(tmp_path / name, pictures, 5.0, audio=sound, credentials=False)
        for sound, name in zip(both, ("a.mp4", "b.mp4"), strict=True)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
