"""Where a stream is nothing but mains hum, for frames of motion.

A hum is recognised after a frame of 40 ms. Until then its onset sounds like that of a word, and a
method begins to open the mouth. But frames leave a method later than that, when the hum is known.
"""

from __future__ import annotations

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


class HumTracker:
    """Where a stream is nothing but hum.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler: StreamResampler | None = None
        if sample_rate != SAMPLE_RATE:
            self._resampler = StreamResampler(sample_rate, SAMPLE_RATE, 1)
        self._meter = BlockMeter()
        self._since_voiced, self._voiced = QUIET, 0
        self._hums = bytearray()
        """One byte a block."""

    def push(self, samples: Float[ndarray, " time"]) -> None:
        """The next samples."""
        if self._resampler is not None:
            row = torch.from_numpy(samples).unsqueeze(0)
            samples = self._resampler.push(row)[0].double().numpy()
        blocks = self._meter.push(samples)
        for voiced, hum in zip(blocks.voiced.tolist(), blocks.hum.tolist(), strict=True):
            self._voiced = self._voiced + 1 if voiced and not hum else 0
            self._since_voiced = 0 if self._voiced >= VOICE else self._since_voiced + 1
            self._hums.append(hum and self._since_voiced >= QUIET)

    def at(self, first_frame: int, frames: int, fps: float) -> Bool[ndarray, " frames"]:
        """Whether nothing but hum sounds at frames from an absolute number on."""
        blocks_per_s = SAMPLE_RATE / BLOCK
        time = (first_frame + np.arange(frames)) / fps
        last = np.floor(time * blocks_per_s + 1e-6).astype(int) + AHEAD
        first = max(0, int(last.min(initial=0)) - RECENT)
        hums = np.frombuffer(bytes(self._hums[first:]), np.uint8)
        known = np.zeros(int(last.max(initial=0)) + 1 - first, bool)
        known[: len(hums)] = hums[: len(known)]
        if len(hums) and len(known) > len(hums):  # the sound ends as it was
            known[len(hums) :] = hums[-1]
        return np.any([known[np.maximum(last - first - k, 0)] for k in range(RECENT)], axis=0)
