"""The sounds of the golden net: cuts of the demo recording, so that every case stays short."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from motet.types import Audio

DEMO = Path(__file__).parents[2] / "examples" / "demo.flac"
RATE = 16_000


@cache
def _samples() -> np.ndarray:
    samples, rate = soundfile.read(DEMO, dtype="float32")
    assert rate == RATE
    return samples


def _cut(start_s: float, stop_s: float) -> torch.Tensor:
    return torch.from_numpy(_samples()[int(start_s * RATE) : int(stop_s * RATE)].copy())


def sound(name: str) -> Audio:
    """The sound of that name."""
    cut, tail = _cut(1.0, 3.0), _cut(4.0, 6.0)
    sounds = {
        "demo": lambda: Audio.mono(_cut(0.0, 100.0), RATE),
        "cut": lambda: Audio.mono(cut, RATE),
        "tail": lambda: Audio.mono(tail, RATE),
        "second": lambda: Audio.mono(_cut(1.0, 2.0), RATE),
        "two": lambda: Audio.mono(torch.stack([cut, tail]), RATE),
        "other_rate": lambda: Audio.mono(cut, 22_050),
        "stereo": lambda: Audio(torch.stack([cut, 0.5 * cut.roll(8)]), RATE, "stereo"),
        "silence": lambda: Audio.mono(torch.zeros(RATE), RATE),
    }
    return sounds[name]()


def write(name: str, path: Path) -> Path:
    """A sound as a FLAC file (exact, because the demo has 16 bits)."""
    soundfile.write(path, sound(name).samples[0].numpy(), RATE, subtype="PCM_16")
    return path


def raw(name: str) -> bytes:
    """A sound as signed 16-bit samples, as `motet live` hears it."""
    return (sound(name).samples[0] * 32768).to(torch.int16).numpy().tobytes()
