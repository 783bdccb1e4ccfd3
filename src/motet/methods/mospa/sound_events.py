"""Events in a recording as they come: onsets, each with the direction that it comes from."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.audio.spatial.direction_of_arrival import azimuth_by_head
from motet.types import Audio

HOP_S = 0.02
BACKGROUND_S = 1.2
"""The level before an onset is the lowest decile of so much sound."""
RISE_DB = 9.0
"""An onset is so much louder than what was before."""
AUDIBLE_DB, FLOOR_DB = -28.0, -66.0
"""It is also louder than this against the window's loudest moment, and against full scale."""
APART_S = 0.6
"""Onsets do not follow each other faster."""
DIRECTION_S = 0.5
PAUSE_S, PAUSE_DB = 1.9, 20.0
"""A sound from the same side is another event where what was before was so much quieter for so
long."""
SAME_DEG = 35.0
"""A direction nearer than this to the one before is the same source."""
SWITCH_FRAMES = 10
"""Frames over which the attended position goes over to a new event's."""


@dataclasses.dataclass(frozen=True)
class SoundEvent:
    """An onset and where it came from."""

    seconds: float
    """From the start of the samples."""
    azimuth_deg: float


def find_events(
    audio: Audio, attended: Float[np.ndarray, "3"] | None = None, *, continues: bool = False
) -> tuple[SoundEvent, ...]:
    """Onsets in a binaural sound with their directions.

    The same sound again and again (rings, barks) is one event where its direction stays and it
    does not pause for long.

    Args:
        attended: position that is attended to already, metres.
        continues: the samples follow others, so what sounds at their start is no onset.
    """
    rate, events = audio.sample_rate, []
    last = None if attended is None else float(np.degrees(np.arctan2(attended[0], attended[2])))
    level = _level_db(audio)
    for onset in onsets(audio, continues=continues):
        start = round(onset * rate)
        piece = audio.slice(start, start + round(DIRECTION_S * rate))
        if piece.samples.shape[-1] < 0.1 * rate:
            continue
        azimuth = azimuth_by_head(piece)
        goes_on = last is not None and _apart(azimuth, last) < SAME_DEG
        if goes_on and not _after_pause(level, onset):
            continue
        events.append(SoundEvent(onset, azimuth))
        last = azimuth
    return tuple(events)


def onsets(audio: Audio, *, continues: bool = False) -> list[float]:
    """Moments, in seconds, at which something begins to sound."""
    level = _level_db(audio)
    if not len(level):
        return []
    before = round(BACKGROUND_S / HOP_S)
    earlier = max(level[0], FLOOR_DB) if continues else FLOOR_DB
    padded = np.concatenate([np.full(before, earlier), level])
    history = np.lib.stride_tricks.sliding_window_view(padded, before)[: len(level)]
    background = np.quantile(history[:, -before // 2 :], 0.1, axis=1)
    recent = history[:, -3:].max(1)
    loud = level > max(level.max() + AUDIBLE_DB, FLOOR_DB)
    rises = (level > background + RISE_DB) & (level > recent + 3.0) & loud
    found: list[float] = []
    for index in np.flatnonzero(rises):
        if not found or index * HOP_S - found[-1] > APART_S:
            found.append(float(index * HOP_S))
    return found


def _level_db(audio: Audio) -> Float[np.ndarray, " hops"]:
    step = round(HOP_S * audio.sample_rate)
    samples = audio.samples.double().numpy()
    count = samples.shape[-1] // step
    power = (samples[:, : count * step].reshape(2, count, step) ** 2).mean((0, 2))
    return 10 * np.log10(power + 1e-12)


def smooth_switches(source: Float[Tensor, "batch frames 3"]) -> Float[Tensor, "batch frames 3"]:
    """Each position averaged with those of the frames just before: a new event takes over within
    a third of a second, not from one frame to the next.
    """
    before = source[:, :1].expand(-1, SWITCH_FRAMES - 1, -1)
    return torch.cat([before, source], 1).unfold(1, SWITCH_FRAMES, 1).mean(-1)


def _after_pause(level: Float[np.ndarray, " hops"], onset_s: float) -> bool:
    """Whether nothing sounded for so long before an onset that it is another event."""
    onset, pause = round(onset_s / HOP_S), round(PAUSE_S / HOP_S)
    before = level[max(0, onset - pause) : onset]
    return len(before) == pause and bool(before.max() < level[onset : onset + 5].max() - PAUSE_DB)


def _apart(first: float, second: float) -> float:
    return abs((first - second + 180) % 360 - 180)
