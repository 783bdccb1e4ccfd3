"""The rhythm of a sound as it arrives: loudness, accents, and moments of a new posture.

Everything is causal: what holds at a time depends on the sound before it alone, in blocks of 10 ms
that are counted from the start. So every cutting of a stream gives the same.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from array import array

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from motet.audio.hum import HumTracker

BLOCK_S = 0.01
RANGE_DB, FLOOR_DB = 25.0, -60.0
"""Loudness runs from 0 at so much under the loudest recent block to 1; below the floor there is
none."""
PEAK_FALL_DB = 0.02
"""The reference level falls by so much a block, so a quieter passage is judged by itself after some
seconds."""
FAST, VALLEY, SLOW = 0.22, 0.06, 0.008
"""Shares of the way that averages go in a block: syllables (40 ms), recovery of the valley before
a rise (160 ms), mean of the speech (1.2 s)."""
RISE, ABOVE_MEAN = 0.20, -0.02
"""An accent: loudness rose by so much from the valley before, to so much over the speech's mean."""
REFRACTORY_S, SETTLE_S = 0.28, 0.04
"""Accents are no closer than the first; the strength of one is taken so long after its start."""
PAUSE_S = 0.25
"""Silence that ends a phrase."""
SHORTEST_S, POSTURE_S, IDLE_S = 0.8, 2.4, 5.0
"""A posture is kept for so long at least, until an accent, and in silence."""
SPEAKING = 0.35
"""Loudness above which somebody speaks."""


@dataclasses.dataclass(frozen=True)
class Rhythm:
    """What is known of a sound up to some moment; times in seconds."""

    accents: Float[ndarray, "accents 2"]
    """Time and strength (0..1) of each stressed syllable."""
    first_accent: int
    """How many came before the first of them."""
    postures: Float[ndarray, " postures"]
    """When the speaker takes a new posture."""
    first_posture: int
    loudness: Float[ndarray, " frames"]
    """0..1 at each frame."""
    hum: Bool[ndarray, " frames"]
    """Whether nothing but mains hum sounds at each frame."""


class RhythmTracker:
    """Rhythm of one sound, from its samples in order.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._block = max(1, round(sample_rate * BLOCK_S))
        self._block_s = self._block / sample_rate
        self._hum = HumTracker(sample_rate)
        self._rest = np.zeros(0)
        self._before = 0.0
        self._count = 0
        self._peak, self._level = FLOOR_DB, 0.0
        self._valley, self._mean = 0.0, 0.5
        self._onset = self._accented = -math.inf
        self._pause_s = math.inf
        # Arrays that grow by eight bytes an entry: an hour of sound takes 3 MB.
        self._loudness, self._accents = array("d"), array("d")
        self._strengths, self._postures = array("d"), array("d", [0.0])

    def push(self, samples: Float[Tensor, "channels time"]) -> None:
        """The next samples."""
        mono = samples.mean(0)
        values = mono.detach().cpu().double().numpy()
        self._hum.push(values)
        new = np.concatenate([self._rest, values])
        whole = len(new) // self._block * self._block
        self._rest = new[whole:]
        # First difference: vowels and consonants count, hum and steps hardly do.
        bright = np.diff(new[:whole], prepend=self._before)
        if whole:
            self._before = float(new[whole - 1])
        power = np.square(bright).reshape(-1, self._block).mean(1)
        for level_db in 10 * np.log10(power + 1e-12):
            self._advance(float(level_db))

    def at(self, first_frame: int, frames: int, fps: float, memory_s: float = 4.0) -> Rhythm:
        """What frames from an absolute number on need to know; sound after the last one does not
        count, but for hum.
        """
        time = (first_frame + np.arange(frames)) / fps
        # The block that ended last before each frame; none before the start and beyond the end.
        block = np.floor(time / self._block_s + 1e-9).astype(int) - 1
        inside = (block >= 0) & (block < len(self._loudness))
        known = np.array(self._loudness[int(block[inside].min()) :]) if inside.any() else None
        loudness = np.zeros(frames)
        if known is not None:
            loudness[inside] = known[block[inside] - block[inside].min()]
        start = first_frame / fps - memory_s
        accent = bisect.bisect_left(self._accents, start)
        # The last postures before hold still, or are being left.
        posture = max(0, bisect.bisect_left(self._postures, start) - 3)
        times = np.array([self._accents[accent:], self._strengths[accent:]]).T.reshape(-1, 2)
        postures = np.array(self._postures[posture:])
        hum = self._hum.at(first_frame, frames, fps)
        return Rhythm(times, accent, postures, posture, loudness, hum)

    def _advance(self, level_db: float) -> None:
        """One block more."""
        self._count += 1
        now = self._count * self._block_s
        self._peak = max(level_db, self._peak - PEAK_FALL_DB, FLOOR_DB + RANGE_DB)
        loudness = min(1.0, max(0.0, (level_db - self._peak) / RANGE_DB + 1))
        self._level += FAST * (loudness - self._level)
        self._loudness.append(self._level)
        speaking = self._level > SPEAKING
        if speaking:
            self._mean += SLOW * (self._level - self._mean)
        self._find_accent(now)
        self._find_posture(now, speaking)

    def _find_accent(self, now: float) -> None:
        rise = self._level - self._valley
        if rise > 0:
            self._valley += VALLEY * rise
        else:
            self._valley = self._level
        loud = rise > RISE and self._level > self._mean + ABOVE_MEAN
        if self._onset == -math.inf and loud and now - self._accented > REFRACTORY_S:
            self._onset = now
        if self._onset > -math.inf and now - self._onset >= SETTLE_S:
            strength = (rise - RISE) / 0.4 + (self._level - self._mean) / 0.35
            self._accents.append(now)
            self._strengths.append(min(1.0, max(0.15, 0.6 * strength)))
            self._accented, self._onset = now, -math.inf

    def _find_posture(self, now: float, speaking: bool) -> None:
        begins = speaking and self._pause_s >= PAUSE_S
        self._pause_s = 0.0 if speaking else self._pause_s + self._block_s
        since = now - self._postures[-1]
        accented = self._accented == now and since > POSTURE_S
        if accented or (begins and since > SHORTEST_S) or since > IDLE_S:
            self._postures.append(now)


class BatchRhythm:
    """Rhythms of the sounds of a batch.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._trackers: list[RhythmTracker] = []

    def push(self, samples: Float[Tensor, "*batch channels time"]) -> None:
        """The next samples of each item."""
        *batch, channels, time = samples.shape
        items = samples.reshape(math.prod(batch), channels, time)
        if not self._trackers:
            self._trackers = [RhythmTracker(self._sample_rate) for _ in items]
        for tracker, item in zip(self._trackers, items, strict=True):
            tracker.push(item)

    def at(self, first_frame: int, frames: int, fps: float) -> tuple[Rhythm, ...]:
        """See `RhythmTracker.at`; one for each item. None before the first sample."""
        return tuple(tracker.at(first_frame, frames, fps) for tracker in self._trackers)
