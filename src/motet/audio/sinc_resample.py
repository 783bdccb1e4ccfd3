"""Windowed-sinc resampling equal to torchaudio's default, for models trained with it.

Everything else uses `motet.audio.resample` (soxr), which is better.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

ZERO_CROSSINGS, ROLLOFF = 6, 0.99


def resample_sinc(
    samples: Float[Tensor, "*batch time"],
    source_hz: int,
    target_hz: int,
    kernel_dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "*batch resampled"]:
    """Resample by a Hann-windowed sinc: six zero crossings, cut off at 0.99 of the lower Nyquist.

    Args:
        kernel_dtype: precision in which the filter is built; the sound is filtered in its own.

    Raises:
        ValueError: a rate that is not positive.
    """
    if source_hz <= 0 or target_hz <= 0:
        raise ValueError(f"rates must be positive, not {source_hz} and {target_hz}")
    if source_hz == target_hz:
        return samples
    divisor = math.gcd(source_hz, target_hz)
    source, target = source_hz // divisor, target_hz // divisor
    kernel, reach = sinc_kernel(source, target, kernel_dtype)
    # (rows, 1, time): the rows are convolved alike
    flat = F.pad(samples.reshape(-1, 1, samples.shape[-1]), (reach, reach + source))
    phases = F.conv1d(flat, kernel.to(samples.dtype), stride=source)
    # ceiling, as torchaudio counts
    length = -(-target * samples.shape[-1] // source)
    # (rows, target phases, periods) interleaved to (rows, time)
    return phases.transpose(1, 2).flatten(1)[:, :length].reshape(*samples.shape[:-1], length)


def sinc_kernel(
    source: int, target: int, dtype: torch.dtype
) -> tuple[Float[Tensor, "target 1 taps"], int]:
    """One filter for each of the `target` phases of a period of `source` samples.

    Returns:
        The filters, and the taps to the left of the centre.
    """
    cutoff = min(source, target) * ROLLOFF
    reach = math.ceil(ZERO_CROSSINGS * source / cutoff)
    taps = torch.arange(-reach, reach + source, dtype=dtype) / source
    phase = torch.arange(0, -target, -1, dtype=dtype).view(-1, 1, 1) / target
    time = ((phase + taps) * cutoff).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(time * math.pi / ZERO_CROSSINGS / 2) ** 2
    return torch.sinc(time) * window * (cutoff / source), reach
