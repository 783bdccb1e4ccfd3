"""Short-time spectra and back, decibels, and the split of a sound into held tones and strokes."""

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
"""Powers below count as this in decibels."""


@functools.cache
def hann(size: int, *, periodic: bool = True) -> Float[Tensor, "time"]:
    """Hann window as Fourier analysis takes it; not `periodic`: with the last point zero like the
    first.
    """
    return torch.hann_window(size, periodic=periodic, dtype=torch.float64)


def spectra(
    samples: Float[Tensor, "*batch time"],
    size: int,
    hop: int,
    window: Float[Tensor, "size"] | None = None,
) -> Complex[Tensor, "*batch frames frequencies"]:
    """Spectra of windows centred on every `hop`-th sample, with zeros beyond both ends; 1 + time //
    hop frames.

    Transformed in double precision and then rounded to single: in single precision cells 80 dB
    under the loudest, which decibels still show, would be off by a hundredth of a decibel.

    Args:
        size: points of the window and of the transform.
        window: weights; all ones when left out.
    """
    cut = F.pad(samples.double(), (size // 2, size // 2)).unfold(-1, size, hop)
    return torch.fft.rfft(cut if window is None else cut * window.double()).to(torch.complex64)


def samples_from_spectra(
    found: Complex[Tensor, "*batch frames frequencies"],
    hop: int,
    window: Float[Tensor, "size"],
    length: int,
) -> Tensor:
    """The sound whose windowed spectra are nearest to the given ones.

    Pieces are windowed again, added where they overlap and divided by the sum of squared windows.

    Args:
        length: samples of the answer.

    Raises:
        ValueError: the window is not a whole number of hops long.

    Source: Griffin and Lim 1984, eq. 6.
    """
    size, frames = len(window), found.shape[-2]
    if size % hop:
        raise ValueError(f"the window of {size} points must be a whole number of hops of {hop}")
    pieces = torch.fft.irfft(found.to(torch.complex128), size) * window.double()
    total = _overlap(pieces, hop)
    weight = _overlap(window.double().square().expand(frames, size), hop)
    total = total / torch.where(
        weight > torch.finfo(weight.dtype).tiny, weight, torch.ones_like(weight)
    )
    total = total[..., size // 2 :]
    return F.pad(total, (0, max(0, length - total.shape[-1])))[..., :length].float()


def _overlap(pieces: Float[Tensor, "*batch frames size"], hop: int) -> Float[Tensor, "*batch time"]:
    frames, size = pieces.shape[-2:]
    total = pieces.new_zeros(*pieces.shape[:-2], frames + size // hop - 1, hop)
    for part in range(size // hop):
        total[..., part : part + frames, :] += pieces[..., part * hop : (part + 1) * hop]
    return total.flatten(-2)


def power(found: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Squared magnitude."""
    return torch.view_as_real(found).square().sum(-1)


def decibels(
    found: Float[Tensor, "*shape"], reference: float = 1.0, depth: float = 80.0
) -> Float[Tensor, "*shape"]:
    """Powers in decibels over the reference, not lower than `depth` under the largest."""
    level = 10 * found.clamp(min=SMALLEST_POWER).log10() - 10 * math.log10(
        max(SMALLEST_POWER, reference)
    )
    return level.clamp(min=float(level.max()) - depth)


def per_peak(values: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
    """Divided by the largest magnitude along the last axis; rows of nothing stay nothing."""
    peak = values.abs().amax(-1, keepdim=True)
    return values / torch.where(peak < torch.finfo(values.dtype).tiny, torch.ones_like(peak), peak)


def harmonic_share(
    magnitude: Float[Tensor, "frames frequencies"], width: int = 31
) -> tuple[Tensor, Tensor]:
    """How much of each cell belongs to tones that last, 0..1, and how much to strokes that spread
    over frequencies.

    A median along time keeps lasting tones and removes strokes, a median along frequency the other
    way round; the shares are those of their squares.

    Args:
        width: cells of each median.

    Source: Fitzgerald 2010, "Harmonic/percussive separation using median filtering".
    """
    found = magnitude.numpy()
    tones = torch.from_numpy(_running_median(np.ascontiguousarray(found.T), width).T)
    strokes = torch.from_numpy(_running_median(found, width))
    top = torch.maximum(tones, strokes)
    empty = top < torch.finfo(top.dtype).tiny
    top = torch.where(empty, torch.ones_like(top), top)
    first, second = (tones / top).square(), (strokes / top).square()
    both = torch.where(empty, torch.ones_like(top), first + second)
    return torch.where(empty, torch.full_like(top, 0.5), first / both), torch.where(
        empty, torch.full_like(top, 0.5), second / both
    )


def _running_median(rows: np.ndarray, width: int) -> np.ndarray:
    """Median of `width` neighbours along each row, mirrored at the ends.

    All rows as one long line: in one dimension the filter keeps its window sorted, which is ten
    times as fast.
    """
    half = width // 2
    padded = np.pad(rows, ((0, 0), (half, half)), mode="symmetric")
    return median_filter(padded.ravel(), size=width).reshape(padded.shape)[:, half:-half]
