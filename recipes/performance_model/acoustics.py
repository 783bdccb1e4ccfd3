"""Linear regressors from Whisper features to lip measures and phones, fitted."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from motet.phonetics.phones import SYMBOLS
from motet.synthesis.performance.acoustics import FEATURE_RATE_HZ, LIP_OFFSETS, context


def fit_lips(
    components: list[Float[ndarray, "steps components"]],
    measures: list[Float[ndarray, "frames 4"]],
    fps: float,
    restraint: float = 0.1,
) -> Float[ndarray, "inputs 4"]:
    """Ridge regression from features to tracked lip measures."""
    x = np.concatenate(
        [
            context(c, LIP_OFFSETS, len(m), FEATURE_RATE_HZ / fps)
            for c, m in zip(components, measures, strict=True)
        ]
    )
    y = np.concatenate(measures)
    mx, my = x.mean(0), y.mean(0)
    weights = np.linalg.solve(
        (x - mx).T @ (x - mx) + restraint * len(x) * np.eye(x.shape[1]), (x - mx).T @ (y - my)
    )
    return np.concatenate([weights, (my - mx @ weights)[None]])


def fit_phones(
    inputs: Float[ndarray, "steps inputs"],
    labels: ndarray,
    seed: int = 0,
    rounds: int = 1500,
    batch: int = 1024,
) -> Float[ndarray, "inputs symbols"]:
    """Multinomial logistic regression from features in context to phone labels (-1: unlabelled,
    left out).
    """
    keep = np.flatnonzero(labels >= 0)
    x, y = torch.from_numpy(inputs[keep]).float(), torch.from_numpy(labels[keep]).long()
    random = torch.Generator().manual_seed(seed)
    weight, bias = (
        torch.zeros(x.shape[1], len(SYMBOLS), requires_grad=True),
        torch.zeros(len(SYMBOLS), requires_grad=True),
    )
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for step in range(rounds):
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * (1 - step / rounds) + 1e-5
        pick = torch.randint(len(x), (batch,), generator=random)
        loss = (
            torch.nn.functional.cross_entropy(x[pick] @ weight + bias, y[pick])
            + 1e-4 * weight.square().sum()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.cat([weight, bias[None]]).detach().double().numpy()
