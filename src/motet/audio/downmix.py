"""Downmix to one channel."""

from __future__ import annotations

import dataclasses

from motet.types import Audio


def to_mono(audio: Audio) -> Audio:
    """The mean of all channels; of first-order ambisonics the omnidirectional channel W."""
    if audio.layout == "mono":
        return audio
    if audio.layout == "foa":
        samples = audio.samples[..., :1, :]
    else:
        samples = audio.samples.mean(dim=-2, keepdim=True)
    return dataclasses.replace(audio, samples=samples, layout="mono")
