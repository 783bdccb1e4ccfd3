"""Mouth shapes regressed from the acoustic features: an input of the generator.

A linear map of five features within 160 ms, fitted in closed form on the training set, carries over
to unseen people better than any network trained on it. The generator gets its prediction and so
learns what the map cannot know: contacts, timing, style, everything above the mouth.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import InputError
from motet.face.lip_shapes import SOLVED, sides
from motet.types import ARKIT_SHAPES

OFFSETS = (-8, -4, 0, 4, 8)
"""Feature steps of 20 ms around the first one of a frame."""
COMPONENTS, RIDGE = 192, 0.1
"""Principal components of the features that count, and the ridge in their units (both chosen on
GRID s1 against unseen people, see `recipes/performance_model`)."""
WIDTH_SHAPES = (
    "mouthFunnel", "mouthPucker", "mouthStretch", "mouthDimple", "mouthSmile", "mouthPress",
)  # fmt: skip
_COLUMNS = [[ARKIT_SHAPES.index(side) for side in sides(name)] for name in SOLVED]


class MouthRegressor(nn.Module):
    """Acoustic features around frames to the shapes of `motet.face.lip_shapes.SOLVED`.

    Args:
        dim: channels of the features.
        steps_per_frame: features a frame.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    deviation: Tensor
    of_width: Tensor

    def __init__(self, dim: int, steps_per_frame: int) -> None:
        super().__init__()
        self.steps_per_frame, shapes = steps_per_frame, len(SOLVED)
        self.register_buffer("weight", torch.zeros(len(OFFSETS) * dim, shapes))
        self.register_buffer("bias", torch.zeros(shapes))
        self.register_buffer("mean", torch.zeros(shapes))
        self.register_buffer("deviation", torch.ones(shapes))
        of_width = torch.tensor([name in WIDTH_SHAPES for name in SOLVED])
        self.register_buffer("of_width", of_width, persistent=False)
        self.register_buffer("offsets", torch.tensor(OFFSETS), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "batch steps dim"],
        known: Bool[Tensor, "batch steps"],
        first: int,
        frames: int,
    ) -> Float[Tensor, "batch frames shapes"]:
        """Shapes of `frames` frames, the first of which begins with step `first`.

        Steps that are not known are replaced by the nearest known one.
        """
        at = first + self.steps_per_frame * torch.arange(frames, device=features.device)
        # (batch, frames, offsets): steps that each frame looks at.
        at = (at.unsqueeze(1) + self.offsets).expand(len(features), -1, -1)
        begin = known.to(torch.int8).argmax(1).view(-1, 1, 1)
        end = begin + known.sum(1).view(-1, 1, 1) - 1
        at = torch.minimum(torch.maximum(at, begin), end).clamp(min=0)
        rows = torch.arange(len(features), device=features.device).view(-1, 1, 1)
        return features[rows, at].flatten(2) @ self.weight + self.bias

    def normalised(self, shapes: Float[Tensor, "*any shapes"]) -> Float[Tensor, "*any shapes"]:
        """Shapes in deviations from their mean over the training set."""
        return (shapes - self.mean) / self.deviation

    def spread(
        self, shapes: Float[Tensor, "*any shapes"], opening: float, width: float
    ) -> Float[Tensor, "*any shapes"]:
        """Shapes farther from their mean by these gains, 0..1: a regression falls short of the
        spread of its targets.
        """
        gain = torch.where(self.of_width, width, opening)
        return (self.mean + gain * (shapes - self.mean)).clamp(0, 1)


