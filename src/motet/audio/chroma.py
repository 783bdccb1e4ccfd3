"""How strong each of the twelve tones is, whatever the octave: from short-time spectra, and from
constant-Q spectra.
"""

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
DETAIL = 0.01
"""Of an estimated tuning, in bins."""


def tuning_of(
    magnitude: Float[Tensor, "frames frequencies"], rate_hz: float, bins_per_octave: int
) -> float:
    """By how much of a bin the pitches lie off A = 440 Hz, in [-0.5, 0.5).

    Peaks between 150 Hz and 4 kHz that reach a tenth of their frame's largest value, placed by a
    parabola; of these the louder half votes.

    Source: the estimate that librosa makes by default (McFee et al. 2015).
    """
    s = magnitude.double() if magnitude.dtype == torch.float64 else magnitude
    bins, size = s.shape[1], 2 * (s.shape[1] - 1)
    hz = np.arange(bins) * rate_hz / size
    inside = torch.from_numpy((hz >= 150.0) & (hz < min(4000.0, rate_hz / 2)))
    audible = s * (s > 0.1 * s.amax(1, keepdim=True))
    peak = torch.zeros_like(s, dtype=torch.bool)
    peak[:, 1:-1] = (audible[:, 1:-1] > audible[:, :-2]) & (audible[:, 1:-1] >= audible[:, 2:])
    frame, place = (peak & inside).nonzero(as_tuple=True)
    if not len(frame):
        return 0.0
    before, here, after = s[frame, place - 1], s[frame, place], s[frame, place + 1]
    curve, slope = after + before - 2 * here, (after - before) / 2
    shift = torch.where(slope.abs() >= curve.abs(), torch.zeros_like(slope), -slope / curve)
    # In one expression of mixed precision as librosa has it: which bin of the histogram a pitch
    # falls into depends on it.
    pitch, loudness = (
        (place.numpy() + shift.numpy()) * float(rate_hz) / size,
        here + 0.5 * slope * shift,
    )
    chosen = pitch[(loudness >= _median(loudness)).numpy()].astype(magnitude.numpy().dtype)
    residue = np.mod(bins_per_octave * np.log2(chosen / (440.0 / 16)), 1.0)
    residue[residue >= 0.5] -= 1.0
    counts, edges = np.histogram(residue, np.linspace(-0.5, 0.5, math.ceil(1.0 / DETAIL) + 1))
    return float(edges[np.argmax(counts)])


def _median(values: Tensor) -> Tensor:
    """Of an even number the mean of the middle two."""
    return torch.as_tensor(np.median(values.numpy()))


@functools.lru_cache(maxsize=8)
def _tone_weights(size: int, rate_hz: float, tuning: float) -> Float[Tensor, "tones frequencies"]:
    """Share of each tone in each frequency of a spectrum: bells about the tone, wide where bins are
    wider than tones, fading away from the octave about 880 Hz.

    Source: Ellis 2007, "Chroma feature analysis and synthesis"; constants as in librosa.
    """
    hz = np.arange(1, size) * rate_hz / size
    octaves = np.log2(hz / (440.0 * 2.0 ** (tuning / TONES) / 16))
    place = TONES * octaves
    place = np.concatenate([[place[0] - 1.5 * TONES], place])
    width = np.concatenate([np.maximum(np.diff(place), 1.0), [1.0]])
    distance = (
        np.remainder(place[None] - np.arange(TONES)[:, None] + TONES / 2 + 10 * TONES, TONES)
        - TONES / 2
    )
    bells = np.exp(-0.5 * (2 * distance / width) ** 2)
    bells /= np.sqrt((bells**2).sum(0, keepdims=True))
    bells *= np.exp(-0.5 * ((place / TONES - 5.0) / 2.0) ** 2)
    return torch.from_numpy(np.roll(bells, -3, axis=0)[:, : 1 + size // 2].astype(np.float32))


def chroma_of_power(
    found: Float[Tensor, "frames frequencies"], rate_hz: float
) -> Float[Tensor, "frames tones"]:
    """Tones C to B from power spectra, the strongest of each frame 1; the tuning is estimated."""
    weights = _tone_weights(2 * (found.shape[1] - 1), rate_hz, tuning_of(found, rate_hz, TONES))
    return per_peak(found @ weights.T)


@functools.lru_cache(maxsize=8)
def _octave_bank(
    relative: float,
) -> tuple[Complex[Tensor, "bins frequencies"], Float[Tensor, "bins"]]:
    """Spectra of the wavelets of the highest octave, and their lengths in samples.

    At half the rate the octave below has the same wavelets, so one bank serves all. The weakest
    cells that together hold a hundredth of a wavelet's spectrum are dropped, as in librosa.

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
        wave = np.exp(2j * np.pi * f * times) * (
            0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        )
        wave = wave / np.abs(wave).sum()
        start = (size - len(wave)) // 2
        bank[row, start : start + len(wave)] = wave
    bank *= (lengths / size)[:, None]
    found = np.fft.fft(bank)[:, : size // 2 + 1]
    size_of = np.abs(found)
    ranked = np.sort(size_of, axis=1)
    kept = np.argmin(np.cumsum(ranked / size_of.sum(1, keepdims=True), axis=1) < 0.01, axis=1)
    found[size_of < np.take_along_axis(ranked, kept[:, None], 1)] = 0
    return torch.from_numpy(found.astype(np.complex64)), torch.from_numpy(lengths)


def constant_q(
    samples: Float[Tensor, "time"], rate_hz: int, hop: int, tuning: float
) -> Float[Tensor, "frames bins"]:
    """Magnitudes of a constant-Q spectrum of seven octaves above C1, 36 bins each, at every
    `hop`-th sample.

    The highest octave is analysed at the full rate, each further one on the sound at half the rate
    of the one before.

    Raises:
        ValueError: the hop is not divisible by 64, so the octaves would run apart.
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
            samples = torch.from_numpy(
                soxr.resample(samples.numpy(), 2, 1, quality="HQ") * np.float32(math.sqrt(2))
            )
        octaves.insert(0, (spectra(samples, size, hop // 2**octave)[:, band] @ bank).abs() * scale)
    frames = min(len(part) for part in octaves)
    return torch.cat([part[:frames] for part in octaves], 1)


def chroma_of_sound(
    samples: Float[Tensor, "time"], rate_hz: int, hop: int
) -> Float[Tensor, "frames tones"]:
    """Tones C to B from constant-Q spectra, the strongest of each frame 1; the tuning is
    estimated.
    """
    tuning = tuning_of(spectra(samples, 2048, 512, hann(2048)).abs(), rate_hz, BINS_PER_OCTAVE)
    found = constant_q(samples, rate_hz, hop, tuning)
    merged = BINS_PER_OCTAVE // TONES
    tone = (torch.arange(found.shape[1]) + merged // 2) // merged % TONES
    return per_peak(torch.zeros(len(found), TONES).index_add_(1, tone, found))
