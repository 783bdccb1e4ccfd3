"""Buzz of the mains: a steady tone of twice their frequency, as transformers and lamps give.

A buzz is periodic at 100 or 120 Hz, so for 40 ms it is a low voice. Three things set it apart
from one. It keeps its waveform over five or six periods, where the periods of a voice differ by
about one per cent. Its pitch is that of the mains to a fraction of a per cent. And its harmonics
only fall with frequency, while those of a vowel rise again at each formant.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

BUZZ_HZ = (100.0, 120.0)
LAG_S, FRAME_S = 0.05, 0.04
"""Five periods of 100 Hz and six of 120 Hz, and how much is compared with the sound a lag earlier.
The fourth harmonic of a voice half a per cent beside the mains has shifted by 36 degrees."""
HISTORY_S = LAG_S + FRAME_S
SAME = 0.97
"""Correlation over the lag from which a sound keeps its waveform."""
RISE_DB, RANGE_DB, HIGHEST_HZ = 3.0, 40.0, 3000.0
"""A harmonic that is stronger than a lower one by so much belongs to a formant. Harmonics so far
under the strongest, or above the formants that tell vowels apart, do not count."""


def is_buzz(rows: Float[ndarray, "rows time"], sample_rate: int) -> Bool[ndarray, " rows"]:
    """Whether each row, `HISTORY_S` long and without the bass below 100 Hz, is buzz throughout."""
    buzz = _keeps_waveform(rows, round(LAG_S * sample_rate))
    for index in np.flatnonzero(buzz):  # few in speech: the spectra of these rows alone
        buzz[index] = any(_only_falls(rows[index], hz, sample_rate) for hz in BUZZ_HZ)
    return buzz


def _keeps_waveform(rows: Float[ndarray, "rows time"], lag: int) -> Bool[ndarray, " rows"]:
    """Whether the end of each row repeats the sound a lag earlier, as loud as it was."""
    late, early = rows[:, lag:], rows[:, : rows.shape[1] - lag]
    product = np.einsum("rt,rt->r", late, early)
    # (rows,) of the louder one: a beginning or an end is no buzz
    energy = np.maximum(np.square(late).sum(1), np.square(early).sum(1))
    return product > SAME * np.maximum(energy, 1e-20)


def _only_falls(row: Float[ndarray, " time"], hz: float, sample_rate: int) -> bool:
    """Whether a row is the tone of a pitch whose harmonics fall with their number."""
    cosines, sines = _harmonics(hz, len(row), sample_rate)
    power = np.square(cosines @ row) + np.square(sines @ row)  # (harmonics,)
    if power.sum() < SAME * 2 * np.square(row).mean():
        return False  # another pitch: its harmonics lie between these
    level = 10 * np.log10(power / power.max() + 10 ** (-RANGE_DB / 10))
    return bool((level - np.minimum.accumulate(level)).max() < RISE_DB)


@cache
def _harmonics(
    hz: float, samples: int, sample_rate: int
) -> tuple[Float[ndarray, "harmonics time"], Float[ndarray, "harmonics time"]]:
    """Least squares from a row to the cosines and to the sines of a pitch."""
    numbers = np.arange(1, int(HIGHEST_HZ // hz) + 1)
    phase = 2 * np.pi * hz * np.outer(numbers, np.arange(samples) / sample_rate)
    cosines, sines = np.split(np.linalg.pinv(np.concatenate([np.cos(phase), np.sin(phase)]).T), 2)
    return cosines, sines