def mouth_shapes(motion: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames shapes"]:
    """The shapes of `SOLVED`, the mean of both sides, from the house space."""
    return torch.stack([motion[:, columns].mean(1) for columns in _COLUMNS], 1)


@torch.no_grad()
def fit_regressor(regressor: MouthRegressor, corpus: TrainingSet) -> None:
    """Ridge regression in the space of the features' principal components; each shape on the
    recordings in which it was observed.

    Raises:
        InputError: a shape of the mouth that no recording observed.
    """
    centre, basis = _principal_components([item.features for item in corpus.items])
    sums: dict[tuple[bool, ...], _Sums] = {}
    for item in corpus.items:
        observed = tuple(bool(item.valid[columns].all()) for columns in _COLUMNS)
        x, y = _around(item, centre, basis, regressor.steps_per_frame), mouth_shapes(item.motion)
        sums.setdefault(observed, _Sums.zeros(x.shape[1])).add(x, y, item.weight)
    width = len(OFFSETS) * basis.shape[1] + 1
    solution, count = torch.zeros(width, len(SOLVED), dtype=torch.float64), torch.ones(len(SOLVED))
    total = _Sums.zeros(width)
    # Shapes that were observed in the same recordings share one system of equations.
    for pattern in {tuple(key[shape] for key in sums) for shape in range(len(SOLVED))}:
        shapes = [k for k in range(len(SOLVED)) if tuple(key[k] for key in sums) == pattern]
        parts = [part for part, seen in zip(sums.values(), pattern, strict=True) if seen]
        if not parts:
            raise InputError(f"no recording has an observed {SOLVED[shapes[0]]}")
        square = torch.stack([part.square for part in parts]).sum(0)
        cross = torch.stack([part.cross for part in parts]).sum(0)[:, shapes]
        count[shapes] = square[-1, -1].float()
        penalty = RIDGE * square[-1, -1] * torch.eye(width, dtype=torch.float64)
        penalty[-1, -1] = 0.0
        solution[:, shapes] = torch.linalg.solve(square + penalty, cross)
        total.cross[:, shapes] = cross
        total.power[shapes] = torch.stack([part.power for part in parts]).sum(0)[shapes]
    _store(regressor, solution, total, count, centre, basis)


@dataclasses.dataclass
class _Sums:
    """Sums of products over frames."""

    square: Float[Tensor, "inputs inputs"]
    cross: Float[Tensor, "inputs shapes"]
    power: Float[Tensor, "shapes"]

    @classmethod
    def zeros(cls, inputs: int) -> _Sums:
        sizes = ((inputs, inputs), (inputs, len(SOLVED)), (len(SOLVED),))
        return cls(*(torch.zeros(size, dtype=torch.float64) for size in sizes))

    def add(self, x: Tensor, y: Tensor, weight: float) -> None:
        self.square += weight * (x.T @ x).double()
        self.cross += weight * (x.T @ y).double()
        self.power += weight * y.double().square().sum(0)


def _store(
    regressor: MouthRegressor,
    solution: Tensor,
    total: _Sums,
    count: Tensor,
    centre: Tensor,
    basis: Tensor,
) -> None:
    """The solution as a map of the features themselves, and the shapes' mean and deviation."""
    # From components back to features: offsets x components x shapes to offsets x dim x shapes.
    inner = solution[:-1].unflatten(0, (len(OFFSETS), -1))
    weight = torch.einsum("dc,ocs->ods", basis.double(), inner)
    mean = total.cross[-1] / count
    regressor.weight.copy_(weight.flatten(0, 1))
    regressor.bias.copy_(solution[-1] - torch.einsum("d,ods->s", centre.double(), weight))
    regressor.mean.copy_(mean)
    regressor.deviation.copy_((total.power / count - mean.square()).clamp(min=1e-4).sqrt())


def _principal_components(features: list[Tensor], every: int = 20) -> tuple[Tensor, Tensor]:
    sample = torch.cat([f[::every] for f in features]).double()
    centre = sample.mean(0)
    values, axes = torch.linalg.eigh(torch.cov((sample - centre).T))
    count = min(COMPONENTS, len(values))
    scale = values[-count:].clamp(min=1e-9).sqrt()
    return centre.float(), (axes[:, -count:] / scale).float()


def _around(item: TrainingItem, centre: Tensor, basis: Tensor, steps: int) -> Tensor:
    """Components around each frame side by side, and a constant."""
    parts = (item.features - centre) @ basis
    at = steps * torch.arange(len(item.motion)).unsqueeze(1) + torch.tensor(OFFSETS)
    x = parts[at.clamp(0, len(parts) - 1)].flatten(1)
    return torch.cat([x, torch.ones(len(x), 1)], 1)
