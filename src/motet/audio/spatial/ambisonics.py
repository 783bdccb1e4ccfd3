"""First-order ambisonics (ACN order, SN3D weights) and stereo for two ears: played from directions,
each heard through the head.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import fftconvolve

from motet.audio.spatial.hrtf import Head, kemar
from motet.audio.spatial.spatialise import place_of
from motet.errors import AudioError
from motet.types import Audio

MAX_RE = 1 / math.sqrt(3)
"""Weight of the first order that concentrates the energy towards the source (max-rE)."""
SPEAKERS_DEG = 30.0
"""Stereo is heard from loudspeakers at this angle to either side."""


def virtual_directions() -> Float[np.ndarray, "directions 3"]:
    """The twelve corners of an icosahedron, unit vectors (+X left, +Y up, +Z front), mirror images
    of each other left and right.
    """
    golden = (1 + math.sqrt(5)) / 2
    corners = [
        np.roll([0.0, a, b * golden], shift) for shift in range(3) for a in (-1, 1) for b in (-1, 1)
    ]
    return np.stack(corners) / math.hypot(1, golden)


def encode_ambisonics(
    samples: Float[torch.Tensor, "time"], azimuth_deg: float, elevation_deg: float, sample_rate: int
) -> Audio:
    """A plane wave from a direction: W = s, Y = s sin az cos el, Z = s sin el, X = s cos az cos
    el.
    """
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    gains = (
        1.0,
        math.sin(azimuth) * math.cos(elevation),
        math.sin(elevation),
        math.cos(azimuth) * math.cos(elevation),
    )
    return Audio(torch.stack([samples * gain for gain in gains]), sample_rate, "foa")


def binaural_from_ambisonics(audio: Audio, head: Head | None = None) -> Audio:
    """What two ears hear in the middle of the field.

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
    gains = np.stack(
        [np.ones(len(left)), 3 * MAX_RE * left, 3 * MAX_RE * up, 3 * MAX_RE * front], axis=1
    ) / len(left)
    return _heard_through(audio, virtual_directions(), gains, head)


def to_binaural(audio: Audio, head: Head | None = None) -> Audio:
    """Ambisonics decoded, stereo heard from two loudspeakers at 30 degrees; binaural sound passes
    as it is.

    Raises:
        AudioError: a layout without directions, or a batch.
    """
    if audio.layout == "binaural":
        return audio
    if audio.layout == "foa":
        return binaural_from_ambisonics(audio, head)
    if audio.layout != "stereo" or audio.samples.ndim != 2:
        raise AudioError(
            f"{audio.layout} sound has no directions; place it with"
            " motet.audio.spatial.spatialise.spatialise(audio, azimuth, elevation, distance)"
        )
    return _heard_through(audio, place_of([SPEAKERS_DEG, -SPEAKERS_DEG], 0.0, 1.0), np.eye(2), head)


def _heard_through(
    audio: Audio,
    directions: Float[np.ndarray, "directions 3"],
    gains: Float[np.ndarray, "directions channels"],
    head: Head | None,
) -> Audio:
    """Channels spread over directions, each heard through the head: one filter for each channel and
    ear.
    """
    chosen = kemar(audio.sample_rate) if head is None else head.at_rate(audio.sample_rate)
    responses, delays = chosen.heard(directions)
    late = np.round(delays * chosen.sample_rate).astype(int)
    taps = np.zeros((len(directions), 2, responses.shape[-1] + int(late.max())), np.float32)
    for number in range(len(directions)):
        for ear in range(2):
            taps[number, ear, late[number, ear] : late[number, ear] + responses.shape[-1]] = (
                responses[number, ear]
            )
    filters = np.einsum("dc,det->cet", gains, taps)
    samples = audio.samples.detach().float().cpu().numpy()
    heard = [
        sum(
            fftconvolve(channel, pair[ear])[: samples.shape[1]]
            for channel, pair in zip(samples, filters, strict=True)
        )
        for ear in range(2)
    ]
    return Audio(
        torch.from_numpy(np.stack(heard).astype(np.float32)), audio.sample_rate, "binaural"
    )
