"""What is fitted in closed form before training: the output basis, and the ridge regressor from the
features around a frame to its motion.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from motet.data.training_set import TrainingItem, TrainingSet
from motet.methods.kmtalk.output_basis import LinearRegressor, OutputBasis, pair_steps

FRAMES = 60_000
"""About so many frames of the training set are used, evenly spread, those of recorded people as
often as they are weighted."""
RIDGE = 0.02
"""Penalty on the weights, in units of the features' own variance times the frames."""


def fit_basis(basis: OutputBasis, corpus: TrainingSet) -> bool:
    """Mean, deviations and axes of the corpus, once; they are part of the weights from then on.
    Returns whether it was done now.
    """
    if not bool((basis.scale == 1).all()):
        return False
    mean, std = corpus.statistics()
    basis.mean.copy_(mean)
    if not basis.fitted:
        basis.scale.copy_(std)
        return True
    rows = torch.cat([item.motion[:: max(1, len(item.motion) // 64)] for item in corpus.items])
    count = min(basis.width, min(rows.shape) - 1)
    _, _, axes = torch.svd_lowrank(rows - mean, q=count, niter=4)  # (dim, components)
    basis.axes[:count] = axes.T
    basis.scale[:count] = ((rows - mean) @ axes).std(0).clamp(min=1e-6)
    return True


def fit_regressor(
    regressor: LinearRegressor,
    basis: OutputBasis,
    corpus: TrainingSet,
    spoken: Callable[[TrainingItem, int], list[int]],
) -> None:
    """Fit the regressor on a training set; what was not observed counts as the mean.

    Args:
        spoken: number of the phone at each frame of an item, given its index in the training set.
    """
    # Frames used per frame of the training set.
    share = FRAMES / max(1.0, sum(len(item.motion) * item.weight for item in corpus.items))
    inputs = regressor.weight.shape[0]
    # Sums of x x^T and x y^T, in double precision: the solution subtracts large numbers.
    square, product = (
        torch.zeros(inputs, inputs, dtype=torch.float64),
        torch.zeros(inputs, basis.width, dtype=torch.float64),
    )
    total, target_total, count = (
        torch.zeros(inputs, dtype=torch.float64),
        torch.zeros(basis.width, dtype=torch.float64),
        0,
    )
    for index, item in enumerate(corpus.items):
        x, y = _rows(
            item,
            torch.tensor([spoken(item, index)]),
            regressor,
            basis,
            max(1, round(1 / max(share * item.weight, 1e-9))),
        )
        square += (x.T @ x).double()
        product += (x.T @ y).double()
        total, target_total, count = (
            total + x.double().sum(0),
            target_total + y.double().sum(0),
            count + len(x),
        )
    mean, target = total / count, target_total / count
    # Centred afterwards: one pass over the training set is enough.
    covariance = square - count * torch.outer(mean, mean)
    # The penalty grows with the mean variance, so RIDGE does not depend on the features' scale.
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean() + 1e-6)
    weight = torch.linalg.solve(covariance, product - count * torch.outer(mean, target))
    regressor.weight.copy_(weight)
    # The mean input gives the mean target.
    regressor.bias.copy_(target - mean @ weight)


def _rows(
    item: TrainingItem,
    spoken: Int[Tensor, "one frames"],
    regressor: LinearRegressor,
    basis: OutputBasis,
    every: int,
) -> tuple[Tensor, Tensor]:
    """Every so many frames of one performance."""
    motion = torch.where(item.valid, item.motion, basis.mean.to(item.motion))
    features = pair_steps(item.features.float().unsqueeze(0), len(motion), regressor.each)
    chosen = torch.arange(every // 2, len(motion), every)  # frame indices of this performance
    return (
        regressor.context(features, spoken)[0, chosen],
        basis.encode(motion.to(basis.mean)).float()[chosen],
    )
