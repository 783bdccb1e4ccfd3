"""First-order ambisonics (ACN order, SN3D weights) for two ears: decoded to directions all round, each heard through the head."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float

from motet.audio.spatial import spatialise
from motet.errors import AudioError
from motet.types import Audio

MAX_RE = 1 / math.sqrt(3)
"""Weight of the first order that concentrates the energy towards the source (max-rE)."""


def virtual_directions() -> Float[np.ndarray, "directions 3"]:
    """The twelve corners of an icosahedron, unit vectors (+X left, +Y up, +Z front), mirror images of each other left and right."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [np.roll([0.0, a, b * golden], shift) for shift in range(3) for a in (-1, 1) for b in (-1, 1)]
    return np.stack(corners) / math.hypot(1, golden)


def encode_ambisonics(samples: Float[torch.Tensor, "time"], azimuth_deg: float, elevation_deg: float, sample_rate: int) -> Audio:
    """A plane wave from a direction: W = s, Y = s sin az cos el, Z = s sin el, X = s cos az cos el."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    gains = (1.0, math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation))
    return Audio(torch.stack([samples * gain for gain in gains]), sample_rate, "foa")


def binaural_from_ambisonics(audio: Audio) -> Audio:
    """What two ears hear in the middle of the field.

    Raises:
        AudioError: not four channels, or a batch.

    Source: Daniel 2000 (max-rE decoding).
    """
    if audio.samples.ndim != 2 or audio.samples.shape[0] != 4:
        raise AudioError(f"first-order ambisonics have four channels (W, Y, Z, X); this sound has the shape {tuple(audio.samples.shape)}")
    w, y, z, x = audio.samples
    directions = virtual_directions()
    total = torch.zeros(2, audio.samples.shape[-1])
    for left, up, front in directions:
        speaker = (w + 3 * MAX_RE * (left * y + up * z + front * x)) / len(directions)
        azimuth, elevation = math.degrees(math.atan2(left, front)), math.degrees(math.asin(up))
        total += spatialise(Audio.mono(speaker.float(), audio.sample_rate), azimuth, elevation, 1.0).samples[..., : total.shape[-1]]
    return Audio(total, audio.sample_rate, "binaural")
