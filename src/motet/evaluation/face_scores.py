"""Scores of one face clip: lips against tracking, closures, pauses; and how clips are pooled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.evaluation.held_out import HeldOutClip, Tracked
from motet.evaluation.report import Score
from motet.metrics import blink, head, jitter, lip
from motet.metrics.lip_geometry import LipGeometry, LipMotion
from motet.metrics.metric import quantile
from motet.phonetics.alignment import SILENCE, Phone, spoken
from motet.types import Motion

_MEDIANS = ("lip_correlation", "lip_lag", "jerk_ratio", "closure_contrast")
"""Scores in which single clips may fail; of the others every event counts the same."""
_RECALLS = ("closure_recall", "closure_recall_relative")
_PAUSE_EDGE_S, _SHORTEST_PAUSE_S = 0.2, 0.5


@dataclasses.dataclass
class Tally:
    """Scores of one group, clip by clip, before they are pooled."""

    values: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def add(self, scores: dict[str, float]) -> None:
        """Add the scores of a clip."""
        for name, value in scores.items():
            self.values.setdefault(name, []).append(value)

    def scores(self, group: str) -> Iterator[Score]:
        """Medians or means over the clips."""
        for name, values in self.values.items():
            median = name in _MEDIANS
            value = quantile(torch.tensor(values), 0.5) if median else sum(values) / len(values)
            yield Score(name, group, value, len(values), tuple(values))

    def recalls(self, group: str) -> Iterator[Score]:
        """Recalls over all closures of a group, since clips have unequal numbers of them."""
        # A clip's recall is a count here, so the sum over the total is the pooled recall.
        total = sum(self.values.get("closures", []))
        for name in _RECALLS:
            if name in self.values:
                yield Score(name, group, sum(self.values[name]) / total, len(self.values[name]))


@dataclasses.dataclass
class GroupTally:
    """Both tallies of one group of clips."""

    clips: Tally = dataclasses.field(default_factory=Tally)
    closures: Tally = dataclasses.field(default_factory=Tally)

    def scores(self, group: str) -> Iterator[Score]:
        """All scores of the group."""
        yield from self.clips.scores(group)
        yield from self.closures.recalls(group)

    def add_generated(self, mouth: LipMotion, clip: HeldOutClip, lip_geometry: LipGeometry) -> None:
        """Add a clip's generated mouth, compared with the tracked one where there is one."""
        self.clips.add(tracked_scores(mouth, clip, lip_geometry))
        self._add_phones(mouth, clip.phones)

    def add_ground_truth(
        self, tracked: Tracked, phones: Sequence[Phone], lip_geometry: LipGeometry
    ) -> None:
        """Add a tracked mouth: relative closures from the camera's opening, else on the figure."""
        # The camera's opening is a shape to correlate with, not a length.
        motion, camera = tracked.motion, LipMotion(tracked.opening, tracked.fps)
        mouth = lip_geometry.measure(motion)
        match = lip.opening_correlation(mouth.opening, camera.opening, camera.fps)
        blinks = blink.evaluate(lids(motion), motion.space.fps)
        self.clips.add({"lip_correlation": match.correlation})
        self.clips.add(head.evaluate(motion["head"], motion.space.fps))
        self.clips.add({"blink_rate": blinks["blink_rate"]})
        self._add_phones(mouth, phones, camera)

    def _add_phones(
        self, mouth: LipMotion, phones: Sequence[Phone], camera: LipMotion | None = None
    ) -> None:
        self.clips.add(pause_scores(mouth, phones))
        counts: dict[str, float] = {}
        for lips in (mouth, *([camera] if camera else [])):
            self.clips.add(closure_contrast(lips, phones))
            # the figure's absolute threshold stays
            # The camera's own opening, where there is one, overrides the figure's relative count.
            counts |= closure_counts(lips, phones)
        self.closures.add(counts)


