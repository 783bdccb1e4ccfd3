"""Short-time Fourier transform and its inverse, decibels, harmonic-percussive separation."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from scipy.ndimage import median_filter
from torch import Tensor

SMALLEST_POWER = 1e-10
"""Smaller powers are clamped to this before taking decibels."""


@functools.cache
def hann(size: int, *, periodic: bool = True) -> Float[Tensor, " time"]:
    """Hann window; without `periodic` the last point is zero like the first."""
    return torch.hann_window(size, periodic=periodic, dtype=torch.float64)


def spectra(
    samples: Float[Tensor, "*batch time"],
    size: int,
    hop: int,
    window: Float[Tensor, " size"] | None = None,
) -> Complex[Tensor, "*batch frames frequencies"]:
    """Spectra of windows centred on every `hop`-th sample, zero-padded; 1 + time // hop frames.

    Computed in float64 and rounded to complex64: in float32, cells 80 dB under the loudest would be
    off by a hundredth of a decibel.

    Args:
        size: points of the window and of the transform.
        window: weights; all ones when left out.
    """
    # (*batch, frames, size): views of the padded sound, not copied
    cut = F.pad(samples.double(), (size // 2, size // 2)).unfold(-1, size, hop)
    return torch.fft.rfft(cut if window is None else cut * window.double()).to(torch.complex64)


def samples_from_spectra(
    spectrum: Complex[Tensor, "*batch frames frequencies"],
    hop: int,
    window: Float[Tensor, " size"],
    length: int,
) -> Tensor:
    """Inverse short-time Fourier transform: the sound with the nearest spectra (least squares).

    Frames are windowed again, overlap-added and divided by the sum of squared windows.

    Args:
        length: samples of the result.

    Raises:
        ValueError: the window is not a whole number of hops long.

    Source: Griffin and Lim 1984, eq. 6.
    """
    size, frames = len(window), spectrum.shape[-2]
    if size % hop:
        raise ValueError(f"the window of {size} points must be a whole number of hops of {hop}")
    # (*batch, frames, size)
    pieces = torch.fft.irfft(spectrum.to(torch.complex128), size) * window.double()
    weight = _overlap_add(window.double().square().expand(frames, size), hop)
    weight[weight <= torch.finfo(weight.dtype).tiny] = 1  # nothing to divide there
    total = (_overlap_add(pieces, hop) / weight)[..., size // 2 :]
    # the padding of half a window at the front is cut off again
    return F.pad(total, (0, max(0, length - total.shape[-1])))[..., :length].float()


def _overlap_add(
    pieces: Float[Tensor, "*batch frames size"], hop: int
) -> Float[Tensor, "*batch time"]:
    frames, size = pieces.shape[-2:]
    # (*batch, hops, hop): part k of frame f falls on hop f + k, so whole parts are added at once.
    total = pieces.new_zeros(*pieces.shape[:-2], frames + size // hop - 1, hop)
    for part in range(size // hop):
        total[..., part : part + frames, :] += pieces[..., part * hop : (part + 1) * hop]
    return total.flatten(-2)


def power(spectrum: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Squared magnitude."""
    return torch.view_as_real(spectrum).square().sum(-1)


def decibels(
    power: Float[Tensor, "*shape"], reference: float = 1.0, depth: float = 80.0
) -> Float[Tensor, "*shape"]:
    """Powers in decibels over the reference, clamped to `depth` under the maximum."""
    level = 10 * power.clamp(min=SMALLEST_POWER).log10()
    level = level - 10 * math.log10(max(SMALLEST_POWER, reference))
    return level.clamp(min=float(level.max()) - depth)


def per_peak(values: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
    """Normalise by the largest magnitude along the last axis; rows of zeros stay zero."""
    peak = values.abs().amax(-1, keepdim=True)
    return values / torch.where(peak < torch.finfo(values.dtype).tiny, torch.ones_like(peak), peak)


def harmonic_share(
    magnitude: Float[Tensor, "frames frequencies"], width: int = 31
) -> tuple[Tensor, Tensor]:
    """Soft masks of harmonic-percussive separation: harmonic and percussive fraction of each cell.

    A median along time keeps sustained tones and removes transients, a median along frequency the
    other way round. The masks are the fractions of their squares (Wiener filter).

    Args:
        width: cells of each median.

    Source: Fitzgerald 2010, "Harmonic/percussive separation using median filtering".
    """
    cells = magnitude.numpy()
    harmonic = torch.from_numpy(_running_median(np.ascontiguousarray(cells.T), width).T)
    percussive = torch.from_numpy(_running_median(cells, width))
    largest = torch.maximum(harmonic, percussive)
    # Divided by the larger one first: squares of very small magnitudes would underflow.
    empty = largest < torch.finfo(largest.dtype).tiny
    largest = largest.masked_fill(empty, 1.0)
    first, second = (harmonic / largest).square(), (percussive / largest).square()
    total = (first + second).masked_fill(empty, 1.0)
    return (first / total).masked_fill(empty, 0.5), (second / total).masked_fill(empty, 0.5)


def _running_median(rows: np.ndarray, width: int) -> np.ndarray:
    """Median of `width` neighbours along each row, mirrored at the ends.

    All rows are filtered as one long row: in one dimension the filter keeps its window sorted,
    which is ten times as fast.
    """
    half = width // 2
    padded = np.pad(rows, ((0, 0), (half, half)), mode="symmetric")
    # `half` at both ends: there the window reaches into the neighbouring row
    return median_filter(padded.ravel(), size=width).reshape(padded.shape)[:, half:-half]
