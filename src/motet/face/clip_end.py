"""A mouth that is closed at the start and at the end of a clip: a player that holds the last frame
of a clip that was cut in a vowel would hold an open mouth, and one that begins from rest would pop.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_aperture import OPENING_CHANNELS
from motet.face.operator import FaceCues, FrameOperator

CLOSE_S = 0.12
"""Time in which the mouth closes: as quickly as lips do for p, so that as few frames as possible
leave the sound."""


def closing_frames(fps: float) -> int:
    """Frames in which a mouth closes at the end of a clip."""
    return max(1, round(CLOSE_S * fps))


def closing_ramp(frames: int, fps: float) -> Float[Tensor, " frames"]:
    """How far the mouth is closed, 0..1, in the last frames of a clip; 1 in the very last."""
    count = closing_frames(fps)
    step = torch.arange(count - frames + 1, count + 1).clamp(min=0) / count
    return torch.sin(step * math.pi / 2) ** 2


class CloseEnd(FrameOperator):
    """Closes the mouth in the last frames; they must come in one step, which ends the clip."""

    def __init__(self, fps: float) -> None:
        self.fps = fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames; the shapes that part the lips fade, all others stay."""
        scale = 1 - closing_ramp(motion.shape[1], self.fps).to(motion)
        motion = motion.clone()
        motion[..., OPENING_CHANNELS] *= scale.unsqueeze(1)
        return motion


class OpenStart(FrameOperator):
    """Opens the mouth from closed lips in the first frames of a clip."""

    def __init__(self, fps: float) -> None:
        self.fps = fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames; the shapes that part the lips grow, all others stay."""
        count = closing_frames(self.fps)
        if cues.first_frame >= count:
            return motion
        frames = cues.first_frame + torch.arange(motion.shape[1])
        share = torch.sin(frames.clamp(max=count) / count * math.pi / 2) ** 2  # 0 in the first
        motion = motion.clone()
        motion[..., OPENING_CHANNELS] *= share.to(motion).unsqueeze(1)
        return motion
