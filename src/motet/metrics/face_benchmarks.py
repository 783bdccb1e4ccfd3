"""The scores of the published face benchmarks, each as its released program computes it.

Conventions: vertices in the unit of the data set; "squared" means without a root, so the unit is
squared too (papers print "mm" for what is m^2 on VOCASET and (square root of the face's area)^2 on
BIWI). A prediction longer than the truth is cut to it. Frames of several clips are pooled unless a
score says that it is taken clip by clip.

Only numbers of one implementation and one region set compare: a report carries both
(`Region.label`).

Sources: CodeTalker (LVE, FDD), FaceDiffuser (MVE, absolute FDD, diversity over conditions,
blendshape forms), ProbTalk3D (mean estimate and coverage error, diversity over samples), UniTalker
(LVD); checked against their outputs in tests/parity/face_metrics.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_series

METRICS = (
    Metric(
        "LVE_squared",
        "squared unit of the data",
        "lips",
        "lower",
        "mean over frames of the largest squared distance of a lip vertex",
    ),
    Metric(
        "LVD",
        "unit of the data",
        "lips",
        "lower",
        "mean over frames of the largest distance of a lip vertex",
    ),
    Metric(
        "MVE", "unit of the data", "all vertices", "lower", "mean distance over frames and vertices"
    ),
    Metric(
        "FDD_signed",
        "squared unit of the data",
        "upper face",
        "like ground truth",
        "deviation over time of squared offsets, truth minus prediction",
    ),
    Metric(
        "FDD_absolute",
        "squared unit of the data",
        "upper face",
        "lower",
        "the same, its size taken clip by clip",
    ),
    Metric(
        "diversity_conditions",
        "unit of the data",
        "all vertices",
        "higher",
        "MVE between outputs under different conditions, all pairs",
    ),
    Metric(
        "diversity_samples",
        "unit of the data",
        "all vertices",
        "higher",
        "MVE between sample i and i + half of the same condition",
    ),
    Metric(
        "MEE", "squared unit of the data", "lips", "lower", "LVE_squared of the mean of the samples"
    ),
    Metric("CE", "squared unit of the data", "lips", "lower", "LVE_squared of the best sample"),
)

Sequence3 = Float[Tensor, "frames verts 3"]
Pairs = Sequence[tuple[Sequence3, Sequence3]]
"""(prediction, truth) of each clip."""


def matched(predicted: Tensor, truth: Tensor, name: str = "the prediction") -> Tensor:
    """The prediction cut to the length of the truth.

    Raises:
        InputError: it is shorter, of another topology, empty or not finite.
    """
    check_series(predicted, truth.ndim, name)
    check_series(truth, truth.ndim, "the truth")
    if len(predicted) < len(truth) or predicted.shape[1:] != truth.shape[1:]:
        raise InputError(
            f"{name} {tuple(predicted.shape)} must cover the truth {tuple(truth.shape)}: the same"
            " numbers a frame and no fewer frames"
        )
    # Methods round the number of frames up; the published programs cut to the truth too.
    return predicted[: len(truth)].double()


def lip_frames(
    predicted: Sequence3, truth: Sequence3, lips: Sequence[int]
) -> Float[Tensor, " frames"]:
    """Largest squared distance of a lip vertex in each frame."""
    difference = matched(predicted, truth) - truth.double()
    return difference[:, list(lips)].square().sum(-1).amax(-1)  # (frames)


def lip_vertex_error_squared(pairs: Pairs, lips: Sequence[int]) -> float:
    """LVE of CodeTalker, FaceDiffuser, SelfTalk and KMTalk: frames of all clips pooled."""
    return float(torch.cat([lip_frames(*pair, lips) for pair in pairs]).mean())


def lip_vertex_distance(pairs: Pairs, lips: Sequence[int]) -> float:
    """LVD of UniTalker: a length, where LVE is an area."""
    return float(torch.cat([lip_frames(*pair, lips).sqrt() for pair in pairs]).mean())


def mean_vertex_error(pairs: Pairs) -> float:
    """MVE of FaceDiffuser: frames of all clips pooled."""
    return float(
        torch.cat([(matched(p, t) - t.double()).norm(dim=-1).mean(-1) for p, t in pairs]).mean()
    )


def dynamics_deviations(
    pairs: Pairs, templates: Sequence[Float[Tensor, "verts 3"]], upper: Sequence[int]
) -> Float[Tensor, " clips"]:
    """FDD of each clip: deviation over time of squared offsets, truth minus prediction.

    Population deviation.

    Raises:
        InputError: not one template for each clip.
    """
    if len(pairs) != len(templates):
        raise InputError(f"{len(pairs)} clips need as many templates, given were {len(templates)}")
    result = []
    for (predicted, truth), template in zip(pairs, templates, strict=True):
        both = (truth.double(), matched(predicted, truth))
        spread = [
            # (frames, upper vertices) -> deviation over frames -> mean over vertices
            ((v - template.double())[:, list(upper)].square().sum(-1)).std(0, correction=0).mean()
            for v in both
        ]
        result.append(spread[0] - spread[1])
    return torch.stack(result)


def dynamics_deviation(
    pairs: Pairs,
    templates: Sequence[Float[Tensor, "verts 3"]],
    upper: Sequence[int],
    absolute: bool = False,
) -> float:
    """FDD over clips: signed as in CodeTalker, or absolute as in FaceDiffuser."""
    result = dynamics_deviations(pairs, templates, upper)
    return float((result.abs() if absolute else result).mean())


def condition_diversity(outputs: Sequence[Mapping[str, Sequence3]]) -> float:
    """Diversity of FaceDiffuser: mean over clips of the mean MVE over all pairs of conditions."""
    each = []
    for clip in outputs:
        pairs = list(itertools.combinations(clip.values(), 2))
        if not pairs:
            raise InputError("diversity over conditions needs at least two conditions a clip")
        each.append(sum(mean_vertex_error([pair]) for pair in pairs) / len(pairs))
    return sum(each) / len(each)


def sample_diversity(samples: Float[Tensor, "samples frames verts 3"]) -> float:
    """ProbTalk3D's diversity without shuffling: mean MVE of sample i and i + half."""
    half, odd = divmod(len(samples), 2)
    if odd or not half:
        raise InputError(
            f"diversity over samples needs an even number of them, these are {len(samples)}"
        )
    return float(
        (samples[:half].double() - samples[half:].double()).norm(dim=-1).mean((1, 2)).mean()
    )


