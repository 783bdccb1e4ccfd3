"""A delay line whose tap moves (numba)."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float
from numba import njit

HALF_TAPS = 4
PHASES = 512
"""Positions between two samples that are told apart."""


@functools.cache
def _table() -> Float[np.ndarray, "phases taps"]:
    """Windowed sinc by position between two samples."""
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    offset = np.arange(2 * HALF_TAPS)[None] - (HALF_TAPS - 1) - phase
    taps = np.sinc(offset) * np.cos(np.pi * offset / (2 * HALF_TAPS + 1)) ** 2
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


def read_delayed(
    samples: np.ndarray,
    start: int,
    delay: Float[np.ndarray, "edges"],
    gain: Float[np.ndarray, "edges"],
    hop: int,
) -> Float[np.ndarray, "time"]:
    """The sound read behind itself: (edges - 1) * hop samples from number `start`, with delay
    (samples) and gain linear between edges.

    Reads up to `HALF_TAPS` samples after the point it asks for; what lies outside `samples` must
    not be asked for.
    """
    out = np.empty((len(delay) - 1) * hop, np.float32)
    _read(samples, start, delay.astype(np.float64), gain.astype(np.float64), hop, _table(), out)
    return out


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _read(samples, start, delay, gain, hop, table, out):
    phases = table.shape[0] - 1
    for edge in range(delay.shape[0] - 1):
        place, step = start + edge * hop - delay[edge], 1.0 - (delay[edge + 1] - delay[edge]) / hop
        loud, louder = np.float32(gain[edge]), np.float32((gain[edge + 1] - gain[edge]) / hop)
        for k in range(hop):
            here = place + k * step
            whole = np.int64(here)
            row = np.int64((here - whole) * phases + 0.5)
            first = np.uint64(whole - HALF_TAPS + 1)
            total = np.float32(0)
            for tap in range(2 * HALF_TAPS):
                total += table[row, tap] * samples[first + np.uint64(tap)]
            out[edge * hop + k] = total * (loud + np.float32(k) * louder)
