"""Edited keys of a take: key motions that a user changed, and how the take follows them."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.methods.kmtalk.key_timing import Keys
from motet.methods.kmtalk.keys import KeyFrames, Pair
from motet.methods.kmtalk.output_basis import OutputBasis


@dataclasses.dataclass(frozen=True)
class KeyEdits:
    """The edited keys of a file."""

    frames: tuple[int, ...]
    phones: tuple[Pair, ...]
    poses: Float[Tensor, "keys dim"]
    is_set: Bool[Tensor, "keys dim"]
    """True where the file states a value; other channels stay as predicted."""

    def merge(self, keys: KeyFrames) -> KeyFrames:
        """The predicted key frames merged with the edited ones."""
        # Predicted keys win: their phones are those of this recording.
        rows = dict(zip(self.frames, self.phones, strict=True)) | dict(
            zip(keys.frames, keys.phones, strict=True)
        )
        order = tuple(sorted(rows))
        return KeyFrames(order, tuple(rows[frame] for frame in order))

    def unscaled(self, scale: Float[Tensor, " dim"]) -> KeyEdits:
        """The same keys on the scale of the network.

        Edited poses are those of the take, which post-processing scales.

        Args:
            scale: factor of each channel in post-processing.
        """
        poses = self.poses.to(scale.device)
        # A channel that is scaled to 0 cannot be reached by any value of the network.
        return dataclasses.replace(self, poses=torch.where(scale > 0, poses / scale, poses))

    def replace_in(
        self, poses: Float[Tensor, "batch keys inner"], keys: Keys, basis: OutputBasis
    ) -> Float[Tensor, "batch keys inner"]:
        """Predicted key motions with the edited ones in their place."""
        motion = basis.decode(poses)
        for frame, pose, is_set in zip(self.frames, self.poses, self.is_set, strict=True):
            at_key = (keys.frame_index == frame) & keys.valid  # (batch, keys)
            motion = torch.where(at_key.unsqueeze(-1) & is_set, pose.to(motion), motion)
        # Through the basis and back: with a PCA basis an edited pose is met as far as the basis
        # can.
        return basis.encode(motion)

    def approach(
        self,
        values: Float[Tensor, "batch frames dim"],
        channels: slice,
        frames: float,
        sweeps: int = 8,
    ) -> Float[Tensor, "batch frames dim"]:
        """Slow channels that come to the edited poses gradually and leave them so; `pin` alone
        would make one frame jump.

        Args:
            frames: deviation of the approach in time.
        """
        values, time = values.clone(), torch.arange(values.shape[1])
        # Neighbouring bumps overlap; a few sweeps settle them (Gauss-Seidel).
        for _ in range(sweeps):
            for frame, pose, is_set in zip(self.frames, self.poses, self.is_set, strict=True):
                missing = torch.where(
                    is_set, pose.to(values) - values[:, frame], torch.zeros_like(values[:, frame])
                )[..., channels]
                # (frames): a Gaussian around the key
                nearness = torch.exp(-0.5 * ((time - frame) / frames) ** 2).to(values)
                values[..., channels] += nearness.view(1, -1, 1) * missing.unsqueeze(1)
        return values

    def pin(self, values: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch frames dim"]:
        """Motion that passes exactly through the edited keys."""
        values = values.clone()
        for frame, pose, is_set in zip(self.frames, self.poses, self.is_set, strict=True):
            values[:, frame] = torch.where(is_set, pose.to(values), values[:, frame])
        return values


class EditedKeys(FrameOperator):
    """The take passes exactly through the edited poses; the head comes to them gradually.

    Args:
        head: where the head's rotation lies in a frame; None for meshes.
        frames: deviation of the approach in time.
    """

    def __init__(self, edits: KeyEdits, head: slice | None, frames: float) -> None:
        self.edits, self.head, self.frames = edits, head, frames

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if self.head is not None:
            motion = self.edits.approach(motion, self.head, self.frames)
        return self.edits.pin(motion)
