"""Chroma: energy of the twelve pitch classes, from short-time or constant-Q spectra."""

from __future__ import annotations

import functools
import math

import numpy as np
import soxr
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from motet.audio.stft import hann, per_peak, spectra

TONES = 12
LOWEST_C_HZ = 440.0 * 2.0 ** ((24 - 69) / 12)
"""C1 of the equal temperament."""
OCTAVES, BINS_PER_OCTAVE = 7, 36
TUNING_STEP = 0.01
"""Resolution of an estimated tuning, in bins."""


def tuning_of(
    magnitude: Float[Tensor, "frames frequencies"], rate_hz: float, bins_per_octave: int
) -> float:
    """Deviation of the tuning from A = 440 Hz in fractions of a bin, in [-0.5, 0.5).

    Takes spectral peaks between 150 Hz and 4 kHz that reach a tenth of their frame's largest value,
    refines them by a parabola, and takes the mode of the louder half.

    Source: the estimate that librosa makes by default (McFee et al. 2015).
    """
    s = magnitude  # (frames, frequencies)
    bins, size = s.shape[1], 2 * (s.shape[1] - 1)
    hz = np.arange(bins) * rate_hz / size
    inside = torch.from_numpy((hz >= 150.0) & (hz < min(4000.0, rate_hz / 2)))
    audible = s * (s > 0.1 * s.amax(1, keepdim=True))
    peak = torch.zeros_like(s, dtype=torch.bool)
    peak[:, 1:-1] = (audible[:, 1:-1] > audible[:, :-2]) & (audible[:, 1:-1] >= audible[:, 2:])
    frame, bin_index = (peak & inside).nonzero(as_tuple=True)
    if not len(frame):
        return 0.0
    before, centre, after = (s[frame, bin_index + offset] for offset in (-1, 0, 1))
    curve, slope = after + before - 2 * centre, (after - before) / 2
    shift = torch.where(slope.abs() >= curve.abs(), torch.zeros_like(slope), -slope / curve)
    # One expression of mixed precision, as in librosa: rounding decides the histogram bin.
    pitch = (bin_index.numpy() + shift.numpy()) * float(rate_hz) / size
    height = (centre + 0.5 * slope * shift).numpy()
    loud = pitch[height >= np.median(height)].astype(magnitude.numpy().dtype)
    deviation = np.mod(bins_per_octave * np.log2(loud / (440.0 / 16)), 1.0)
    deviation[deviation >= 0.5] -= 1.0
    edges = np.linspace(-0.5, 0.5, math.ceil(1.0 / TUNING_STEP) + 1)
    counts, edges = np.histogram(deviation, edges)
    return float(edges[np.argmax(counts)])


