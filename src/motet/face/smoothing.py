"""Causal smoothing of chosen channels."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.face.operator import FaceCues, Operator


class ExponentialSmoothing(Operator[Tensor | None]):
    """Exponential averages one after the other on some channels.

    Many quick ones take out a kink in velocity, which few slow ones of the same delay do not. Seven
    with a factor of 0.56 delay by five and a half frames.

    Args:
        channels: True for the channels that are smoothed.
        factor: share of the way that an average goes in a frame.
        stages: how many follow one another.
    """

    def __init__(self, channels: Bool[Tensor, " dim"], factor: float, stages: int) -> None:
        self.channels, self.factor, self.stages = channels, factor, stages

    def begin(self, batch: int) -> None:
        """All averages begin at the first frame."""

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: Tensor | None, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch frames dim"], Tensor | None]:
        """All frames, and the averages (stages, batch, dim)."""
        if not motion.shape[1]:
            return motion, state
        averages = [motion[:, 0]] * self.stages if state is None else list(state)
        frames = []
        for frame in motion.unbind(1):
            smooth = frame
            for stage, average in enumerate(averages):
                averages[stage] = smooth = average + self.factor * (smooth - average)
            frames.append(torch.where(self.channels, smooth, frame))
        return torch.stack(frames, 1), torch.stack(averages)
