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
        raise ConfigError("samples in memory need their rate: motet.run(samples, rate=16000)")
    found = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if found.ndim == 1:
        found = found[None]
    if found.ndim != 2 or not found.size or min(found.shape) > MOST_CHANNELS:
        raise InputError(
            f"a sound is (time,), (channels, time) or (time, channels), not {tuple(found.shape)}"
        )
    if found.shape[0] > found.shape[1]:
        found = found.T
    if found.dtype in (np.int16, np.int32):
        found = found / -float(np.iinfo(found.dtype).min)
    if found.dtype.kind != "f" or not np.isfinite(found).all():
        raise InputError(
            "samples are finite floats within -1..1, or integers of 16 or 32 bits, not"
            f" {found.dtype}"
        )
    layout: Layout = _LAYOUTS.get(len(found), "other")
    return Audio(torch.from_numpy(np.ascontiguousarray(found, np.float32)), int(rate), layout)