def tracked_scores(
    mouth: LipMotion, clip: HeldOutClip, lip_geometry: LipGeometry
) -> dict[str, float]:
    """Correlation, lag, vertex error and smoothness against tracking; none where there is none."""
    if clip.tracked is None:
        return {}
    predicted, common = on_tracked_time(mouth, clip.tracked)
    truth = LipMotion(
        clip.tracked.opening[common],
        clip.tracked.fps,
        lip_geometry.lips(clip.tracked.motion)[common],
    )
    scores = lip.evaluate(predicted, truth, max_lag_s=clip.max_lag_s)
    if predicted.lips is not None and truth.lips is not None:
        smoothness = jitter.evaluate(predicted.lips, predicted.fps, truth.lips)
        scores |= {name: smoothness[name] for name in ("jerk_ratio",) if name in smoothness}
    return scores


def on_tracked_time(predicted: LipMotion, tracked: Tracked) -> tuple[LipMotion, slice]:
    """A prediction at the times of the camera's frames, linearly interpolated.

    Returns:
        The prediction, and which of the camera's frames both cover.

    Raises:
        InputError: they have no time in common.
    """
    end_s = (len(predicted.opening) - 1) / predicted.fps
    inside = ((tracked.time_s >= 0) & (tracked.time_s <= end_s)).nonzero().flatten()
    if not len(inside):
        raise InputError("the tracked frames and the prediction have no time in common")
    common = slice(int(inside[0]), int(inside[-1]) + 1)
    position = tracked.time_s[common] * predicted.fps  # (frames), in frames of the prediction
    lips = None if predicted.lips is None else _interpolated(predicted.lips, position)
    opening = _interpolated(predicted.opening, position)
    return LipMotion(opening, tracked.fps, lips), common


def _interpolated(values: Tensor, position: Float[Tensor, " times"]) -> Tensor:
    # linear between the two frames around each time
    left = position.floor().long().clamp(0, len(values) - 1)
    right = (left + 1).clamp(max=len(values) - 1)
    # broadcast over what each frame holds
    weight = (position - left).reshape(-1, *[1] * (values.ndim - 1))  # (times, 1, ...)
    return values[left] * (1 - weight) + values[right] * weight


def closure_counts(mouth: LipMotion, phones: Sequence[Phone]) -> dict[str, float]:
    """Number of bilabial closures in the text and how many are realised, by either threshold."""
    closures = _closures(mouth, phones)
    if not closures:
        return {}
    thresholds = {"closure_recall_relative": lip.relative_threshold(mouth.opening)}
    if mouth.lips is not None:
        thresholds["closure_recall"] = lip.CLOSED_M
    counts = {"closures": float(len(closures))}
    for name, threshold in thresholds.items():
        realised = lip.realised_closures(mouth.opening, mouth.fps, closures, threshold)
        counts[name] = float(sum(realised))
    return counts


def closure_contrast(mouth: LipMotion, phones: Sequence[Phone]) -> dict[str, float]:
    """How far open vowels stand off from the closures; only on a figure, in metres."""
    if mouth.lips is None or not _closures(mouth, phones):
        return {}
    contrast = lip.closure_contrast(mouth.opening, mouth.fps, phones)
    return {} if contrast is None else {"closure_contrast": contrast}


def _closures(mouth: LipMotion, phones: Sequence[Phone]) -> list[tuple[float, float]]:
    frames = len(mouth.opening)
    return [(a, b) for a, b in spoken(phones, lip.CLOSURES) if a * mouth.fps < frames]


def pause_scores(mouth: LipMotion, phones: Sequence[Phone]) -> dict[str, float]:
    """How still the lips are in pauses of half a second and more.

    A fifth of a second after and before speech is left out: lips still close and already open.
    """
    pauses = [
        (start + _PAUSE_EDGE_S, end - _PAUSE_EDGE_S)
        for start, end in spoken(phones, (SILENCE,))
        if end - start >= _SHORTEST_PAUSE_S and end * mouth.fps <= len(mouth.opening)
    ]
    scores = lip.evaluate(mouth, silences=pauses)
    return {"stillness": scores["stillness"]} if "stillness" in scores else {}


def lids(motion: Motion) -> Float[Tensor, " frames"]:
    """Mean weight of the two blink shapes."""
    left, right = (motion.channel("blendshapes", f"eyeBlink{side}") for side in ("Left", "Right"))
    return (left + right) / 2