@functools.lru_cache(maxsize=8)
def _tone_weights(size: int, rate_hz: float, tuning: float) -> Float[Tensor, "tones frequencies"]:
    """Weight of each pitch class in each frequency bin.

    Gaussians about the pitch, at least a semitone wide, decaying away from the octave of 880 Hz.

    Source: Ellis 2007, "Chroma feature analysis and synthesis"; constants as in librosa.
    """
    hz = np.arange(1, size) * rate_hz / size
    octaves = np.log2(hz / (440.0 * 2.0 ** (tuning / TONES) / 16))
    semitone = TONES * octaves
    semitone = np.concatenate([[semitone[0] - 1.5 * TONES], semitone])
    width = np.concatenate([np.maximum(np.diff(semitone), 1.0), [1.0]])
    # (tones, frequencies): distance to the nearest octave of the tone, in semitones.
    difference = semitone[None] - np.arange(TONES)[:, None]
    distance = np.remainder(difference + TONES / 2 + 10 * TONES, TONES) - TONES / 2
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.sqrt((weights**2).sum(0, keepdims=True))
    weights *= np.exp(-0.5 * ((semitone / TONES - 5.0) / 2.0) ** 2)
    # Rows begin with A; C comes first in the result.
    return torch.from_numpy(np.roll(weights, -3, axis=0)[:, : 1 + size // 2].astype(np.float32))


def chroma_of_power(
    power: Float[Tensor, "frames frequencies"], rate_hz: float
) -> Float[Tensor, "frames tones"]:
    """Chroma C to B from power spectra, each frame's maximum 1; the tuning is estimated."""
    weights = _tone_weights(2 * (power.shape[1] - 1), rate_hz, tuning_of(power, rate_hz, TONES))
    return per_peak(power @ weights.T)


@functools.lru_cache(maxsize=8)
def _octave_bank(
    relative: float,
) -> tuple[Complex[Tensor, "bins frequencies"], Float[Tensor, " bins"]]:
    """Spectra of the constant-Q filters of the highest octave, and their lengths in samples.

    At half the rate the octave below has the same filters, so one bank serves all. The weakest
    cells that together hold a hundredth of a filter's spectrum are zeroed, as in librosa.

    Args:
        relative: lowest frequency of the octave divided by the sample rate.

    Source: Schoerkhuber and Klapuri 2010, "Constant-Q transform toolbox for music processing".
    """
    step = 2.0 ** (2.0 / BINS_PER_OCTAVE)
    quality = (step + 1) / (step - 1)
    frequency = relative * 2.0 ** (np.arange(BINS_PER_OCTAVE) / BINS_PER_OCTAVE)
    lengths = quality / frequency
    size = 2 ** math.ceil(math.log2(lengths.max()))
    bank = np.zeros((BINS_PER_OCTAVE, size), np.complex64)
    for row, (length, f) in enumerate(zip(lengths, frequency, strict=True)):
        times = np.arange(-length // 2, length // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        wave = np.exp(2j * np.pi * f * times) * window
        wave = wave / np.abs(wave).sum()
        start = (size - len(wave)) // 2
        bank[row, start : start + len(wave)] = wave
    bank *= (lengths / size)[:, None]
    spectrum = np.fft.fft(bank)[:, : size // 2 + 1]
    magnitude = np.abs(spectrum)
    ascending = np.sort(magnitude, axis=1)
    cumulative = np.cumsum(ascending / magnitude.sum(1, keepdims=True), axis=1)
    threshold = np.take_along_axis(ascending, np.argmin(cumulative < 0.01, axis=1)[:, None], 1)
    spectrum[magnitude < threshold] = 0
    return torch.from_numpy(spectrum.astype(np.complex64)), torch.from_numpy(lengths)


def constant_q(
    samples: Float[Tensor, " time"], rate_hz: int, hop: int, tuning: float
) -> Float[Tensor, "frames bins"]:
    """Magnitudes of a constant-Q transform: seven octaves above C1, 36 bins each.

    The highest octave is analysed at the full rate, each further one at half the rate of the one
    before.

    Raises:
        ValueError: the hop is not divisible by 64, so the octaves would differ in frame rate.
    """
    if hop % 2 ** (OCTAVES - 1):
        raise ValueError(f"the hop must be divisible by {2 ** (OCTAVES - 1)}, not {hop}")
    lowest = LOWEST_C_HZ * 2.0 ** (tuning / BINS_PER_OCTAVE)
    bank, lengths = _octave_bank(lowest * 2.0 ** (OCTAVES - 1) / rate_hz)
    size, used = 2 * (bank.shape[1] - 1), (bank.abs().amax(0) > 0).nonzero()[:, 0]
    band = slice(int(used.min()), int(used.max()) + 1)
    bank, scale, octaves = bank[:, band].T, lengths.rsqrt().float(), []
    for octave in range(OCTAVES):
        if octave:
            halved = soxr.resample(samples.numpy(), 2, 1, quality="HQ")
            samples = torch.from_numpy(halved * np.float32(math.sqrt(2)))
        spectrum = spectra(samples, size, hop // 2**octave)[:, band]
        octaves.insert(0, (spectrum @ bank).abs() * scale)
    frames = min(len(octave) for octave in octaves)
    return torch.cat([octave[:frames] for octave in octaves], 1)


def chroma_of_sound(
    samples: Float[Tensor, " time"], rate_hz: int, hop: int
) -> Float[Tensor, "frames tones"]:
    """Chroma C to B from constant-Q spectra, each frame's maximum 1; the tuning is estimated."""
    tuning = tuning_of(spectra(samples, 2048, 512, hann(2048)).abs(), rate_hz, BINS_PER_OCTAVE)
    magnitude = constant_q(samples, rate_hz, hop, tuning)
    bins_per_tone = BINS_PER_OCTAVE // TONES
    tone = (torch.arange(magnitude.shape[1]) + bins_per_tone // 2) // bins_per_tone % TONES
    return per_peak(torch.zeros(len(magnitude), TONES).index_add_(1, tone, magnitude))
