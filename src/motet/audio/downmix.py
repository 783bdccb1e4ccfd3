"""Downmix to one channel: the one that carries the speech.

A plain mean loses speech in many ordinary files: the sides of a phase-inverted recording cancel,
the dialogue of a film lies in the centre channel under the music of the others, and of many
microphones often only one is live.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.signal import butter, sosfilt

from motet.audio_types import AudioSource
from motet.errors import AudioError
from motet.types import SURROUND, Audio

CENTRE_CHANNEL = 2
"""Index of the centre in every surround layout."""
BAND_HZ = (300.0, 3400.0)
"""Band in which speech is looked for; mains hum lies below."""
PHASE_BANDS_HZ = ((300.0, 700.0), (700.0, 1500.0), (1500.0, 3400.0))
"""Opposite phase is opposite in each of them; a delay between two microphones is not."""
FRAME_S = 0.01
DEAD, ALONE, CANCELLED = 0.05, 0.25, 0.5
"""Speech activity relative to the best channel: below the first a channel is silent or noise; when
all others are below the second, the best one is taken alone. The third is that of the mean relative
to the difference of two channels in opposite phase."""
log = logging.getLogger("motet.audio")
SourceT = TypeVar("SourceT", bound=AudioSource)
LONGEST_S, PARTS = 120.0, 10
"""Of a longer sound that many parts, evenly spread, of this total length are analysed."""


@dataclasses.dataclass(frozen=True)
class Mix:
    """Weights of the channels in the downmix, and in words what was taken ("" for the mean)."""

    weights: tuple[float, ...]
    note: str = ""


def to_mono(audio: Audio) -> Audio:
    """One channel: `audio.mix` where it is set, else the mix that `speech_mix` finds.

    Ordinary stereo gives the mean of both channels, first-order ambisonics the omnidirectional
    channel W.
    """
    if audio.layout == "mono":
        return audio
    *batch, channels, time = audio.samples.shape
    items = audio.samples.reshape(math.prod(batch), channels, time)
    mixed = torch.stack([_mixed(item, audio) for item in items]).reshape(*batch, 1, time)
    return dataclasses.replace(audio, samples=mixed, layout="mono", mix=())


def _mixed(samples: Float[torch.Tensor, "channels time"], audio: Audio) -> torch.Tensor:
    item = dataclasses.replace(audio, samples=samples)
    weights = audio.mix or speech_mix(item).weights
    if len(set(weights)) == 1:
        return samples.mean(dim=0, keepdim=True)
    chosen = [index for index, weight in enumerate(weights) if weight]
    # (chosen,)
    scale = samples.new_tensor([weights[index] for index in chosen])
    return (samples[chosen] * scale[:, None]).sum(dim=0, keepdim=True)


def one_channel(audio: SourceT, channel: int) -> SourceT:
    """The same sound with a downmix that takes this channel, counted from 1, alone.

    Raises:
        AudioError: there is no such channel.
    """
    channels = audio.channels
    if not 1 <= channel <= channels:
        raise AudioError(
            f"there is no channel {channel}: the sound has {channels}; leave --channel out or give"
            f" 1 to {channels}"
        )
    return with_mix(audio, _only(channel - 1, channels).weights)


def with_mix(audio: SourceT, weights: tuple[float, ...]) -> SourceT:
    """The same sound with these weights of its channels in a downmix."""
    return cast(SourceT, dataclasses.replace(cast(Audio, audio), mix=weights))


def speech_mix(audio: AudioSource) -> Mix:
    """Which channels carry the speech of a sound (channels, time).

    Of surround sound the centre where it has speech, else the front pair. Of two channels in
    opposite phase their difference. Silent channels, noise and hum are left out. A channel far
    ahead of all others is taken alone; of what is left the mean, channels in opposite phase to the
    best one turned round.
    """
    channels = audio.channels
    if channels == 1:
        return Mix((1.0,))
    if audio.layout == "foa":
        return _only(0, channels)
    audio = audio.excerpt(LONGEST_S, PARTS)
    activity = _activities(audio, BAND_HZ) if audio.samples.shape[-1] else np.zeros(channels)
    if not activity.max():
        return Mix((1.0 / channels,) * channels)
    # Beyond one or two channels the layout says where the dialogue is.
    if audio.layout in SURROUND:
        return _surround(audio, activity)
    return _alike(audio, range(channels), activity)


def speech_activity(band: Float[ndarray, "frames samples"]) -> float:
    """How much a sound varies in level as speech does: amplitude times depth of the variation.

    Args:
        band: samples in the speech band, one row for each 10 ms.
    """
    level = np.sqrt(np.mean(np.square(band), axis=1))
    mean = float(level.mean())
    # Steady sounds differ from silence by the small last term.
    return float(level.var()) / mean + 1e-4 * mean if mean > 1e-7 else 0.0


def band_frames(
    samples: Float[ndarray, "channels time"], rate: int, band_hz: tuple[float, float] = BAND_HZ
) -> Float[ndarray, "channels frames samples"]:
    """Samples in a band, in rows of 10 ms."""
    # The band narrows with the rate: Butterworth's design needs edges below Nyquist.
    low, high = (min(edge, share * rate) for edge, share in zip(band_hz, (0.3, 0.45), strict=True))
    filtered = sosfilt(butter(2, (low, high), "bandpass", fs=rate, output="sos"), samples)
    size = max(1, round(FRAME_S * rate))
    # ceiling: the last row is filled up with zeros
    frames = -(-samples.shape[1] // size)
    padded = np.pad(filtered, ((0, 0), (0, frames * size - samples.shape[1])))
    return padded.reshape(len(samples), frames, size)


def _activities(audio: Audio, band_hz: tuple[float, float]) -> Float[ndarray, " channels"]:
    # Channel by channel: the filter works in double precision, on a copy.
    rows = audio.samples.detach().float().cpu().numpy()[:, None]
    bands = (band_frames(row, audio.sample_rate, band_hz)[0] for row in rows)
    return np.array([speech_activity(band) for band in bands])


def _surround(audio: Audio, activity: ndarray) -> Mix:
    channels, name = len(activity), f"{audio.layout} sound"
    if activity[CENTRE_CHANNEL] > DEAD * activity.max():
        return _only(CENTRE_CHANNEL, channels, f"of {name} the centre channel is taken")
    # The bass channel follows the centre in every layout that ends in ".1".
    bass = CENTRE_CHANNEL + 1 if audio.layout.endswith(".1") else None
    rest = [i for i in range(channels) if i not in (CENTRE_CHANNEL, bass)]
    has_front = activity[:2].max() > DEAD * activity.max()
    mix = _alike(audio, [0, 1] if has_front else rest, activity)
    return Mix(mix.weights, f"of {name} the centre is silent: {mix.note or 'the front is taken'}")


def _alike(audio: Audio, chosen: Sequence[int], activity: ndarray) -> Mix:
    """The mix of channels of which nothing is known."""
    channels, best = len(activity), max(chosen, key=lambda i: activity[i])
    # Two channels are most often one recording; many are mostly microphones.
    least = (DEAD if len(chosen) == 2 else ALONE) * activity[best]
    live = [i for i in chosen if activity[i] >= least]
    if len(live) == 1:
        return _only(best, channels, f"of {channels} channels number {best + 1} has the speech")
    turned = [i for i in live if i != best and _is_opposite(audio, best, i)]
    weights = [0.0] * channels
    for index in live:
        # The best channel keeps its sign, whatever the others have.
        weights[index] = (-1.0 if index in turned else 1.0) / len(live)
    return Mix(tuple(weights), _note_of_mean(len(chosen), len(live), bool(turned)))


def _note_of_mean(channels: int, live: int, turned: bool) -> str:
    if channels == 2:
        return "two channels have opposite phase: their difference is taken" if turned else ""
    note = f"of {channels} channels the mean of {live} is taken"
    return f"{note}, those in opposite phase turned round" if turned else note


def _is_opposite(audio: Audio, first: int, second: int) -> bool:
    a, b = audio.samples[first], audio.samples[second]
    pair = dataclasses.replace(audio, samples=torch.stack([a + b, a - b]), layout="other", mix=())
    both = np.array([_activities(pair, band) for band in PHASE_BANDS_HZ])  # (bands, 2)
    # Bands with hardly any speech would decide by their noise.
    both = both[both.sum(axis=1) > DEAD * both.sum(axis=1).max()]
    return bool((both[:, 0] < CANCELLED * both[:, 1]).all())


def _only(channel: int, channels: int, note: str = "") -> Mix:
    return Mix(tuple(float(i == channel) for i in range(channels)), note)
