"""Diversity: how far apart several takes of the same sound are, region by region.

Conventions: takes lie along the first axis and have the same frames. The distance of two takes is
the mean over frames and points of the Euclidean distance. Two published ways to combine pairs are
given under their own names, since they disagree: all pairs (FaceDiffuser, there over conditions),
and takes i with i + half (ProbTalk3D, there after shuffling).
"""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.head import angular_distance
from motet.metrics.lip_geometry import LipGeometry
from motet.metrics.metric import Metric, check_series
from motet.types import ARKIT_SHAPES, Motion

UPPER_FACE = tuple(
    index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("brow", "eye"))
)
MOUTH = tuple(index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("jaw", "mouth")))

METRICS = (
    Metric(
        "diversity_lips",
        "mm",
        "all lip vertices",
        "like ground truth",
        "mean distance over all pairs of takes",
    ),
    Metric(
        "diversity_mouth",
        "weight",
        "jaw and mouth shapes",
        "like ground truth",
        "mean absolute difference of weights over all pairs",
    ),
    Metric(
        "diversity_upper_face",
        "weight",
        "brow and eye shapes",
        "higher",
        "mean absolute difference of weights over all pairs",
    ),
    Metric(
        "diversity_head",
        "deg",
        "head rotation",
        "higher",
        "mean angle between takes over all pairs",
    ),
)


def validate(takes: Tensor) -> None:
    """At least two takes of points over time.

    Raises:
        InputError: otherwise.
    """
    check_series(takes, 4, "takes")
    if len(takes) < 2:
        raise InputError("diversity needs at least two takes")


def pairwise_distance(takes: Float[Tensor, "takes frames points dims"]) -> float:
    """Mean over all pairs of takes of their distance, in the unit of the points."""
    validate(takes)
    pairs = list(itertools.combinations(takes.double(), 2))  # (frames, points, dims) each
    return sum(float((one - other).norm(dim=-1).mean()) for one, other in pairs) / len(pairs)


def paired_halves_distance(takes: Float[Tensor, "takes frames points dims"]) -> float:
    """Mean distance of take i and take i + half; shuffle ordered takes first.

    Raises:
        InputError: an odd number of takes, or see `validate`.
    """
    validate(takes)
    half, odd = divmod(len(takes), 2)
    if odd:
        raise InputError(f"halves need an even number of takes, these are {len(takes)}")
    return float((takes[:half].double() - takes[half:].double()).norm(dim=-1).mean())


def evaluate(takes: Motion, lip_geometry: LipGeometry | None = None) -> dict[str, float]:
    """All diversity scores of several takes (first axis), in the order of `METRICS`."""
    if takes.values.ndim != 3:
        raise InputError(
            "takes need the axes (takes, frames, dim), these have the shape"
            f" {tuple(takes.values.shape)}"
        )
    weights = takes["blendshapes"]
    scores = (
        {}
        if lip_geometry is None
        else {"diversity_lips": 1000.0 * pairwise_distance(lip_geometry.lips(takes))}
    )
    for name, channels in (("diversity_mouth", MOUTH), ("diversity_upper_face", UPPER_FACE)):
        # Each weight counts as a point with one coordinate.
        scores[name] = pairwise_distance(weights[..., list(channels)].unsqueeze(-1))
    heads = itertools.combinations(takes["head"], 2)
    scores["diversity_head"] = float(
        torch.stack([angular_distance(one, other).mean() for one, other in heads]).mean()
    )
    return scores