def mean_estimate_error(
    samples: Float[Tensor, "samples frames verts 3"], truth: Sequence3, lips: Sequence[int]
) -> float:
    """MEE of ProbTalk3D: the error of the mean of all samples."""
    return lip_vertex_error_squared([(samples.double().mean(0), truth)], lips)


def coverage_error(
    samples: Float[Tensor, "samples frames verts 3"], truth: Sequence3, lips: Sequence[int]
) -> float:
    """ProbTalk3D's CE: the error of the sample nearest to the truth over the clip."""
    return min(float(lip_frames(sample, truth, lips).mean()) for sample in samples)


def blendshape_scores(
    pairs: Sequence[tuple[Tensor, Tensor]], mouth: Sequence[int], upper: Sequence[int]
) -> dict[str, float]:
    """FaceDiffuser's scores for controls (frames, channels), clip by clip.

    Norms are over channels; the neutral face is zero.
    """
    rows = []
    for predicted, truth in pairs:
        cut, true = matched(predicted, truth), truth.double()
        error = cut - true  # (frames, channels)
        spread = [
            values[:, list(upper)].square().sum(-1).std(correction=0) for values in (true, cut)
        ]
        rows.append(
            torch.stack(
                [
                    error.norm(dim=-1).mean(),
                    error[:, list(mouth)].norm(dim=-1).mean(),
                    spread[0] - spread[1],
                ]
            )
        )
    table = torch.stack(rows)
    return {
        "mve": float(table[:, 0].mean()),
        "lve": float(table[:, 1].mean()),
        "fdd": float(table[:, 2].mean()),
        "abs_fdd": float(table[:, 2].abs().mean()),
    }
