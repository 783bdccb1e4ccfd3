"""Takes made in code."""

from __future__ import annotations

import numpy as np
import torch

from motet.types import Audio, Clip, Motion, arkit_space
from tests.audio.sounds import speechlike


def take(
    frames: int = 30,
    fps: float = 25.0,
    *,
    seed: int = 0,
    rate: int = 16_000,
    channels: int = 1,
    sound: bool = True,
) -> Clip:
    """A smooth random performance with sound of its length."""
    random = np.random.default_rng(seed)
    phases, speeds = random.uniform(0, 6, 55), random.uniform(0.5, 3, 55)
    waves = np.sin(phases + np.arange(frames)[:, None] / fps * speeds * 2)
    values = np.concatenate([waves[:, :52] * 0.5 + 0.5, waves[:, 52:] * 0.3], axis=1).astype(
        np.float32
    )
    samples = round(frames / fps * rate)
    audio = (
        Audio(
            torch.from_numpy(speechlike(samples, rate, channels)),
            rate,
            "mono" if channels == 1 else "stereo",
        )
        if sound
        else None
    )
    provenance = {
        "method": "artalk",
        "weights": "0123456789ab",
        "seed": 7,
        "options": {"style": "warm"},
        "source": "hello.wav",
    }
    return Clip(audio, Motion(torch.from_numpy(values), arkit_space(fps)), provenance=provenance)
