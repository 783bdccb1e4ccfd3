"""Fractional delay line with a moving tap (numba)."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float

from motet.kernel import kernel

HALF_TAPS = 4
PHASES = 512
"""Fractional delays between two samples that have a filter of their own."""


@functools.cache
def _table() -> Float[np.ndarray, "phases taps"]:
    """Windowed-sinc interpolation filter of each fractional delay."""
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    # distance of each tap from the wanted point, samples
    offset = np.arange(2 * HALF_TAPS)[None] - (HALF_TAPS - 1) - phase
    taps = np.sinc(offset) * np.cos(np.pi * offset / (2 * HALF_TAPS + 1)) ** 2
    # Unit gain at zero frequency, whatever the phase.
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


def read_delayed(
    samples: np.ndarray,
    start: int,
    delay: Float[np.ndarray, " edges"],
    gain: Float[np.ndarray, " edges"],
    hop: int,
) -> Float[np.ndarray, " time"]:
    """The delayed sound: (edges - 1) * hop samples from index `start`.

    Reads up to `HALF_TAPS` samples after the delayed point, which must lie inside `samples`.

    Args:
        delay: samples, at every `hop`-th sample; linear between.
        gain: factor at the same samples.
    """
    output = np.empty((len(delay) - 1) * hop, np.float32)
    _read(samples, start, delay.astype(np.float64), gain.astype(np.float64), hop, _table(), output)
    return output


@kernel
def _read(samples, start, delay, gain, hop, table, output):
    phases = table.shape[0] - 1
    for edge in range(delay.shape[0] - 1):
        first_position = start + edge * hop - delay[edge]
        # Doppler: the reading point moves faster while the delay shrinks.
        step = 1.0 - (delay[edge + 1] - delay[edge]) / hop
        first_gain = np.float32(gain[edge])
        gain_step = np.float32((gain[edge + 1] - gain[edge]) / hop)
        for k in range(hop):
            position = first_position + k * step
            whole = np.int64(position)
            row = np.int64((position - whole) * phases + 0.5)
            # unsigned: numba leaves out the check for negative indices
            first_tap = np.uint64(whole - HALF_TAPS + 1)
            total = np.float32(0)
            for tap in range(2 * HALF_TAPS):
                total += table[row, tap] * samples[first_tap + np.uint64(tap)]
            output[edge * hop + k] = total * (first_gain + np.float32(k) * gain_step)
