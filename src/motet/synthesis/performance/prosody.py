"""What the voice does besides its phones: loudness, pitch, phrases, accents."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from motet.phonetics.phones import PHONES, SILENCE, PhoneSpan

RATE_HZ = 16_000
_FLOOR_DB = -55.0
"""Sound below this (full scale) is no speech."""


@dataclasses.dataclass(frozen=True)
class Phrase:
    """Speech between two pauses."""

    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Accent:
    """A syllable that stands out."""

    time: float
    strength: float
    """0..1: how far it stands out, in loudness and pitch."""


@dataclasses.dataclass(frozen=True)
class Prosody:
    """The voice at the motion's frame rate."""

    level_db: Float[ndarray, " frames"]
    """RMS over 40 ms, dB of full scale."""
    loudness: Float[ndarray, " frames"]
    """0 in silence, about 1 at the speaker's usual speaking level, up to 1.6."""
    pitch: Float[ndarray, " frames"]
    """Semitones from the speaker's median, smoothed; 0 where unvoiced."""
    speaking: Bool[ndarray, " frames"]
    """True inside phones."""
    phrases: tuple[Phrase, ...]
    accents: tuple[Accent, ...]
    rate: Float[ndarray, " frames"]
    """Phones a second, local; 0 in pauses."""


def analyse(
    sound: Float[ndarray, " time"], phones: Sequence[PhoneSpan], frames: int, fps: float
) -> Prosody:
    """Prosody of a sound at 16 kHz with timed phones."""
    level = _level(sound, frames, fps)
    speaking = _covered(phones, frames, fps)
    # the speaker's usual level: the 70th percentile within speech
    usual = np.quantile(level[speaking], 0.7) if speaking.any() else 0.0
    span = max(usual - _FLOOR_DB, 6.0)
    loudness = np.clip(1.0 + (level - usual) / min(span, 30.0), 0.0, 1.6) * (level > _FLOOR_DB)
    pitch = _pitch(sound, frames, fps, speaking)
    phrases = _phrases(phones)
    return Prosody(
        level,
        loudness,
        pitch,
        speaking,
        phrases,
        _accents(phones, loudness, pitch, fps),
        _rate(phones, frames, fps),
    )


def _level(sound: ndarray, frames: int, fps: float) -> ndarray:
    hop = RATE_HZ / fps
    # running sum of squares: the power of any stretch is a difference
    total = np.concatenate([[0.0], np.cumsum(np.square(sound.astype(np.float64)))])
    centre = np.arange(frames) * hop
    # 320 samples of 16 kHz: 20 ms on each side
    low = np.clip(centre - 320, 0, len(sound)).astype(int)
    high = np.clip(centre + 320, 0, len(sound)).astype(int)
    return 10 * np.log10((total[high] - total[low]) / np.maximum(high - low, 1) + 1e-10)


def _covered(phones: Sequence[PhoneSpan], frames: int, fps: float) -> ndarray:
    inside = np.zeros(frames, bool)
    for phone in phones:
        if phone.symbol != SILENCE:
            inside[
                max(0, int(np.ceil(phone.start * fps))) : max(0, int(np.ceil(phone.end * fps)))
            ] = True
    return inside


def _pitch(sound: ndarray, frames: int, fps: float, speaking: ndarray) -> ndarray:
    """Autocorrelation pitch, 60 to 400 Hz, in semitones from the median, bridged and smoothed."""
    # 64 ms windows; lags of 40 to 266 samples are 400 to 60 Hz
    size, low, high = 1024, RATE_HZ // 400, RATE_HZ // 60
    centre = (np.arange(frames) * RATE_HZ / fps).astype(int)
    padded = np.pad(sound.astype(np.float64), size)
    window = np.hanning(size)
    semitones = np.full(frames, np.nan)
    # in parts: memory does not grow with the recording
    for first in range(0, frames, 2000):
        rows = centre[first : first + 2000]
        pieces = padded[(rows + size // 2)[:, None] + np.arange(size)] * window
        spectrum = np.abs(np.fft.rfft(pieces, 2 * size)) ** 2
        # divided by the window's own autocorrelation, which falls with the lag (Boersma 1993)
        correlation = np.fft.irfft(spectrum)[:, : high + 1] / np.maximum(
            np.fft.irfft(np.abs(np.fft.rfft(window, 2 * size)) ** 2)[: high + 1], 1e-9
        )
        lag = correlation[:, low:].argmax(axis=1) + low
        clarity = correlation[np.arange(len(rows)), lag] / np.maximum(correlation[:, 0], 1e-9)
        voiced = (clarity > 0.5) & speaking[first : first + 2000]
        # semitones over 1 Hz; the median is taken off below
        semitones[first : first + 2000][voiced] = 12 * np.log2(RATE_HZ / lag[voiced])
    known = np.flatnonzero(np.isfinite(semitones))
    if len(known) < 5:
        return np.zeros(frames)
    # Beyond nine semitones it is an octave error of the estimate.
    course = np.clip(semitones - np.median(semitones[known]), -9, 9)
    bridged = np.interp(np.arange(frames), known, course[known])
    return gaussian_filter1d(bridged, 1.5 * fps / 25) * gaussian_filter1d(
        speaking.astype(float), 2.0
    )


def _phrases(phones: Sequence[PhoneSpan], shortest_pause_s: float = 0.15) -> tuple[Phrase, ...]:
    phrases: list[Phrase] = []
    for phone in phones:
        if phone.symbol == SILENCE:
            continue
        if phrases and phone.start - phrases[-1].end < shortest_pause_s:
            phrases[-1] = Phrase(phrases[-1].start, phone.end)
        else:
            phrases.append(Phrase(phone.start, phone.end))
    return tuple(phrases)


def _accents(
    phones: Sequence[PhoneSpan], loudness: ndarray, pitch: ndarray, fps: float
) -> tuple[Accent, ...]:
    """Vowels that stand out against the second around them; at most one each 0.35 s."""
    vowels = [p for p in phones if PHONES[p.symbol].is_vowel]
    if not vowels:
        return ()
    frame = np.clip([round((p.start + p.end) / 2 * fps) for p in vowels], 0, len(loudness) - 1)
    # a vowel longer than 0.25 s is lengthened, not stressed
    length = np.array([min(p.end - p.start, 0.25) for p in vowels])
    # loudness (about 1), semitones and seconds on one scale
    weight = 1.0 * loudness[frame] + 0.12 * pitch[frame] + 2.0 * length
    course = np.full(len(loudness), -np.inf)
    course[frame] = weight
    peak = maximum_filter1d(course, size=max(3, int(0.35 * fps) | 1))
    spread = max(float(np.std(weight)), 1e-3)
    strength = np.clip((weight - np.median(weight)) / (2.5 * spread), 0.0, 1.0)
    return tuple(
        Accent(float(f / fps), float(s))
        for f, s, w in zip(frame, strength, weight, strict=True)
        if s > 0.15 and w >= peak[f]
    )


def _rate(phones: Sequence[PhoneSpan], frames: int, fps: float) -> ndarray:
    starts = np.zeros(frames)
    for phone in phones:
        if phone.symbol != SILENCE:
            # one phone in one frame, as a rate per second
            starts[min(max(int(phone.start * fps), 0), frames - 1)] += fps
    return gaussian_filter1d(starts, 0.4 * fps)
