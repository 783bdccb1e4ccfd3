"""Mouth shapes regressed from the acoustic features: an input of the generator.

A linear map of five features within 160 ms, fitted in closed form on the training set, carries over
to unseen people better than any network trained on it. The generator gets its prediction and so
learns what the map cannot know: contacts, timing, style, everything above the mouth.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import InputError
from motet.face.lip_shapes import RESPONSE, SOLVED, sides
from motet.types import ARKIT_SHAPES

OFFSETS = (-8, -4, 0, 4, 8)
"""Feature steps of 20 ms around the first one of a frame."""
COMPONENTS, RIDGE = 192, 0.1
"""Principal components of the features that count, and the ridge in their units (both chosen on
GRID s1 against unseen people, see `recipes/performance_model`)."""
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
    gap: Tensor

    def __init__(self, dim: int, steps_per_frame: int) -> None:
        super().__init__()
        self.steps_per_frame, shapes = steps_per_frame, len(SOLVED)
        self.register_buffer("weight", torch.zeros(len(OFFSETS) * dim, shapes))
        self.register_buffer("bias", torch.zeros(shapes))
        self.register_buffer("mean", torch.zeros(shapes))
        self.register_buffer("deviation", torch.ones(shapes))
        gap = torch.tensor([RESPONSE[name][0] for name in SOLVED])
        self.register_buffer("gap", gap, persistent=False)
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

    def aperture(self, shapes: Float[Tensor, "*any shapes"]) -> Float[Tensor, "*any"]:
        """Gap between the inner lips that these shapes give, mouth widths."""
        return (shapes @ self.gap).clamp(min=0)


def mouth_shapes(motion: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames shapes"]:
    """The shapes of `SOLVED`, the mean of both sides, from the house space."""
    return torch.stack([motion[:, columns].mean(1) for columns in _COLUMNS], 1)


@torch.no_grad()
def fit_regressor(regressor: MouthRegressor, corpus: TrainingSet) -> None:
    """Ridge regression in the space of the features' principal components.

    Raises:
        InputError: no recording in which the mouth was observed.
    """
    mouth = [column for columns in _COLUMNS for column in columns]
    items = [item for item in corpus.items if bool(item.valid[mouth].all())]
    if not items:
        raise InputError("no recording of the training set has an observed mouth")
    centre, basis = _principal_components([item.features for item in items])
    width = len(OFFSETS) * basis.shape[1]
    square = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    cross = torch.zeros(width + 1, len(SOLVED), dtype=torch.float64)
    power = torch.zeros(len(SOLVED), dtype=torch.float64)
    for item in items:
        x, y = _around(item, centre, basis, regressor.steps_per_frame), mouth_shapes(item.motion)
        square += item.weight * (x.T @ x).double()
        cross += item.weight * (x.T @ y).double()
        power += item.weight * y.double().square().sum(0)
    count = square[-1, -1].clone()
    penalty = RIDGE * count * torch.eye(width + 1, dtype=torch.float64)
    penalty[-1, -1] = 0.0
    solution = torch.linalg.solve(square + penalty, cross)
    # From components back to features: offsets x components x shapes to offsets x dim x shapes.
    inner = solution[:-1].unflatten(0, (len(OFFSETS), -1))
    weight = torch.einsum("dc,ocs->ods", basis.double(), inner)
    mean = cross[-1] / count
    regressor.weight.copy_(weight.flatten(0, 1))
    regressor.bias.copy_(solution[-1] - torch.einsum("d,ods->s", centre.double(), weight))
    regressor.mean.copy_(mean)
    regressor.deviation.copy_((power / count - mean.square()).clamp(min=1e-4).sqrt())


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
