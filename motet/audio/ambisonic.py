"""Recordings of a whole sound field, and stereo, for two ears."""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import fftconvolve

from motet.audio.head import Head, kemar
from motet.audio.spatial import place_of
from motet.errors import AudioError
from motet.types import Audio

SPEAKERS_DEG = 30.0
"""Stereo is heard from loudspeakers at this angle to either side."""


def to_binaural(audio: Audio, head: Head | None = None) -> Audio:
    """First-order ambisonics (ACN order W, Y, Z, X; SN3D) or stereo as two ears hear it; binaural sound passes as it is.

    Ambisonics is decoded to fourteen directions around the head with max-rE weights, each of which is heard through the head.

    Raises:
        AudioError: a layout without directions, or a batch.
    """
    if audio.layout == "binaural":
        return audio
    if audio.layout not in ("foa", "stereo"):
        raise AudioError(f"{audio.layout} sound has no directions; place it with motet.audio.spatial.spatialise(audio, azimuth, elevation, distance)")
    if audio.samples.ndim != 2:
        raise AudioError(f"one sound at a time can be decoded, this has the shape {tuple(audio.samples.shape)}")
    chosen = kemar(audio.sample_rate) if head is None else head.at_rate(audio.sample_rate)
    filters = _filters(audio.layout, chosen)
    samples = audio.samples.detach().float().cpu().numpy()
    heard = [sum(fftconvolve(channel, taps[ear])[: samples.shape[1]] for channel, taps in zip(samples, filters, strict=True)) for ear in range(2)]
    return Audio(torch.from_numpy(np.stack(heard).astype(np.float32)), audio.sample_rate, "binaural")


def _filters(layout: str, head: Head) -> Float[np.ndarray, "channels 2 taps"]:
    """What each channel contributes to each ear."""
    if layout == "stereo":
        directions, gains = place_of([SPEAKERS_DEG, -SPEAKERS_DEG], 0.0, 1.0), np.eye(2)
    else:
        directions, gains = _around(), _decoder()
    responses, delays = head.heard(directions)
    whole = np.round(delays * head.sample_rate).astype(int)
    taps = np.zeros((len(directions), 2, responses.shape[-1] + int(whole.max())), np.float32)
    for number in range(len(directions)):
        for ear in range(2):
            taps[number, ear, whole[number, ear] : whole[number, ear] + responses.shape[-1]] = responses[number, ear]
    return np.einsum("dc,det->cet", gains, taps)


@functools.cache
def _around() -> Float[np.ndarray, "directions 3"]:
    """Corners and faces of a cube."""
    faces = np.concatenate([np.eye(3), -np.eye(3)])
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / np.sqrt(3)
    return np.concatenate([faces, corners])


@functools.cache
def _decoder() -> Float[np.ndarray, "directions 4"]:
    """Gain of each direction for W, Y, Z, X. Y points to the left, Z up, X to the front."""
    left, up, front = _around().T
    # SN3D: first-order channels have unit gain in their direction. Max-rE weight of the first order: 1 / sqrt(3).
    basis = np.stack([np.ones(len(left)), 3 / np.sqrt(3) * left, 3 / np.sqrt(3) * up, 3 / np.sqrt(3) * front], axis=1)
    return basis / len(left)
