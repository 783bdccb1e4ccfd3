"""Frames of a window that are given (in-painting)."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class KnownFrames:
    """Frames of a window that are given: the start pose, or the end of the window before."""

    mask: Bool[Tensor, "batch frames"]
    motion: Float[Tensor, "batch frames dim"]
    """Normalised; anything where the mask is False."""

    @classmethod
    def first(cls, motion: Float[Tensor, "batch known dim"], frames: int) -> KnownFrames:
        """The first frames of a window of so many."""
        known = motion.shape[1]
        mask = torch.zeros(len(motion), frames, dtype=torch.bool, device=motion.device)
        mask[:, :known] = True
        return cls(mask, F.pad(motion, (0, 0, 0, frames - known)))

    def twice(self) -> KnownFrames:
        """For a batch that holds every item twice (guidance)."""
        return KnownFrames(self.mask.repeat(2, 1), self.motion.repeat(2, 1, 1))

    def imposed_on(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames dim"]:
        """The motion with the known frames in their places."""
        return torch.where(self.mask.unsqueeze(-1), self.motion.to(motion), motion)
