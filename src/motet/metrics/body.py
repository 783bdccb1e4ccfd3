"""Published scores of whole-body motion: feature and joint distances, diversity.

Conventions: features (items, numbers), joints in metres, randomness from a generator given by the
caller.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from scipy.linalg import sqrtm
from scipy.stats import t as student
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_series

METRICS = (
    Metric(
        "fid",
        "1",
        "body features",
        "lower",
        "distance of two sets of features, each taken for a Gaussian",
    ),
    Metric(
        "r_precision_1",
        "1",
        "body features",
        "higher",
        "how often the own sound is the nearest of 32",
    ),
    Metric(
        "r_precision_2", "1", "body features", "higher", "how often it is among the nearest two"
    ),
    Metric(
        "r_precision_3", "1", "body features", "higher", "how often it is among the nearest three"
    ),
    Metric(
        "body_diversity",
        "1",
        "body features",
        "like ground truth",
        "mean distance of randomly paired motions",
    ),
    Metric(
        "apd",
        "m",
        "joints",
        "like ground truth",
        "mean distance of all pairs of motions as whole tensors of joints",
    ),
    Metric("mpjpe", "m", "joints", "lower", "mean distance of joints"),
    Metric(
        "mpjpe_centred", "m", "joints", "lower", "the same with the mean of the joints taken off"
    ),
    Metric("mpjpe_root", "m", "joints", "lower", "the same with the root taken off"),
)
DISTRACTORS, DIVERSITY_TIMES, REPEATS = 31, 64, 32
"""As published."""


def fid(real: Float[Tensor, "items features"], made: Float[Tensor, "items features"]) -> float:
    """Frechet distance of two Gaussians with the sets' means and covariances.

    Raises:
        InputError: fewer than two items, or values that are not finite.

    Source: Heusel et al. 2017; a small diagonal is added to the covariances, as released.
    """
    for name, values in (("real features", real), ("made features", made)):
        check_series(values, 2, name)
    if min(len(real), len(made)) < 2:
        raise InputError(
            f"a covariance needs at least two items, these are {len(real)} and {len(made)}"
        )
    real, made = real.double(), made.double()
    # Covariances of fewer items than features are singular; the matrix root needs them regular.
    tiny = 1e-8 * torch.eye(real.shape[1], dtype=torch.float64)
    first, second = real.T.cov() + tiny, made.T.cov() + tiny
    # The product of two covariances has a real root; imaginary parts are rounding.
    root = torch.from_numpy(sqrtm((first @ second).numpy()).real)
    return float((real.mean(0) - made.mean(0)).square().sum() + (first + second - 2 * root).trace())


def draw_distractors(items: int, randomness: torch.Generator) -> Int[Tensor, "items distractors"]:
    """For each item 31 different others.

    Raises:
        InputError: fewer than 32 items.
    """
    if items <= DISTRACTORS:
        raise InputError(
            f"R-precision compares with {DISTRACTORS} others; {items} items are too few"
        )
    rows = []
    for item in range(items):
        # Numbers of the others: those from `item` on move up by one, so an item is never its own
        # distractor.
        chosen = torch.randperm(items - 1, generator=randomness)[:DISTRACTORS]
        rows.append(chosen + (chosen >= item))
    return torch.stack(rows)


def r_precision(
    condition: Float[Tensor, "items features"],
    motion: Float[Tensor, "items features"],
    distractors: Int[Tensor, "items distractors"],
    top: int = 3,
) -> Float[Tensor, " top"]:
    """How often the true sound is among the nearest 1 ... `top` to a motion."""
    own = (motion - condition).norm(dim=-1, keepdim=True)  # (items, 1)
    others = (motion.unsqueeze(1) - condition[distractors]).norm(dim=-1)  # (items, distractors)
    rank = (others < own).sum(1)  # number of distractors nearer than the own condition
    return torch.stack([(rank < k + 1).double().mean() for k in range(top)])


def body_diversity(motion: Float[Tensor, "items features"], pairs: Int[Tensor, "2 times"]) -> float:
    """Mean distance of the paired motions."""
    return float((motion[pairs[0]] - motion[pairs[1]]).norm(dim=-1).mean())


def draw_pairs(items: int, randomness: torch.Generator) -> Int[Tensor, "2 times"]:
    """Two sets of 64 items, each without repeats."""
    if items < DIVERSITY_TIMES:
        raise InputError(
            f"diversity draws {DIVERSITY_TIMES} items without repeats; {items} are too few"
        )
    return torch.stack(
        [torch.randperm(items, generator=randomness)[:DIVERSITY_TIMES] for _ in range(2)]
    )


def half_width(repeats: Float[Tensor, " repeats"]) -> float:
    """Half of the 95 % interval of the mean of repeated draws (Student's t)."""
    count = len(repeats)
    return float(student.ppf(0.975, count - 1)) * float(repeats.double().std()) / math.sqrt(count)


def mpjpe(real: Float[Tensor, "*batch joints 3"], made: Float[Tensor, "*batch joints 3"]) -> float:
    """Mean distance of joints."""
    return float((real - made).norm(dim=-1).mean())


def mpjpe_centred(
    real: Float[Tensor, "*batch joints 3"], made: Float[Tensor, "*batch joints 3"]
) -> float:
    """Mean distance of joints after the mean of each body's joints is taken off."""
    return mpjpe(real - real.mean(-2, keepdim=True), made - made.mean(-2, keepdim=True))


def mpjpe_root(
    real: Float[Tensor, "*batch joints 3"], made: Float[Tensor, "*batch joints 3"]
) -> float:
    """Mean distance of joints from each body's root."""
    return mpjpe(real - real[..., :1, :], made - made[..., :1, :])


def mpjpe_aligned(
    real: Float[Tensor, "*batch joints 3"],
    made: Float[Tensor, "*batch joints 3"],
    *,
    as_released: bool = False,
) -> float:
    """Mean joint distance after Procrustes alignment (rotation, scale, shift).

    Args:
        as_released: compare the unscaled real body with the made one at unit size, as the released
            program does. That number means nothing and is there for comparison only.
    """
    # Orthogonal Procrustes: the singular vectors of a^T b give the rotation, its singular values
    # the scale.
    a, b = (body - body.mean(-2, keepdim=True) for body in (real.double(), made.double()))
    size_a, size_b = (body.flatten(-2).norm(dim=-1)[..., None, None] for body in (a, b))
    # (*batch, 3, 3), (*batch, 3), (*batch, 3, 3)
    u, stretch, v = torch.linalg.svd((a / size_a).mT @ (b / size_b))
    turned = (b / size_b) @ (u @ v).mT * stretch.sum(-1)[..., None, None]
    return mpjpe(real.double(), turned) if as_released else mpjpe(a, turned * size_a)


def apd(motions: Float[Tensor, "items frames joints 3"]) -> float:
    """Mean over ordered pairs of different motions of the norm of their whole difference.

    Raises:
        InputError: fewer than two motions.
    """
    if len(motions) < 2:
        raise InputError("pairs need at least two motions")
    flat = motions.flatten(1)  # (items, frames * joints * 3)
    # Not by matrix product: it loses digits where two motions are nearly equal.
    distance = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return float(distance.sum() / (len(flat) * (len(flat) - 1)))
