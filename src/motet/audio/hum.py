"""Where a stream is nothing but mains hum or buzz, or begins with rumble, for frames of motion.

A hum is recognised after a frame of 40 ms, a buzz after 90 ms. Until then its onset sounds like
that of a word, and a method begins to open the mouth. But frames leave a method later than that,
when the hum is known.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from motet.audio.resampling import StreamResampler
from motet.audio.speech_level import BLOCK, SAMPLE_RATE, BlockMeter

AHEAD = 14
"""Blocks of 10 ms after a frame that decide about it: every face method waits for 0.16 s."""
RECENT = 3
"""Blocks of which one that hums is enough: a single one may be missed."""
QUIET, VOICE = 30, 6
"""Blocks without a voice before a hum counts: the mouth closes after a word as the method says. So
many voiced blocks in a row are a voice; the frames at the onset of a hum can be two or three."""

RUMBLES = AHEAD - 1
"""Blocks of the `AHEAD + 1` from a frame on that rumble, so that nothing but rumble sounds there.
It counts before the first voice alone: later a method rests in the noise between words."""
LONG, LONG_RUMBLES = 60, 55
"""The same of rumble that does not sound from the first sample on. Shorter stretches are chance:
in the noise of a quiet room they would shut a mouth that opens for its first word, for a frame."""

STEADY_DB, LOUD_DB = 4.5, -45.0
"""What sounds from the first sample on, louder than `LOUD_DB`, and never rises by more over its
mean so far is a room and no voice. Quieter rooms rest by the silence of each method."""
SILENT_DB = -90.0
"""A recording that begins under this level has not begun to sound: no mouth opens."""
BEGINNING = 12
"""Blocks of a first sound after silence before which nobody knows whether it is hum or buzz. Frames
are decided `AHEAD` blocks later, so a mouth still opens before its first word."""


class HumTracker:
    """Where a stream is nothing but hum or buzz, or rumble or steady noise before its first word.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler: StreamResampler | None = None
        if sample_rate != SAMPLE_RATE:
            self._resampler = StreamResampler(sample_rate, SAMPLE_RATE, 1)
        self._meter = BlockMeter()
        self._waiting: list[Float[ndarray, " time"]] = []
        self._since_voiced, self._voiced = QUIET, 0
        self._before_voice = QUIET, False
        """What `_since_voiced` and `_spoken` were when the last row of voiced blocks began."""
        self._rumbles = deque[bool](maxlen=LONG)
        self._spoken, self._from_start = False, True
        self._steady, self._blocks, self._mean_db = True, 0, 0.0
        self._sounding = 0
        """Blocks since the first that was not silent."""
        self._hums = bytearray()
        """One byte a block."""

    def push(self, samples: Float[ndarray, " time"]) -> None:
        """The next samples. They are measured when frames are asked for, many blocks at once: block
        by block takes six times as long.
        """
        if self._resampler is not None:
            row = torch.from_numpy(samples).unsqueeze(0)
            samples = self._resampler.push(row)[0].double().numpy()
        self._waiting.append(samples)
        if sum(map(len, self._waiting)) >= SAMPLE_RATE:
            self._measure()

    def _measure(self) -> None:
        if not self._waiting:
            return
        blocks = self._meter.push(np.concatenate(self._waiting))
        self._waiting.clear()
        for level, voiced, hum, rumble, buzz in zip(*(row.tolist() for row in blocks), strict=True):
            if buzz and 0 < self._voiced <= AHEAD:  # what began as a voice was the buzz
                since, self._spoken = self._before_voice
                self._since_voiced = since + self._voiced
            if not self._voiced:
                self._before_voice = self._since_voiced, self._spoken
            self._voiced = self._voiced + 1 if voiced and not hum else 0
            self._since_voiced = 0 if self._voiced >= VOICE else self._since_voiced + 1
            self._rumbles.append(rumble)
            self._spoken |= self._voiced >= VOICE
            # only before the first word: afterwards each method's own silence applies
            is_room = not self._spoken and (self._stays_steady(level) or self._is_rumble())
            # The first frame is decided by its first `AHEAD + 1` blocks.
            self._from_start &= is_room or self._blocks <= AHEAD
            self._sounding += bool(self._sounding) or level >= SILENT_DB
            is_hum = hum and self._since_voiced >= QUIET
            self._hums.append(is_room or is_hum or self._sounding <= BEGINNING)

    def _is_rumble(self) -> bool:
        """Whether the last blocks rumble: few where the sound began with rumble, else more."""
        recent = sum(islice(reversed(self._rumbles), AHEAD + 1))
        return recent >= RUMBLES and (self._from_start or sum(self._rumbles) >= LONG_RUMBLES)

    def _stays_steady(self, level_db: float) -> bool:
        """Whether the sound has been loud and steady from its first block to this one."""
        mean = self._mean_db if self._blocks else level_db
        self._steady &= LOUD_DB < level_db < mean + STEADY_DB
        self._blocks += 1
        # running mean of the levels
        self._mean_db = mean + (level_db - mean) / self._blocks
        return self._steady

    def at(self, first_frame: int, frames: int, fps: float) -> Bool[ndarray, " frames"]:
        """Whether nothing but hum or rumble sounds at frames from an absolute number on."""
        self._measure()
        blocks_per_s = SAMPLE_RATE / BLOCK
        time = (first_frame + np.arange(frames)) / fps
        # 1e-6: a frame that ends on a block's edge must not fall before it by rounding
        last = np.floor(time * blocks_per_s + 1e-6).astype(int) + AHEAD
        first = max(0, int(last.min(initial=0)) - RECENT)
        hums = np.frombuffer(bytes(self._hums[first:]), np.uint8)
        known = np.zeros(int(last.max(initial=0)) + 1 - first, bool)
        known[: len(hums)] = hums[: len(known)]
        if len(hums) and len(known) > len(hums):  # the sound ends as it was
            known[len(hums) :] = hums[-1]
        # (frames,): any of the last RECENT blocks
        return np.any([known[np.maximum(last - first - k, 0)] for k in range(RECENT)], axis=0)
