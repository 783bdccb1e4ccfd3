"""What all generations of ARTalk share when they train: statistics, and windows cut from a clip."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.data.training_set import TrainingSet
from motet.methods.artalk.codec import MotionCodec


def fit_statistics(codec: MotionCodec, corpus: TrainingSet) -> None:
    """Mean and deviation of the training set, once; they are part of the weights from then on."""
    if bool((codec.motion_std == 1).all()):
        mean, std = corpus.statistics()
        codec.motion_mean.copy_(mean)
        codec.motion_std.copy_(std)


def cut_window(
    values: Float[Tensor, "rows channels"], start: int, length: int
) -> tuple[Float[Tensor, "length channels"], Bool[Tensor, " length"]]:
    """`length` rows from `start`, zeros outside, and which rows lie inside."""
    rows = torch.arange(start, start + length)
    inside = (rows >= 0) & (rows < len(values))
    return torch.where(inside.unsqueeze(1), values[rows.clamp(0, len(values) - 1)], 0.0), inside
