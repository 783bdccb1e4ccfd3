"""Level normalisation of speech as a stream: a high-pass filter, then a gain that brings quiet
and loud speech to an ordinary level.

    samples -> high-pass -> level and voicing of every 10 ms -> gain -> samples

The gain follows the 80th percentile of the levels of the last second of voiced speech. That of a
sample depends on complete blocks of 10 ms before it alone: nothing is delayed, and every chunking
of the sound gives the same samples. Speech of ordinary level passes as it is.

Only voiced blocks count, so silence and noise are not raised to the level of speech. Mains hum is
periodic, but repeats itself more slowly than any voice; it is attenuated. So is a buzz of twice
the mains' frequency, which is steadier than any voice. It takes a frame to recognise a hum, 0.11 s
for a buzz, and until then their beginning sounds like that of a word. A stream that may look ahead
holds the samples back for so long and attenuates the beginning as well; nothing else changes.

Source of the idea of a level of active speech: ITU-T P.56. The gate there is relative to a whole
recording, here it is the periodicity of a voice, which a stream can measure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from motet.audio.buzz import HISTORY_S, is_buzz

SAMPLE_RATE = 16_000
BLOCK, FRAME = 160, 640
"""Samples between two estimates, and samples that each is made from: two periods of 50 Hz, three of
a low voice."""
HISTORY = round(HISTORY_S * SAMPLE_RATE)
"""Samples before a block that decide whether it is buzz; a frame is the end of them."""
HIGH_PASS_HZ, HIGH_PASS_ORDER = 100.0, 4
"""Phones are told apart above it; mains hum, steps and wind lie below."""
LEVELS_DB = (-23.0, -9.0)
"""Levels of voiced speech that the shipped encoder was trained on most and takes as they are,
decibels under full scale (root mean square, percentile below). Quieter and louder speech is brought
to the nearer one."""
LARGEST_GAIN_DB, GAIN_PER_BLOCK_DB = 60.0, 8.0
"""The first voiced blocks of a word are quieter than it is: the gain rises with their number."""
MEMORY, PERCENTILE = 100, 80
"""Voiced blocks whose levels are remembered, and where among them the level of the speech lies: not
at the loudest vowel, or the gain would move with every stress, and above the unstressed ones."""
RANGE_DB, PATIENCE = 12.0, 40
"""Voiced blocks so far under the level belong to somebody in the background. After so many of them
without a louder one they are the speech."""
RECENT, ONSET_DB = 10, 7.0
"""A first level needs voiced blocks whose levels differ by so much within the last tenth of a
second: held tones of music are voiced, but steady."""
FLOOR_DB = -80.0
"""Under it there is little but the rounding of 16-bit samples."""
PERIODS_S, HIGHEST_HZ = (1 / 400, 1 / 75), 3000
"""Periods of voices, and the part of the spectrum in which they are looked for."""
VOICED = 0.32
"""Periodicity from which a frame is voiced: 99 % of the frames of noise of any colour lie under
0.24, 70 % of the louder frames of speech above 0.36."""
MAINS_HZ, MAINS = (50.0, 60.0), 0.95
"""Frequencies of mains hum, and how much a frame of it resembles the period before."""
RUMBLE = 0.9
"""Correlation of neighbouring samples from which a frame without a voice is rumble. Brown noise
has 0.94 and more, whispered vowels and fricatives less."""
LOUDEST_DB, NO_SPEECH_DB, HOLD = -12.0, -22.0, 60
"""No frame is raised above the first level; without a voiced block among so many, no frame may be
louder than the second."""
MAINS_GAIN_DB = -40.0
ONSET_BLOCKS = 13
"""Blocks of a buzz that pass before it is known: its row of nine, two in which the filter settles,
one for a beginning within a block, one for the gain. A hum is known after six."""
PIECE = 200 * BLOCK
"""Samples that are measured at a time: their spectra take 10 MB."""
_FFT = 1024


@dataclasses.dataclass(frozen=True)
class LevelState:
    """The streams of a batch; one for all while they receive the same samples."""

    batch: int
    streams: tuple[Channel, ...]

    @classmethod
    def begin(cls, batch: int, *, looks_ahead: bool = False) -> LevelState:
        """Before the first sample.

        Args:
            looks_ahead: hold `ONSET_BLOCKS` back, for hum; `rest` gives them at the end.
        """
        return cls(batch, (Channel.begin(ONSET_BLOCKS if looks_ahead else 0),))

    def rest(self) -> Float[Tensor, "batch time"]:
        """The samples held back, at the end of the sound."""
        rows = [
            _at_gain(state.waiting, len(state.samples), state.gains_db)[state.missing :]
            for state in self.streams
        ]
        return torch.from_numpy(np.stack(rows)).float().expand(self.batch, -1)


def normalise(
    samples: Float[Tensor, "batch time"], state: LevelState
) -> tuple[Float[Tensor, "batch time"], LevelState]:
    """The next samples at an ordinary level, and the new state. As many as given come back, unless
    the state looks ahead.
    """
    if not samples.shape[1]:
        return samples, state
    streams = state.streams
    # The items differ for the first time: each gets a copy of the common stream's state.
    if len(streams) < state.batch and not bool((samples == samples[:1]).all()):
        streams = streams * state.batch
    rows = samples[: len(streams)].double().cpu().numpy()
    # Samples that are not finite pass; the audio encoder refuses them.
    with np.errstate(invalid="ignore", over="ignore"):
        pairs = [_normalised(*pair) for pair in zip(rows, streams, strict=True)]
    result = torch.from_numpy(np.stack([row for row, _ in pairs])).to(samples)
    return result.expand(len(samples), -1), LevelState(state.batch, tuple(s for _, s in pairs))


def normalise_recording(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """A whole recording as a stream would have it, for training on it."""
    return normalise(samples, LevelState.begin(len(samples)))[0]


class Blocks(NamedTuple):
    """What is measured of each block, from the frame that ends with it."""

    level_db: Float[ndarray, " blocks"]
    voiced: Bool[ndarray, " blocks"]
    hum: Bool[ndarray, " blocks"]
    """Hum or buzz of the mains."""
    rumble: Bool[ndarray, " blocks"]
    """Sound without a voice whose energy lies in the bass: wind, traffic, brown noise."""
    buzz: Bool[ndarray, " blocks"]
    """The last 90 ms were buzz, so that what began as a voice was none."""


@dataclasses.dataclass(frozen=True)
class Gain:
    """The level estimate after some block; a value, never changed in place."""

    levels_db: tuple[float, ...] = ()
    """Levels of the last voiced blocks."""
    was_voiced: bool = False
    background: int = 0
    """Voiced blocks in a row that were too quiet to count."""
    since_voiced: int = HOLD
    recent_db: tuple[float, ...] = ()
    """Levels of the last blocks."""
    blocks: int = 0
    """Blocks so far, counted up to a frame."""

    @property
    def level_db(self) -> float | None:
        """Level of the speech so far; None before the first."""
        if not self.levels_db:
            return None
        # index of the percentile, counted from the loudest; in whole numbers
        return sorted(self.levels_db)[-1 - len(self.levels_db) * (100 - PERCENTILE) // 100]

    def after(self, level_db: float, voiced: bool) -> Gain:
        """The state with one more block."""
        if self.blocks < FRAME // BLOCK:  # the frame began before the sound
            return dataclasses.replace(self, blocks=self.blocks + 1)
        recent = (*self.recent_db, level_db)[-RECENT:]
        # A single voiced block is chance.
        if not (voiced and self.was_voiced):
            since = self.since_voiced + 1
            return dataclasses.replace(
                self, was_voiced=voiced, since_voiced=since, recent_db=recent
            )
        level, levels = self.level_db, self.levels_db
        is_quiet = level is not None and level_db < level - RANGE_DB
        background = self.background + 1 if is_quiet else 0
        if level is None or background >= PATIENCE:
            if max(recent) - min(recent) > ONSET_DB:
                levels, background = (level_db,), 0
        elif not is_quiet:
            levels = (*levels, level_db)[-MEMORY:]
        return Gain(levels, True, background, 0, recent, self.blocks)

    @property
    def value_db(self) -> float:
        """Gain for what follows; 0 before any speech, less for what would be too loud."""
        # The gain to the nearer of the two ordinary levels; none within them.
        level, low, high = self.level_db, *LEVELS_DB
        gain = 0.0 if level is None else min(max(level, low), high) - level
        gain = min(gain, LARGEST_GAIN_DB, GAIN_PER_BLOCK_DB * len(self.levels_db))
        loudest = max(self.recent_db[-FRAME // BLOCK :], default=-math.inf)
        if self.since_voiced >= HOLD:
            return min(gain, NO_SPEECH_DB - loudest)
        return min(gain, max(0.0, LOUDEST_DB - loudest))


@dataclasses.dataclass(frozen=True)
class Channel:
    """One stream; a value, never changed in place."""

    filter: Float[ndarray, "sections 2"]
    samples: Float[ndarray, " time"]
    """Filtered samples: the history of the incomplete block, and what there is of that block."""
    gain: Gain = dataclasses.field(default_factory=lambda: Gain())
    gains_db: tuple[float, ...] = (0.0, 0.0)
    """After the last two complete blocks, and those before that wait."""
    since_voiced: tuple[int, ...] = (HOLD, HOLD)
    """Of the same blocks."""
    waiting: Float[ndarray, " time"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    """Filtered samples held back."""
    missing: int = 0
    """Samples of them that lie before the sound."""

    @classmethod
    def begin(cls, ahead: int) -> Channel:
        """Before the first sample, with so many blocks held back."""
        blocks, held = 2 + ahead, ahead * BLOCK
        return cls(
            np.zeros((len(_high_pass()), 2)),
            np.zeros(HISTORY),
            gains_db=(0.0,) * blocks,
            since_voiced=(HOLD,) * blocks,
            waiting=np.zeros(held),
            missing=held,
        )


def _normalised(
    samples: Float[ndarray, " time"], state: Channel
) -> tuple[Float[ndarray, " time"], Channel]:
    """The same for one channel, piece by piece: a long recording needs no memory for its frames."""
    pieces = []
    for start in range(0, len(samples), PIECE):
        piece, state = _step(samples[start : start + PIECE], state)
        pieces.append(piece)
    return np.concatenate(pieces), state


def _step(
    samples: Float[ndarray, " time"], state: Channel
) -> tuple[Float[ndarray, " time"], Channel]:
    from scipy.signal import sosfilt

    filtered, memory = sosfilt(_high_pass(), samples, zi=state.filter)
    known = np.concatenate([state.samples, filtered])
    blocks = _measure(known)
    gain, gains, since = state.gain, list(state.gains_db), list(state.since_voiced)
    gain_count = len(gains)
    for level, voiced, mains, *_ in zip(*(row.tolist() for row in blocks), strict=True):
        gain = gain.after(level, voiced and not mains)
        gains.append(MAINS_GAIN_DB if mains else gain.value_db)
        since.append(gain.since_voiced)
        if mains and gain_count > 2 and since[-gain_count] >= HOLD:
            # A hum out of silence: its beginning still waits.
            gains[1 - gain_count :] = [MAINS_GAIN_DB] * (gain_count - 1)
    pending = np.concatenate([state.waiting, filtered])
    result = _at_gain(pending[: len(filtered)], len(state.samples), gains)
    return result[state.missing :], Channel(
        memory,
        known[len(blocks.level_db) * BLOCK :],
        gain,
        tuple(gains[-gain_count:]),
        tuple(since[-gain_count:]),
        pending[len(filtered) :],
        max(0, state.missing - len(filtered)),
    )


def _at_gain(
    samples: Float[ndarray, " time"], known: int, gains_db: Sequence[float]
) -> Float[ndarray, " time"]:
    """Samples with the gains of their blocks. Within a block the gain goes from what it was two
    blocks ago to what it was one block ago.

    Args:
        known: number of the samples from the history of the incomplete block on.
        gains_db: the first is that of two blocks before the first sample.
    """
    position = known - HISTORY + np.arange(len(samples))
    # BLOCK index and position within it, of every sample
    block, within = position // BLOCK, position % BLOCK
    track = np.array(gains_db)
    # linear in decibels within a block, so that the gain never jumps
    track = track[block] + (track[block + 1] - track[block]) * (within / BLOCK)
    # decibels of amplitude
    return samples * 10.0 ** (track / 20)


def measure_blocks(pieces: Iterable[Float[ndarray, " time"]]) -> Blocks:
    """Level, voicing and hum of a recording of one channel, in pieces of any length."""
    meter = BlockMeter()
    measured = [_measure(np.zeros(HISTORY)), *(meter.push(piece) for piece in pieces)]
    return Blocks(*(np.concatenate(rows) for rows in zip(*measured, strict=True)))


class BlockMeter:
    """Level, voicing and hum of a stream of one channel at 16 kHz."""

    def __init__(self) -> None:
        self._filter, self._known = np.zeros((len(_high_pass()), 2)), np.zeros(HISTORY)

    def push(self, samples: Float[ndarray, " time"]) -> Blocks:
        """The blocks that these samples complete."""
        parts = [
            self._push(samples[start : start + PIECE])
            for start in range(0, max(1, len(samples)), PIECE)
        ]
        return Blocks(*(np.concatenate(rows) for rows in zip(*parts, strict=True)))

    def _push(self, samples: Float[ndarray, " time"]) -> Blocks:
        from scipy.signal import sosfilt

        if len(samples):  # a resampler holds back the first samples of a short sound
            filtered, self._filter = sosfilt(_high_pass(), samples, zi=self._filter)
            self._known = np.concatenate([self._known, filtered])
        blocks = _measure(self._known)
        self._known = self._known[len(blocks.level_db) * BLOCK :]
        return blocks


def _measure(known: Float[ndarray, " time"]) -> Blocks:
    """Level, voicing and hum of the complete blocks after the first history of these samples."""
    count = (len(known) - HISTORY) // BLOCK
    if count < 1:
        return Blocks(np.zeros(0), *(np.zeros(0, bool) for _ in range(4)))
    # (blocks, HISTORY): a view, each row ends with its block; the first history is the past
    histories = np.lib.stride_tricks.sliding_window_view(known, HISTORY)[BLOCK::BLOCK][:count]
    rows = histories[:, HISTORY - FRAME :]
    level = 10 * np.log10(np.square(rows).mean(1) + 1e-12)
    audible = level > FLOOR_DB
    voiced = audible & (_periodicity(rows) > VOICED)
    mains = [_is_mains(rows, hz) for hz in MAINS_HZ]
    buzz = audible & is_buzz(histories, SAMPLE_RATE)
    hum = audible & np.logical_or(*mains) | buzz
    bass = _similar_neighbours(rows) > RUMBLE
    return Blocks(level, voiced, hum, audible & ~voiced & bass, buzz)


def _periodicity(rows: Float[ndarray, "rows time"]) -> Float[ndarray, " rows"]:
    """Largest peak of the autocorrelation within the periods of a voice.

    Of the magnitudes of the spectrum, not of its squares: coloured noise, whose energy lies in few
    bins, then has no more of a period than white noise.
    """
    window = np.hanning(FRAME)
    spectra = np.abs(np.fft.rfft(np.stack([*(rows * window), window]), _FFT))
    # Only the part below HIGHEST_HZ: fricatives would drown the period.
    spectra[:, _FFT * HIGHEST_HZ // SAMPLE_RATE :] = 0.0
    spectra[-1] = np.square(np.abs(np.fft.rfft(window, _FFT)))
    similarity = np.fft.irfft(spectra)
    similarity /= np.maximum(similarity[:, :1], 1e-20)
    similarity[:-1] /= similarity[-1]  # what the window alone takes off
    # lags of 40 to 213 samples
    low, high = (round(period * SAMPLE_RATE) for period in PERIODS_S)
    inner = similarity[:-1, low:high]
    is_peak = (inner > similarity[:-1, low - 1 : high - 1]) & (
        inner >= similarity[:-1, low + 1 : high + 1]
    )
    return np.where(is_peak, inner, 0.0).max(1)


def _is_mains(rows: Float[ndarray, "rows time"], hz: float) -> Bool[ndarray, " rows"]:
    """Whether a frame repeats itself with the period of the mains and with no part of it, as a
    voice of a multiple of its frequency would.
    """
    # parts of the period, 1/2 to 1/6: a voice of 100 Hz also repeats after 20 ms
    whole = _similar(rows, SAMPLE_RATE / hz)
    parts = np.max([_similar(rows, SAMPLE_RATE / hz / n) for n in range(2, 7)], axis=0)
    return (whole > MAINS) & (parts < 0.9 * whole)


def _similar_neighbours(rows: Float[ndarray, "rows time"]) -> Float[ndarray, " rows"]:
    """Correlation of each sample with the next: near 1 for bass, near 0 for white noise."""
    return (rows[:, 1:] * rows[:, :-1]).sum(1) / np.maximum(np.square(rows).sum(1), 1e-20)


def _similar(rows: Float[ndarray, "rows time"], period: float) -> Float[ndarray, " rows"]:
    """Similarity of the last half of a frame with what came a period (in samples) earlier."""
    half, whole = FRAME // 2, int(period)
    late, start = rows[:, half:], half - whole
    early = rows[:, start : start + half]
    # between two samples: 60 Hz is no whole number of them
    if period > whole:
        share = period - whole
        early = (1 - share) * early + share * rows[:, start - 1 : start - 1 + half]
    energy = np.square(late).sum(1) * np.square(early).sum(1)
    return (late * early).sum(1) / np.maximum(np.sqrt(energy), 1e-20)


@cache
def _high_pass() -> Float[ndarray, "sections 6"]:
    from scipy.signal import butter

    return butter(HIGH_PASS_ORDER, HIGH_PASS_HZ, "highpass", fs=SAMPLE_RATE, output="sos")
