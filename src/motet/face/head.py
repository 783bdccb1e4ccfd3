"""The head's rotation: scaled, held, turned, smoothed, and continued over the seams of windows.

`head` is where the rotation (axis-angle, radians) lies in a frame.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator, Operator
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle

SEAM_FRAMES = 3.0
"""Time constant in which a window's head leaves the course of the one before."""


def _with_head(
    motion: Float[Tensor, "batch frames dim"],
    head: slice,
    rotation: Float[Tensor, "batch frames 3"],
) -> Float[Tensor, "batch frames dim"]:
    return torch.cat([motion[..., : head.start], rotation, motion[..., head.stop :]], -1)


class HoldHead(FrameOperator):
    """No rotation."""

    def __init__(self, head: slice) -> None:
        self.head = head

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        return _with_head(motion, self.head, torch.zeros_like(motion[..., self.head]))


class TurnHead(FrameOperator):
    """The head's own movement around another direction than straight ahead.

    Args:
        azimuth, elevation: that direction, degrees to the figure's left and up.
    """

    def __init__(self, head: slice, azimuth: float, elevation: float) -> None:
        self.head = head
        yaw, pitch = (
            matrix_from_axis_angle(torch.tensor(axis))
            for axis in ([0.0, math.radians(azimuth), 0.0], [-math.radians(elevation), 0.0, 0.0])
        )
        self.turn = yaw @ pitch

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        own = matrix_from_axis_angle(motion[..., self.head])
        turned = axis_angle_from_matrix(self.turn.to(own) @ own)
        return _with_head(motion, self.head, turned)


class ScaleHead(Operator[Tensor | None]):
    """Movement around the mean rotation of the first step, times a factor."""

    def __init__(self, head: slice, gain: float) -> None:
        self.head, self.gain = head, gain

    def begin(self, batch: int) -> None:
        """The mean is not known yet."""

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: Tensor | None, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch frames dim"], Tensor | None]:
        """All frames, and the mean (batch, 1, 3)."""
        rotation = motion[..., self.head]
        mean = rotation.mean(1, keepdim=True) if state is None else state
        return _with_head(motion, self.head, mean + self.gain * (rotation - mean)), mean


class ContinueHead(Operator[Tensor | None]):
    """A step's head sets out from where the step before left it, and as it moved; the difference
    fades within half a second.
    """

    def __init__(self, head: slice) -> None:
        self.head = head

    def begin(self, batch: int) -> None:
        """No frame yet."""

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: Tensor | None, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch frames dim"], Tensor | None]:
        """All frames, and the last two rotations (batch, 2, 3)."""
        if motion.shape[1] < 2:
            return motion, state
        rotation = motion[..., self.head]
        if state is not None:
            rotation = rotation + self._fading_difference(rotation, state)
        return _with_head(motion, self.head, rotation), rotation[:, -2:]

    def _fading_difference(
        self, rotation: Float[Tensor, "batch frames 3"], last: Float[Tensor, "batch 2 3"]
    ) -> Float[Tensor, "batch frames 3"]:
        velocity = last[:, 1:] - last[:, :1]
        offset = last[:, 1:] + velocity - rotation[:, :1]
        velocity_offset = velocity - (rotation[:, 1:2] - rotation[:, :1])
        frame = torch.arange(rotation.shape[1]).view(1, -1, 1)
        # The slope is chosen so that the first step has the old velocity exactly.
        slope = (offset + velocity_offset) * math.exp(1 / SEAM_FRAMES) - offset
        return (offset + slope * frame) * (-frame / SEAM_FRAMES).exp()


class SmoothHead(FrameOperator):
    """A Gaussian filter over the course of the head. Needs the whole recording in one step, so it
    delays nothing.

    Args:
        deviation_frames: width of the filter.
    """

    def __init__(self, head: slice, deviation_frames: float) -> None:
        self.head, self.deviation = head, deviation_frames

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if motion.shape[1] < 2:
            return motion
        reach = min(round(4 * self.deviation), motion.shape[1] - 1)
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / self.deviation) ** 2)
        # (batch, 3, frames), the ends repeated
        course = torch.nn.functional.pad(
            motion[..., self.head].transpose(1, 2), (reach, reach), mode="replicate"
        )
        smooth = course.unfold(2, 2 * reach + 1, 1) @ (kernel / kernel.sum()).to(motion)
        return _with_head(motion, self.head, smooth.transpose(1, 2))
