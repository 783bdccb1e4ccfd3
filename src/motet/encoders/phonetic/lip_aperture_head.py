"""How far the lips open, read from the phonetic encoder's features by one linear map.

Models of motion learn the lips of their corpus along with much else; a linear map fitted in closed
form on the same corpus knows less and so carries over better to voices it never heard (five GRID
people: 0.80 alone). Methods use it as a second opinion on the opening (`motet.face.lip_aperture`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import save_checkpoint
from motet.data.training_set import TrainingSet
from motet.encoders.phonetic.heads import REACH, read_reading
from motet.face.lip_shapes import measure

SHIPPED = Path(__file__).parents[2] / "weights" / "opening.safetensors"
EVERY_FRAME, RESTRAINT = 7, 0.1
"""Of the corpus: every so many frames are looked at; the ridge over the features' mean square."""


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
        at = first + 2 * torch.arange(frames).unsqueeze(1) + torch.tensor(REACH)
        return (
            torch.einsum(
                "bfrd,rd->bf", features[:, at.clamp(0, features.shape[1] - 1)], self.weight
            )
            + self.bias
        )


def fit_opening(corpus: TrainingSet) -> OpeningReading:
    """Ridge regression on every seventh frame of a corpus, frames counting by the weight of their
    clip.
    """
    dim = corpus.items[0].features.shape[1]
    size = len(REACH) * dim + 1
    gram, product, total = torch.zeros(size, size), torch.zeros(size), 0.0
    for inputs, gap, weight in _stacked(corpus):
        gram += (inputs * weight.unsqueeze(1)).T @ inputs
        product += inputs.T @ (gap * weight)
        total += float(weight.sum())
    held = torch.full((size,), RESTRAINT * total, dtype=torch.float64)
    held[-1] = 0.0
    found = torch.linalg.solve(gram.double() + torch.diag(held), product.double()).float()
    return OpeningReading(found[:-1].reshape(len(REACH), dim), found[-1])


def _stacked(corpus: TrainingSet, rows: int = 4096) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Inputs with a constant, gaps and weights of many frames at once: one large product is quicker
    than many small ones.
    """
    waiting: list[tuple[Tensor, Tensor, Tensor]] = []
    for item in corpus.items:
        at = torch.arange(min(len(item.motion), len(item.features) // 2))[::EVERY_FRAME]
        inputs = item.features[
            (2 * at.unsqueeze(1) + torch.tensor(REACH)).clamp(0, len(item.features) - 1)
        ].flatten(1)
        gap = torch.from_numpy(measure(item.motion[at, :52].double().numpy())[:, 0]).float()
        waiting.append(
            (
                torch.cat([inputs, torch.ones(len(inputs), 1)], 1),
                gap,
                torch.full((len(at),), item.weight),
            )
        )
        if sum(len(part[1]) for part in waiting) >= rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    inputs, gap, weight = zip(*parts, strict=True)
    return torch.cat(inputs), torch.cat(gap), torch.cat(weight)


def save_opening(reading: OpeningReading, front_end: str, path: Path) -> str:
    """Write a map; answers its digest."""
    return save_checkpoint(
        path,
        {"weight": reading.weight, "bias": reading.bias},
        OpeningConfig(front_end),
        {"licence": "Apache-2.0"},
    )


@cache
def load_opening(front_end: str, path: Path = SHIPPED) -> OpeningReading:
    """The shipped map.

    Raises:
        CheckpointError: missing, damaged, or fitted on another encoder.
    """
    found = read_reading("opening", front_end, path)
    return OpeningReading(found.tensors["weight"], found.tensors["bias"])
