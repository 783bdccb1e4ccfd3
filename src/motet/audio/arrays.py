"""Sound that a program has in memory already: NumPy arrays and tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motet.audio_types import Layout
from motet.errors import ConfigError, InputError
from motet.types import Audio

_LAYOUTS: dict[int, Layout] = {1: "mono", 2: "stereo"}
MOST_CHANNELS = 16
"""Of two sides of an array the one up to so long is that of the channels."""


def audio_of_array(samples: np.ndarray | Tensor, rate: int | None) -> Audio:
    """Samples as audio.

    Args:
        samples: (time,), (channels, time) or (time, channels); floats within -1..1, or integers of
            16 or 32 bits, which are scaled to that.
        rate: samples per second.

    Raises:
        ConfigError: no rate.
        InputError: another shape or kind of numbers, or numbers that are not finite.
    """
    if rate is None:
        raise ConfigError("samples in memory need their rate: give, for example, rate=16000")
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size or min(array.shape) > MOST_CHANNELS:
        raise InputError(
            f"a sound is (time,), (channels, time) or (time, channels), not {tuple(array.shape)}"
        )
    # The shorter side is that of the channels.
    if array.shape[0] > array.shape[1]:
        array = array.T
    if array.dtype in (np.int16, np.int32):
        # by 32,768 or 2^31, so that the smallest integer becomes -1
        array = array / -float(np.iinfo(array.dtype).min)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise InputError(
            "samples are finite floats within -1..1, or integers of 16 or 32 bits, not"
            f" {array.dtype}"
        )
    layout: Layout = _LAYOUTS.get(len(array), "other")
    return Audio(torch.from_numpy(np.ascontiguousarray(array, np.float32)), int(rate), layout)
