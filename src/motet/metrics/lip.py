"""Lips: do they follow the sound, close on bilabials, rest in silence.

Conventions: lengths in metres going in, millimetres coming out; frame i lies at i / fps seconds;
the head is at rest. A lag is positive when the prediction comes late. A closure is a phone p, b or
m; it counts as realised when the inner-lip opening falls under the threshold somewhere in its
interval widened by one frame on both sides. A mouth that never opens realises every closure, so
read `closure_recall` together with `closure_contrast`.

Sources: lip vertex error is the square root form (each frame's largest distance, averaged; "LVD" of
UniTalker) because it is in millimetres; the squared form of CodeTalker is in `motet.metrics.mesh`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.lip_geometry import LipMotion
from motet.metrics.metric import Metric, check_fps, check_series, quantile
from motet.phonetics.alignment import Phone, spoken

CLOSURES = ("P", "B", "M")
OPEN_VOWELS = ("AA", "AE", "AO", "AW", "AY", "AH", "EH")
CLOSED_M = 0.001
"""Opening under which lips count as shut: one millimetre on the figure."""
CLOSED_SHARE = 0.15
"""For tracked speakers, who have no millimetres: share of the clip's own range of opening (5th to
95th percentile)."""

METRICS = (
    Metric(
        "lip_correlation",
        "1",
        "inner lips, middle",
        "higher",
        "correlation of predicted and tracked opening at the best lag",
    ),
    Metric(
        "lip_lag", "s", "inner lips, middle", "lower", "that lag; positive: the prediction is late"
    ),
    Metric(
        "lip_vertex_error",
        "mm",
        "all lip vertices",
        "lower",
        "largest distance of a lip vertex, averaged over frames",
    ),
    Metric(
        "closure_recall",
        "1",
        "inner lips, middle",
        "higher",
        "share of p, b and m at which the opening falls under 1 mm",
    ),
    Metric(
        "closure_recall_relative",
        "1",
        "inner lips, middle",
        "higher",
        "the same, under 15 % of the clip's own range",
    ),
    Metric(
        "closure_contrast",
        "mm",
        "inner lips, middle",
        "higher",
        "opening in open vowels minus opening at p, b and m, medians",
    ),
    Metric("stillness", "mm/s", "all lip vertices", "lower", "mean speed of the lips in silence"),
    Metric(
        "stillness_peak",
        "mm/s",
        "all lip vertices",
        "lower",
        "fastest frame of the lips in silence",
    ),
)


@dataclasses.dataclass(frozen=True)
class Lagged:
    """A correlation and where it was found."""

    correlation: float
    lag_s: float


def validate(predicted: LipMotion, reference: LipMotion) -> None:
    """Two mouths that can be compared frame by frame.

    Raises:
        InputError: different frame rates or lengths.
    """
    if predicted.fps != reference.fps:
        raise InputError(
            f"the prediction has {predicted.fps:g} frames a second, the reference"
            f" {reference.fps:g}; resample one of them"
        )
    if len(predicted.opening) != len(reference.opening):
        raise InputError(
            f"the prediction has {len(predicted.opening)} frames, the reference"
            f" {len(reference.opening)}; cut both to the same time"
        )


def opening_correlation(
    predicted: Float[Tensor, " frames"],
    reference: Float[Tensor, " frames"],
    fps: float,
    max_lag_s: float = 0.0,
) -> Lagged:
    """Largest Pearson correlation over lags up to `max_lag_s`; the smallest lag wins.

    A constant series correlates with nothing: 0. At least ten frames and half of the clip must
    overlap at every lag tried.

    Raises:
        InputError: empty, not finite, of different lengths, or too short for the lag.
    """
    check_fps(fps)
    check_series(predicted, 1, "the prediction")
    check_series(reference, 1, "the reference")
    if len(predicted) != len(reference):
        raise InputError(
            f"the prediction has {len(predicted)} frames, the reference {len(reference)}; cut both"
            " to the same time"
        )
    # A lag of whole frames; the small term keeps 0.2 s * 25 from being rounded down to 4.
    most = math.floor(max_lag_s * fps + 0.01)
    if len(predicted) - most < max(10, len(predicted) / 2):
        raise InputError(f"{len(predicted)} frames are too few to search a lag of {most} frames")
    result = [
        (_pearson(*_shifted(predicted, reference, lag)), lag)
        # Smallest lags first: `max` keeps the first of equals.
        for lag in sorted(range(-most, most + 1), key=abs)
    ]
    correlation, lag = max(result, key=lambda pair: pair[0])
    return Lagged(correlation, lag / fps)


def lip_vertex_error(
    predicted: Float[Tensor, "frames lips 3"], reference: Float[Tensor, "frames lips 3"]
) -> float:
    """Distance of the worst lip vertex of each frame, averaged over frames, millimetres.

    Raises:
        InputError: empty, not finite, or of different shapes.
    """
    check_series(predicted, 3, "the predicted lips")
    check_series(reference, 3, "the reference lips")
    if predicted.shape != reference.shape:
        raise InputError(
            f"the predicted lips have the shape {tuple(predicted.shape)}, the reference"
            f" {tuple(reference.shape)}"
        )
    return 1000.0 * float(
        (predicted.double() - reference.double()).norm(dim=-1).amax(dim=-1).mean()
    )


def realised_closures(
    opening: Float[Tensor, " frames"],
    fps: float,
    closures: Sequence[tuple[float, float]],
    threshold: float,
    slack: int = 1,
) -> list[bool]:
    """For each interval (s), whether the opening falls under the threshold.

    `slack` frames around count too.

    Raises:
        InputError: empty or not finite opening, or an interval that lies outside the clip or runs
            backwards.
    """
    check_fps(fps)
    check_series(opening, 1, "lip opening")
    realised = []
    for start, end in closures:
        if not 0 <= start <= end or start * fps >= len(opening):
            raise InputError(
                f"the closure at {start:g}-{end:g} s does not lie in a clip of"
                f" {len(opening) / fps:g} s"
            )
        # All frames whose time lies in the interval; 1e-6 absorbs rounding of time * fps.
        first, last = (
            max(math.ceil(start * fps - 1e-6) - slack, 0),
            math.floor(end * fps + 1e-6) + slack,
        )
        realised.append(bool((opening[first : last + 1] < threshold).any()))
    return realised


def relative_threshold(opening: Float[Tensor, " frames"], share: float = CLOSED_SHARE) -> float:
    """Opening at a share of the way from a clip's 5th to its 95th percentile."""
    low, high = quantile(opening, 0.05), quantile(opening, 0.95)
    return low + share * (high - low)


