"""Whisper features of training recordings as a session meets them: whole recordings and streams of
several look-aheads, through rooms, microphones, noises and levels.

The sound is degraded before it is encoded. Which variants a recording has follows from its name, so
a training set is the same on every machine; streams cost five times as much as whole recordings, so
only a part of the recordings has one.
"""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.audio import resample, to_mono
from motet.data.augment import HARD, MILD, degrade
from motet.encoders.base import encode
from motet.encoders.whisper.encoder import WhisperAudioEncoder
from motet.types import Audio

STREAMED, DEGRADED, HARDER = 0.2, 0.6, 0.3
"""Shares: recordings with a stream, variants with a degraded sound, degraded ones that are hard."""
LOOK_AHEADS_S = (0.12, 0.3)
"""Look-aheads of the streams."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to compute the features of a recording."""

    look_ahead_s: float
    """Of the stream; infinite: the whole recording."""
    degradation: str
    """`clean`, `mild` or `hard`."""
    seed: int

    @property
    def name(self) -> str:
        """Safe as a folder's name."""
        return f"{self.look_ahead_s:g}-{self.degradation}"


def variants_of(recording: str) -> tuple[Variant, ...]:
    """The variants of the recording of that name: whole, for some also streamed."""
    # Not `hash`: Python salts it differently in every process.
    random = np.random.default_rng(zlib.crc32(recording.encode()))
    look_aheads = [float("inf")]
    if random.random() < STREAMED:
        look_aheads.append(LOOK_AHEADS_S[int(random.integers(len(LOOK_AHEADS_S)))])
    return tuple(
        Variant(look_ahead, _degradation(random), int(random.integers(2**31)))
        for look_ahead in look_aheads
    )


def _degradation(random: np.random.Generator) -> str:
    if random.random() >= DEGRADED:
        return "clean"
    return "hard" if random.random() < HARDER else "mild"


@torch.inference_mode()
def variant_features(
    audio: Audio, variant: Variant, encoder: WhisperAudioEncoder
) -> Float[Tensor, "steps dim"]:
    """Features at 50 Hz, as many as of the recording itself."""
    samples = samples_of(audio, variant, encoder.sample_rate)
    if variant.look_ahead_s != float("inf"):
        encoder = encoder.streaming(variant.look_ahead_s)
    return encode(encoder, samples)[0].clone()


def samples_of(audio: Audio, variant: Variant, rate: int) -> Float[Tensor, "1 time"]:
    """A recording in mono at a rate, as the variant degrades it."""
    samples = resample(to_mono(audio), rate).samples.reshape(1, -1)
    if variant.degradation == "clean":
        return samples
    chance = torch.Generator().manual_seed(variant.seed)
    how = HARD if variant.degradation == "hard" else MILD
    # Another stretch of the same recording stands for a voice in the background.
    return degrade(samples, samples.roll(samples.shape[1] // 2, 1), chance, how)
