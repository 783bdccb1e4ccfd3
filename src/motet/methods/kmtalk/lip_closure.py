"""Lips shut where p, b and m are said: what the timing of the phones knows for certain is not left
to chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_shapes import seal
from motet.types import MotionSpace

RAMP_S = 0.04
"""Time in which lips come together and part around a closure, as in the training material."""


def closing_amount(
    frames: int, fps: float, closures: Sequence[tuple[float, float]], ramp_s: float = RAMP_S
) -> Float[Tensor, "frames"]:
    """How far the lips are to be shut at each frame, 0..1: fully inside closures, and at the frame
    nearest to very short ones.
    """
    time = torch.arange(frames, dtype=torch.float64) / fps
    amount = torch.zeros(frames, dtype=torch.float64)
    for start, end in closures:
        outside = torch.maximum(start - time, time - end).clamp(min=0)
        amount = torch.maximum(amount, (1 - outside / ramp_s).clamp(min=0))
        nearest = min(max(round((start + end) / 2 * fps), 0), frames - 1)
        amount[nearest] = 1.0
    return amount


def closed_lips(
    values: Float[Tensor, "frames dim"], closures: Sequence[tuple[float, float]], space: MotionSpace
) -> Float[Tensor, "frames dim"]:
    """Motion in the house space with the lips shut at the closures."""
    if not closures:
        return values
    part = space.range("blendshapes")
    sealed = seal(
        values[:, part].double().numpy(), closing_amount(len(values), space.fps, closures).numpy()
    )
    values = values.clone()
    values[:, part] = torch.from_numpy(sealed).to(values)
    return values
