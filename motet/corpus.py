"""What training reads: clips as aligned arrays in memory, ready to be cut into windows.

Methods see only this; how the arrays came from files, tracking or synthesis is the business of `motet.data`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.errors import InputError
from motet.types import MotionSpace


@dataclasses.dataclass(frozen=True)
class TrainingItem:
    """One performance: motion and what was heard, on one clock."""

    motion: Float[Tensor, "frames dim"]
    features: Float[Tensor, "steps channels"]
    """Front-end features at `feature_rate` of the set; step j covers from j / rate to (j + 1) / rate seconds."""
    valid: Bool[Tensor, "dim"]
    """Which motion channels were observed; the others must not be learnt from."""
    speaker: str = ""
    style: str = ""
    """Name of the manner, where it has one."""
    phones: tuple[tuple[float, float, str], ...] = ()
    """Start, end (seconds) and symbol of every phone, silence included, where they are known."""
    weight: float = 1.0
    """How often this item is drawn, per frame, relative to the others."""


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Performances in one motion space with features of one front end.

    Raises:
        InputError: no items at all, or sizes that do not fit the space.
    """

    space: MotionSpace
    items: Sequence[TrainingItem]
    feature_rate: float = 50.0
    mean: Float[Tensor, "dim"] | None = None
    std: Float[Tensor, "dim"] | None = None

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError("a training set without a single performance; build one with 'motet data corpus'")
        for item in self.items:
            if item.motion.shape[-1] != self.space.dim:
                raise InputError(f"a performance has {item.motion.shape[-1]} numbers a frame, the space {self.space.name!r} has {self.space.dim}")

    def statistics(self) -> tuple[Float[Tensor, "dim"], Float[Tensor, "dim"]]:
        """Mean and deviation of every channel over the frames where it was observed (deviation at least 0.01)."""
        if self.mean is not None and self.std is not None:
            return self.mean, self.std
        total = torch.zeros(self.space.dim, dtype=torch.float64)
        square, count = total.clone(), total.clone()
        for item in self.items:
            motion, valid = item.motion.double(), item.valid.double()
            total += motion.sum(0) * valid
            square += motion.square().sum(0) * valid
            count += len(motion) * valid
        mean = total / count.clamp(min=1)
        return mean.float(), (square / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt().clamp(min=0.01).float()

    def draw(self, size: int, frames: int, randomness: torch.Generator) -> list[tuple[TrainingItem, int]]:
        """Items with start frames for windows of that length; a long performance is drawn more often than a short one.

        Performances shorter than the window start at 0 and are to be padded by the caller.
        """
        weights = torch.tensor([max(1, len(item.motion) - frames + 1) * item.weight for item in self.items], dtype=torch.float64)
        chosen = torch.multinomial(weights, size, replacement=True, generator=randomness).tolist()
        starts = torch.rand(size, generator=randomness, dtype=torch.float64).tolist()
        return [(self.items[i], int(s * max(1, len(self.items[i].motion) - frames + 1))) for i, s in zip(chosen, starts, strict=True)]
