"""Binaural rendering of first-order ambisonics (ACN order, SN3D weights) and of stereo."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import fftconvolve

from motet.audio.spatial.hrtf import Head, kemar
from motet.audio.spatial.spatialise import position_from_angles
from motet.errors import AudioError
from motet.types import Audio

MAX_RE = 1 / math.sqrt(3)
"""Weight of the first order that concentrates the energy towards the source (max-rE)."""
SPEAKERS_DEG = 30.0
"""Azimuth of the two virtual loudspeakers of stereo."""


def virtual_directions() -> Float[np.ndarray, "directions 3"]:
    """The twelve corners of an icosahedron, unit vectors (+X left, +Y up, +Z front).

    They are symmetric left and right.
    """
    golden = (1 + math.sqrt(5)) / 2
    corners = [
        np.roll([0.0, a, b * golden], shift) for shift in range(3) for a in (-1, 1) for b in (-1, 1)
    ]
    # (12, 3) of unit length
    return np.stack(corners) / math.hypot(1, golden)


def encode_ambisonics(
    samples: Float[torch.Tensor, " time"],
    azimuth_deg: float,
    elevation_deg: float,
    sample_rate: int,
) -> Audio:
    """A plane wave from a direction, channels W, Y, Z, X."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    horizontal = math.cos(elevation)
    gains = (
        1.0,
        math.sin(azimuth) * horizontal,
        math.sin(elevation),
        math.cos(azimuth) * horizontal,
    )
    return Audio(torch.stack([samples * gain for gain in gains]), sample_rate, "foa")


def binaural_from_ambisonics(audio: Audio, head: Head | None = None) -> Audio:
    """Binaural signal at the centre of the sound field.

    Raises:
        AudioError: not four channels, or a batch.

    Source: Daniel 2000 (max-rE decoding).
    """
    if audio.samples.ndim != 2 or audio.samples.shape[0] != 4:
        raise AudioError(
            "first-order ambisonics have four channels (W, Y, Z, X); this sound has the shape"
            f" {tuple(audio.samples.shape)}"
        )
    left, up, front = virtual_directions().T
    first_order = 3 * MAX_RE * np.stack([left, up, front], axis=1)
    # (directions, W Y Z X): the virtual loudspeakers' gains, ACN order
    gains = np.concatenate([np.ones((len(left), 1)), first_order], axis=1) / len(left)
    return _filter_binaural(audio, virtual_directions(), gains, head)


def to_binaural(audio: Audio, head: Head | None = None) -> Audio:
    """Binaural rendering of ambisonics, or of stereo from two loudspeakers at 30 degrees.

    Binaural sound is returned as it is.

    Raises:
        AudioError: a layout without directions, or a batch.
    """
    if audio.layout == "binaural":
        return audio
    if audio.layout == "foa":
        return binaural_from_ambisonics(audio, head)
    if audio.layout != "stereo" or audio.samples.ndim != 2:
        raise AudioError(
            f"{audio.layout} sound has no direction; render it from a position with"
            " motet.audio.spatial.spatialise.spatialise(audio, azimuth, elevation, distance)"
        )
    return _filter_binaural(
        audio, position_from_angles([SPEAKERS_DEG, -SPEAKERS_DEG], 0.0, 1.0), np.eye(2), head
    )


def _filter_binaural(
    audio: Audio,
    directions: Float[np.ndarray, "directions 3"],
    gains: Float[np.ndarray, "directions channels"],
    head: Head | None,
) -> Audio:
    """Channels distributed over directions, each filtered by the head's responses."""
    hrtf = kemar(audio.sample_rate) if head is None else head.at_rate(audio.sample_rate)
    responses, delays = hrtf.heard(directions)
    delay = np.round(delays * hrtf.sample_rate).astype(int)
    length = responses.shape[-1]
    # (directions, ears, taps with the delay in front)
    taps = np.zeros((len(directions), 2, length + int(delay.max())), np.float32)
    for index, ear in np.ndindex(len(directions), 2):
        start = delay[index, ear]
        taps[index, ear, start : start + length] = responses[index, ear]
    filters = np.einsum("dc,det->cet", gains, taps)  # one for each channel and ear
    channels = audio.samples.detach().float().cpu().numpy()
    binaural = np.zeros((2, channels.shape[1]))
    for channel, ears in zip(channels, filters, strict=True):
        for ear in range(2):
            binaural[ear] += fftconvolve(channel, ears[ear])[: len(channel)]
    return Audio(torch.from_numpy(binaural.astype(np.float32)), audio.sample_rate, "binaural")