def closure_contrast(
    opening: Float[Tensor, " frames"], fps: float, phones: Sequence[Phone]
) -> float | None:
    """Median largest opening of open vowels minus median smallest of closures, mm.

    None without either.
    """
    check_series(opening, 1, "lip opening")
    # The extreme of each phone: at its edges the mouth belongs to its neighbours.
    wide = [float(part.max()) for part in _parts(opening, fps, spoken(phones, OPEN_VOWELS), 0)]
    shut = [float(part.min()) for part in _parts(opening, fps, spoken(phones, CLOSURES), 1)]
    return 1000.0 * (_median(wide) - _median(shut)) if wide and shut else None


def lip_speed(lips: Float[Tensor, "frames lips 3"], fps: float) -> Float[Tensor, " frames-1"]:
    """Speed of the lips between frames, averaged over their vertices, mm/s.

    Raises:
        InputError: fewer than two frames, or not finite.
    """
    check_fps(fps)
    check_series(lips, 3, "lip vertices")
    if len(lips) < 2:
        raise InputError("speed needs at least two frames")
    return 1000.0 * fps * lips.double().diff(dim=0).norm(dim=-1).mean(dim=-1)


def evaluate(
    predicted: LipMotion,
    reference: LipMotion | None = None,
    phones: Sequence[Phone] = (),
    silences: Sequence[tuple[float, float]] = (),
    max_lag_s: float = 0.0,
) -> dict[str, float]:
    """All lip scores that the given data allow, in the order of `METRICS`.

    Args:
        reference: tracked lips of the same time at the same rate, for correlation, lag and (with
            vertices) lip vertex error.
        phones: what is said when, for closures.
        silences: intervals in seconds in which nothing is said, for stillness.
        max_lag_s: how far the best lag is searched.

    Raises:
        InputError: data that do not fit together.
    """
    scores: dict[str, float] = {}
    if reference is not None:
        validate(predicted, reference)
        result = opening_correlation(predicted.opening, reference.opening, predicted.fps, max_lag_s)
        scores |= {"lip_correlation": result.correlation, "lip_lag": result.lag_s}
        if predicted.lips is not None and reference.lips is not None:
            scores["lip_vertex_error"] = lip_vertex_error(predicted.lips, reference.lips)
    closures = [
        (start, end)
        for start, end in spoken(phones, CLOSURES)
        # Alignments may run a little past the last frame.
        if start * predicted.fps < len(predicted.opening)
    ]
    if closures:
        for name, threshold in (
            ("closure_recall", CLOSED_M),
            ("closure_recall_relative", relative_threshold(predicted.opening)),
        ):
            done = realised_closures(predicted.opening, predicted.fps, closures, threshold)
            scores[name] = sum(done) / len(done)
        contrast = closure_contrast(predicted.opening, predicted.fps, phones)
        scores |= {} if contrast is None else {"closure_contrast": contrast}
    if silences and predicted.lips is not None:
        quiet = [
            lip_speed(part, predicted.fps)
            for part in _parts(predicted.lips, predicted.fps, silences, 0)
            if len(part) > 1
        ]
        scores |= (
            {
                "stillness": float(torch.cat(quiet).mean()),
                "stillness_peak": float(torch.cat(quiet).max()),
            }
            if quiet
            else {}
        )
    return scores


def _parts(
    series: Tensor, fps: float, intervals: Sequence[tuple[float, float]], slack: int
) -> list[Tensor]:
    """The frames of each interval, `slack` more on both sides; empty ones left out."""
    cut = [
        series[
            max(math.ceil(start * fps - 1e-6) - slack, 0) : math.floor(end * fps + 1e-6) + 1 + slack
        ]
        for start, end in intervals
    ]
    return [part for part in cut if len(part)]


def _shifted(predicted: Tensor, reference: Tensor, lag: int) -> tuple[Tensor, Tensor]:
    count = len(predicted) - abs(lag)
    # Both cut to the frames that overlap once the prediction is moved by `lag`.
    return (
        predicted[max(lag, 0) : max(lag, 0) + count],
        reference[max(-lag, 0) : max(-lag, 0) + count],
    )


def _pearson(a: Tensor, b: Tensor) -> float:
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    scale = float(a.norm() * b.norm())
    # A face that never moves has no correlation; rounding must not make one up.
    still = float(a.abs().max()) < 1e-9 or float(b.abs().max()) < 1e-9
    return 0.0 if still or scale == 0.0 else max(-1.0, min(1.0, float(a @ b) / scale))


def _median(values: Sequence[float]) -> float:
    return quantile(torch.tensor(values, dtype=torch.float64), 0.5)
