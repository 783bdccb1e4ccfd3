"""How far the lips open: a linear regressor on the phonetic encoder's features.

Models of motion learn the lips of their corpus along with much else; a linear map fitted in closed
form on the same corpus knows less and so carries over better to unseen speakers (five GRID
people: 0.80 alone). Methods use it beside their own estimate (`motet.face.lip_aperture`).
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.phonetic.heads import REACH, read_reading

SHIPPED = Path(__file__).parents[2] / "weights" / "opening.safetensors"


@dataclasses.dataclass(frozen=True)
class OpeningConfig:
    """What the map belongs to."""

    SCHEMA = 1

    front_end: str
    """Digest of the encoder whose features it reads."""


@dataclasses.dataclass(frozen=True)
class OpeningReading:
    """The map."""

    weight: Float[Tensor, "reach dim"]
    bias: Float[Tensor, ""]

    def __call__(
        self, features: Float[Tensor, "batch steps dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths, of frames of two steps each.

        Args:
            features: as many steps as are known; beyond them the ends are taken to go on.
            first: step with which the first frame begins.
        """
        # (frames, reach): two steps of 20 ms a frame of 40 ms
        at = first + 2 * torch.arange(frames).unsqueeze(1) + torch.tensor(REACH)
        return (
            torch.einsum(
                "bfrd,rd->bf", features[:, at.clamp(0, features.shape[1] - 1)], self.weight
            )
            + self.bias
        )


@cache
def load_opening(front_end: str, path: Path = SHIPPED) -> OpeningReading:
    """The shipped map.

    Raises:
        CheckpointError: missing, damaged, or fitted on another encoder.
    """
    checkpoint = read_reading("lip-aperture-head", front_end, path)
    return OpeningReading(checkpoint.tensors["weight"], checkpoint.tensors["bias"])
