"""What the numbers of a frame are: the model's normalised vector, the motion it stands for, and
their statistics.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.errors import SpaceError
from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.rigs.flame import flame_space
from motet.types import arkit_space

EXPRESSION, POSE = 50, 6


class Coefficients(nn.Module):
    """Statistics of the motion, and the way between motion and the model's vector.

    In FLAME the jaw keeps its x rotation only; without a head the head's rotation is left out and
    comes back as zero.
    """

    motion_mean: Tensor
    motion_std: Tensor
    shape_mean: Tensor
    shape_std: Tensor
    known: Tensor
    columns: Tensor

    def __init__(self, config: DiffPoseTalkConfig) -> None:
        super().__init__()
        self.space = arkit_space(config.fps) if config.space == "arkit" else flame_space(config.fps)
        self.head = config.head
        skipped = self.space.range("head") if not config.head else slice(0, 0)
        # FLAME: of the jaw the model has the opening only; the two other angles stay at their mean.
        last = self.space.range("jaw").start + 1 if config.space == "flame" else self.space.dim
        columns = [c for c in range(last) if not skipped.start <= c < skipped.stop]
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("motion_mean", torch.zeros(self.space.dim))
        self.register_buffer("motion_std", torch.ones(self.space.dim))
        self.register_buffer("shape_mean", torch.zeros(config.shape_dim))
        self.register_buffer("shape_std", torch.ones(config.shape_dim))
        # 1 once the statistics were set; a tensor, so that it is saved with the weights.
        self.register_buffer("known", torch.zeros(1))

    def set(self, mean: Float[Tensor, " dim"], std: Float[Tensor, " dim"]) -> None:
        """Take over the statistics of a corpus.

        Raises:
            SpaceError: of another width than the space.
        """
        if mean.shape != self.motion_mean.shape:
            raise SpaceError(
                f"statistics of {len(mean)} numbers, {self.space.name!r} has {self.space.dim}"
            )
        self.motion_mean.copy_(mean)
        self.motion_std.copy_(std)
        self.known.fill_(1.0)

    def vector(
        self, motion: Float[Tensor, "*batch frames dim"]
    ) -> Float[Tensor, "*batch frames own"]:
        """The model's vector of a motion, normalised."""
        columns = self.columns
        return (motion[..., columns] - self.motion_mean[columns]) / self.motion_std[columns]

    def motion(
        self, vector: Float[Tensor, "*batch frames own"]
    ) -> Float[Tensor, "*batch frames dim"]:
        """The motion of a vector; channels outside the model lie at their mean, the head of a
        headless model at zero.
        """
        full = vector.new_zeros(*vector.shape[:-1], self.space.dim)  # (*batch, frames, dim)
        full[..., self.columns] = vector
        full = full * self.motion_std + self.motion_mean
        if not self.head:
            full[..., self.space.range("head")] = 0.0
        if self.space.name == "arkit":
            weights = self.space.range("blendshapes")
            full[..., weights] = full[..., weights].clamp(0, 1)
        return full

    def shape_vector(
        self, shape: Float[Tensor, "*batch coefficients"]
    ) -> Float[Tensor, "*batch coefficients"]:
        """Identity coefficients, normalised."""
        return (shape - self.shape_mean) / self.shape_std


def pack(
    expression: Float[Tensor, "*batch frames 50"],
    pose: Float[Tensor, "*batch frames 6"],
    head: bool = True,
) -> Float[Tensor, "*batch frames own"]:
    """The model's vector from already normalised FLAME parts: expression, head rotation if
    modelled, jaw x.
    """
    return torch.cat(
        # Head rotation (0..2) and jaw opening (3), or the opening alone.
        [expression, pose[..., : 4 if head else 0], pose[..., 3:4][..., : 0 if head else 1]],
        -1,
    )


def unpack(
    vector: Float[Tensor, "*batch frames own"], keep_head: bool = True
) -> tuple[Tensor, Tensor]:
    """Expression and pose (head, jaw) from the model's vector, both still normalised; what is not
    there is zero.
    """
    pose = vector.new_zeros(*vector.shape[:-1], POSE)
    pose[..., 3] = vector[..., -1]
    if keep_head and vector.shape[-1] == EXPRESSION + 4:
        pose[..., :3] = vector[..., EXPRESSION : EXPRESSION + 3]
    return vector[..., :EXPRESSION], pose
