"""Building blocks of generated sounds: envelopes, filtered noise, partials, voices; all float64."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.signal import butter, lfilter, sosfilt

RATE = 30_720
Samples = Float[np.ndarray, "time"]
VOWELS = {
    "a": ((730, 90), (1090, 110), (2440, 160)), "e": ((530, 70), (1840, 110), (2480, 160)),
    "i": ((300, 60), (2290, 110), (3010, 170)),
    "o": ((520, 80), (880, 100), (2410, 160)), "u": ((330, 60), (870, 90), (2240, 160)),
    "ah": ((640, 90), (1190, 110), (2390, 160)),
}  # fmt: skip
"""Frequency and width of the first three resonances, Hz."""


def clock(seconds: float) -> Samples:
    """Time of every sample."""
    return np.arange(round(seconds * RATE)) / RATE


def decay(time: Samples, attack_s: float, fall_s: float) -> Samples:
    """A rise, then an exponential fall to 1/e in `fall_s`."""
    return np.clip(time / max(attack_s, 1e-4), 0, 1) * np.exp(
        -np.clip(time - attack_s, 0, None) / fall_s
    )


def noise(random: np.random.Generator, count: int) -> Samples:
    """White noise, deviation 1."""
    return random.standard_normal(count)


def banded(signal: Samples, low_hz: float | None, high_hz: float | None, order: int = 2) -> Samples:
    """Only what lies between two frequencies; None leaves that side open."""
    # a filter's edge needs some distance from Nyquist
    limit = RATE / 2 * 0.98
    if low_hz is None:
        sos = butter(order, min(high_hz or limit, limit), "low", fs=RATE, output="sos")
    elif high_hz is None or high_hz >= limit:
        sos = butter(order, low_hz, "high", fs=RATE, output="sos")
    else:
        sos = butter(order, (low_hz, high_hz), "band", fs=RATE, output="sos")
    return sosfilt(sos, signal)


def sweep(frequency_hz: Samples) -> Samples:
    """Phase of a tone whose frequency follows a curve, radians."""
    return 2 * np.pi * np.cumsum(frequency_hz) / RATE


def slow(random: np.random.Generator, count: int, rate_hz: float) -> Samples:
    """Random wandering between about -1 and 1, with changes at a rate."""
    steps = max(4, int(count / RATE * rate_hz) + 4)
    return np.interp(
        np.linspace(0, steps - 1, count), np.arange(steps), random.uniform(-1, 1, steps)
    )


def partials(
    time: Samples,
    ratios: tuple[float, ...],
    base_hz: float,
    falls_s: tuple[float, ...],
    sizes: tuple[float, ...],
) -> Samples:
    """Struck metal: tones that each die away at their own pace."""
    return sum(
        size * np.sin(2 * np.pi * base_hz * ratio * time) * np.exp(-time / fall)
        for ratio, fall, size in zip(ratios, falls_s, sizes, strict=True)
    )


def resonated(signal: Samples, resonances: tuple[tuple[float, float], ...]) -> Samples:
    """Through resonances of a throat, one after the other."""
    for frequency, width in resonances:
        # pole radius of a resonance of that width
        radius = np.exp(-np.pi * width / RATE)
        signal = lfilter(
            [1 - radius], [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2], signal
        )
    return signal


def voiced(
    random: np.random.Generator,
    pitch_hz: Samples,
    vowel: str,
    breath: float = 0.05,
    size: float = 1.0,
) -> Samples:
    """A voice on one vowel: pulses of the vocal folds with jitter, some breath, resonances; peak 1.

    Args:
        size: 1 for an adult; smaller throats have higher resonances.
    """
    count = len(pitch_hz)
    # jitter of 1.2 % at 40 Hz
    phase = np.cumsum(pitch_hz * (1 + 0.012 * slow(random, count, 40))) / RATE
    # one pulse at each whole number of the phase
    pulses = np.diff(np.floor(phase), prepend=0.0)
    # one pole: 6 dB less an octave, as of a glottal pulse, and breath beside it
    source = lfilter([1.0], [1, -0.965], pulses) + breath * noise(random, count) * 0.3
    return peaked(resonated(source - source.mean(), tuple((f / size, w) for f, w in VOWELS[vowel])))


def peaked(signal: Samples, peak: float = 1.0) -> Samples:
    """Scaled so that its largest sample has that size."""
    return signal * (peak / max(float(np.abs(signal).max()), 1e-9))


def placed(length: int, pieces: list[tuple[float, Samples]]) -> Samples:
    """Pieces put at their times into silence; what goes over the end is cut."""
    out = np.zeros(length)
    for start_s, piece in pieces:
        first = round(start_s * RATE)
        if first < length:
            out[first : first + len(piece)] += piece[: length - first]
    return out
