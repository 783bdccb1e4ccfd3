"""`motet train lip-aperture-head`: ridge regression from the phonetic encoder's features to the gap
between the inner lips, in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.heads import REACH
from motet.face.lip_shapes import measure
from motet.stage import ClosedFormStage

EVERY_FRAME, RIDGE = 7, 0.1
"""Every so many frames of the corpus enter; the penalty relative to the summed weights."""


def lip_aperture_stage() -> ClosedFormStage[TrainingSet]:
    """The one stage."""
    return ClosedFormStage("ridge", fit_lip_aperture)


def fit_lip_aperture(corpus: TrainingSet) -> dict[str, Tensor]:
    """Weighted ridge regression on every seventh frame: `weight` (reach, dim) and `bias` ().

    With X the features around a frame and a constant, w the weight of the frame's clip and y its
    gap, it solves (X^T w X + lambda I) b = X^T w y; the constant is not penalised.
    """
    # (rows, reach * dim + 1), the constant last
    dim = corpus.items[0].features.shape[1]
    size = len(REACH) * dim + 1
    gram, product, total = torch.zeros(size, size), torch.zeros(size), 0.0
    for inputs, gap, weight in _large_blocks(corpus):
        gram += (inputs * weight.unsqueeze(1)).T @ inputs
        product += inputs.T @ (gap * weight)
        total += float(weight.sum())
    # Double precision for the solution; the sums themselves are large products in float32.
    penalty = torch.full((size,), RIDGE * total, dtype=torch.float64)
    penalty[-1] = 0.0
    solution = torch.linalg.solve(gram.double() + torch.diag(penalty), product.double()).float()
    return {"weight": solution[:-1].reshape(len(REACH), dim), "bias": solution[-1]}


def _large_blocks(corpus: TrainingSet, rows: int = 4096) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Inputs, gaps and weights of many frames at once: one large product is quicker than many small
    ones.
    """
    pending: list[tuple[Tensor, Tensor, Tensor]] = []
    for item in corpus.items:
        pending.append(_frames_of(item))
        if sum(len(gap) for _, gap, _ in pending) >= rows:
            yield _joined(pending)
            pending = []
    if pending:
        yield _joined(pending)


def _frames_of(item: TrainingItem) -> tuple[Tensor, Tensor, Tensor]:
    frames = torch.arange(min(len(item.motion), len(item.features) // 2))[::EVERY_FRAME]
    # Two steps a frame.
    steps = (2 * frames.unsqueeze(1) + torch.tensor(REACH)).clamp(0, len(item.features) - 1)
    inputs = item.features[steps].flatten(1)
    # channel 0 of `measure` is the gap; 52 are ARKit's shapes, without the head
    gap = torch.from_numpy(measure(item.motion[frames, :52].double().numpy())[:, 0]).float()
    constant = torch.ones(len(inputs), 1)
    return torch.cat([inputs, constant], 1), gap, torch.full((len(frames),), item.weight)


def _joined(parts: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    inputs, gap, weight = zip(*parts, strict=True)
    return torch.cat(inputs), torch.cat(gap), torch.cat(weight)
