"""From many channels to one."""

from __future__ import annotations

import dataclasses

from motet.types import Audio


def to_mono(audio: Audio) -> Audio:
    """One channel: the mean of all, or the omnidirectional channel (W, the first) of first-order
    ambisonics.
    """
    if audio.layout == "mono":
        return audio
    samples = (
        audio.samples[..., :1, :]
        if audio.layout == "foa"
        else audio.samples.mean(dim=-2, keepdim=True)
    )
    return dataclasses.replace(audio, samples=samples, layout="mono")
