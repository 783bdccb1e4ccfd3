"""Reactions of a body to sound: direction, gaze, latency, family, feet.

Conventions: joints of `smplx25` in the world, metres, Y up, at a steady rate; angles over the
floor, counter-clockwise seen from above. What a reaction set out to do is known only of scripted
ones (`motet data sam`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.signal import argrelmin
from torch import Tensor

from motet.body.skeleton import BALL_HEIGHT_M, BodyPose, heading
from motet.errors import InputError
from motet.metrics.metric import Metric, check_fps

METRICS = (
    Metric(
        "heading_error",
        "deg",
        "pelvis",
        "lower",
        "between the way the body went and the way the reaction goes; 90 where it did not go",
    ),
    Metric(
        "gaze_error",
        "deg",
        "head",
        "lower",
        "between where the head looks and where the sound is, 0.8 to 2 s after the reaction begins",
    ),
    Metric(
        "latency_error",
        "s",
        "all joints",
        "lower",
        "between when the body begins to move and when the reaction begins",
    ),
    Metric(
        "policy_accuracy",
        "1",
        "all joints",
        "higher",
        "how often a classifier of reactions names the family of the reaction",
    ),
    Metric(
        "ear_distance",
        "m",
        "wrists",
        "like ground truth",
        "smallest mean distance of the wrists from the ears where the ears are to be covered",
    ),
    Metric(
        "beat_alignment",
        "1",
        "all joints",
        "higher",
        "how near beats of the movement lie to beats of the music (1: on them)",
    ),
    Metric("foot_skate", "cm/s", "feet", "lower", "speed over the floor of feet that touch it"),
    Metric("penetration", "cm", "feet", "lower", "mean depth of what is below the floor"),
    Metric("path_length", "m", "pelvis", "like ground truth", "how far the body goes"),
)
TOUCH_M = 0.012
"""A ball of a foot not higher than this over its standing height touches the floor."""
EAR_SIDE_M, EAR_UP_M = 0.09, 0.025
GONE_M = 0.15
"""Less than this is not going anywhere."""
LONGEST_LATENCY_S = 2.0
BEAT_WIDTH_S = 0.1
STILL_M_S = 0.12


@dataclasses.dataclass(frozen=True)
class Reacting:
    """A body, and the truth about the sound it reacts to."""

    pose: BodyPose
    fps: float
    truth: Mapping[str, Any]
    """An entry of `reactions.jsonl`."""

    def frame(self, seconds: float) -> int:
        """Frame at a time, inside the motion."""
        return min(max(0, round(seconds * self.fps)), self.pose.positions.shape[-3] - 1)


def heading_error(body: Reacting, reach_s: float = 4.0) -> float | None:
    """Degrees between generated and true direction of travel; None where it stays."""
    requested = body.truth["travel_deg"]
    if requested is None:
        return None
    root = body.pose.joint("pelvis")
    # From the start of the reaction to `reach_s` later.
    way = (
        root[body.frame(body.truth["start_s"] + reach_s)] - root[body.frame(body.truth["start_s"])]
    )
    if float(way[[0, 2]].norm()) < GONE_M:
        return 90.0
    # Angles over the floor: 0 along +Z (ahead), 90 along +X (to the left).
    return _apart(math.degrees(math.atan2(float(way[0]), float(way[2]))), float(requested))


def gaze_error(body: Reacting) -> float | None:
    """Mean degrees over the floor between head and source; None where it does not look."""
    if not body.truth["looks"]:
        return None
    # The first 0.8 s belong to the turn of the head itself.
    start, stop = (body.frame(body.truth["start_s"] + after) for after in (0.8, 2.0))
    if stop <= start:
        return None
    way = (
        torch.tensor(body.truth["source"], dtype=torch.float64)
        - body.pose.joint("head")[start:stop].double()
    )
    # (frames): angle of the source seen from the head
    toward = torch.atan2(way[:, 0], way[:, 2])
    looks = heading(body.pose.turn("head")[start:stop].double())
    return float(
        torch.rad2deg(
            # Sine and cosine wrap the difference into -pi..pi.
            torch.atan2((looks - toward).sin(), (looks - toward).cos()).abs()
        ).mean()
    )


def movement(pose: BodyPose, fps: float) -> Float[np.ndarray, " frames"]:
    """Mean speed of the joints, m/s."""
    check_fps(fps)
    positions = pose.positions.double().numpy()
    if len(positions) < 4:
        raise InputError(
            f"a course of speed needs at least four frames, these are {len(positions)}"
        )
    return gaussian_filter1d(
        np.linalg.norm(np.gradient(positions, axis=0), axis=-1).mean(-1) * fps, 1.0
    )


def latency_error(body: Reacting) -> float | None:
    """Seconds between the first clear movement and the true reaction; None if ignored."""
    if body.truth["policy"] == "ignore":
        return None
    speed = movement(body.pose, body.fps)
    onset = body.frame(body.truth["onset_s"])
    # What counts as moving is relative to the idle movement before the sound.
    before = float(np.median(speed[: onset + 1]))
    moving = np.flatnonzero(speed[onset:] > before + STILL_M_S)
    begins = body.truth["onset_s"] + (moving[0] / body.fps if len(moving) else LONGEST_LATENCY_S)
    return min(abs(begins - body.truth["start_s"]), LONGEST_LATENCY_S)


def ear_distance(pose: BodyPose) -> float:
    """Smallest mean distance of both wrists from the ears, over a fifth of a second."""
    # (ears, 3): ears in the axes of the head
    sides = torch.tensor([[EAR_SIDE_M, EAR_UP_M, 0.0], [-EAR_SIDE_M, EAR_UP_M, 0.0]]).to(
        pose.positions
    )
    # (frames, ears, 3)
    ears = pose.joint("head").unsqueeze(-2) + torch.einsum("fij,ej->fei", pose.turn("head"), sides)
    wrists = torch.stack([pose.joint("left_wrist"), pose.joint("right_wrist")], -2)
    course = (wrists - ears).norm(dim=-1).mean(-1)  # (frames): mean of both sides
    # Six frames, a fifth of a second at 30 fps: one frame near the ear is not a covered ear.
    return float(course.unfold(0, min(6, len(course)), 1).mean(-1).min())


def beat_alignment(pose: BodyPose, fps: float, beats_s: Sequence[float]) -> float | None:
    """Mean nearness of musical beats to minima of body speed; None without beats.

    Source: Li et al. 2021 (AIST++), section 5.2, with beats of the music as the outer sum.
    """
    speed = movement(pose, fps)
    inside = [beat for beat in beats_s if beat * fps < len(speed)]
    moments = argrelmin(speed, order=2)[0] / fps
    if not inside:
        return None
    if not len(moments):
        return 0.0
    # From each beat of the music to the nearest rest of the body (Siyao et al. 2022, eq. 10).
    distance = np.array([np.abs(moments - beat).min() for beat in inside])
    return float(np.exp(-(distance**2) / (2 * BEAT_WIDTH_S**2)).mean())


def foot_skate(pose: BodyPose, fps: float) -> float:
    """Mean floor speed of the balls of the feet in contact, cm/s; 0 without contact."""
    speeds = []
    for side in ("left_foot", "right_foot"):
        ball = pose.joint(side).double()
        # cm/s over the floor
        speed = ball[1:, [0, 2]].sub(ball[:-1, [0, 2]]).norm(dim=-1) * fps * 100
        # In contact only if it is low at both ends of the step.
        touching = torch.maximum(ball[1:, 1], ball[:-1, 1]) < BALL_HEIGHT_M + TOUCH_M
        speeds.append(speed[touching])
    result = torch.cat(speeds)
    return float(result.mean()) if len(result) else 0.0


def penetration(pose: BodyPose) -> float:
    """Mean depth of the deepest joint below its limit, cm.

    The limit of the balls of the feet is their standing height.
    """
    heights = pose.positions[..., 1].double().clone()
    for side in ("left_foot", "right_foot"):
        heights = torch.minimum(
            heights, (pose.joint(side)[..., 1].double() - BALL_HEIGHT_M).unsqueeze(-1)
        )
    return float(-heights.amin(-1).clamp(max=0).mean()) * 100


def describe(body: Reacting) -> Float[np.ndarray, " numbers"]:
    """What tells reactions apart, as a few numbers: for the classifier of families."""
    pose, start = body.pose, body.frame(body.truth["onset_s"])
    root, source = pose.joint("pelvis").double().numpy(), np.asarray(body.truth["source"])
    toward = (source - root[start])[[0, 2]]  # unit vector over the floor
    toward = toward / np.linalg.norm(toward).clip(1e-6)
    way = (root[start:] - root[start])[:, [0, 2]]
    speed = movement(pose, body.fps)[start:]
    wrists = (
        pose.joint("left_wrist")[..., 1] + pose.joint("right_wrist")[..., 1]
    ).double().numpy() / 2
    # Displacement in the direction of the source and, whichever side, across it.
    along, across = way @ toward, np.abs(way @ np.array([toward[1], -toward[0]]))
    # Bins 4 to 39 of 256 frames: about 0.5 to 4.6 Hz, where rhythm lies.
    spectrum = np.abs(np.fft.rfft(speed - speed.mean(), 256))[4:40]
    # Factors bring all numbers to about one size: neighbours are compared by Euclidean distance.
    return np.array(
        [
            along[-1],
            along.max(),
            along.min(),
            across.max(),
            2 * min(ear_distance(pose), 0.6),
            2 * (root[:, 1].max() - root[:, 1].min()),
            speed.mean(),
            speed.max() / 2,
            np.quantile(speed, 0.2),
            (wrists - root[:, 1]).max(),
            (wrists - root[:, 1]).mean(),
            3 * spectrum.max() / (spectrum.sum() + 1e-9),
        ]
    )


@dataclasses.dataclass(frozen=True)
class FamilyClassifier:
    """Nearest neighbours over `describe`, fitted on reactions whose family is known."""

    rows: Float[np.ndarray, "items numbers"]
    labels: tuple[str, ...]
    neighbours: int = 5

    @classmethod
    def fitted(cls, bodies: Sequence[Reacting]) -> FamilyClassifier:
        """From known reactions.

        Raises:
            InputError: none.
        """
        if not bodies:
            raise InputError("a classifier of reactions needs known ones to learn from")
        return cls(
            np.stack([describe(body) for body in bodies]),
            tuple(family(body.truth) for body in bodies),
        )

    def name(self, body: Reacting) -> str:
        """Family of most of the nearest known reactions; among equals of the nearest."""
        spread = self.rows.std(0).clip(1e-6)
        order = np.argsort((((self.rows - describe(body)) / spread) ** 2).sum(1))[: self.neighbours]
        votes = [self.labels[position] for position in order]
        return max(votes, key=lambda label: (votes.count(label), -votes.index(label)))


def family(truth: Mapping[str, Any]) -> str:
    """What a reaction is, without which of its two forms: its family, or `ignore`."""
    return str(truth["policy"]).partition("/")[0]


def evaluate(body: Reacting, classifier: FamilyClassifier | None = None) -> dict[str, float]:
    """All scores that apply to this reaction."""
    pose, truth = body.pose, body.truth
    root: Tensor = pose.joint("pelvis")
    scores: dict[str, float | None] = {
        "heading_error": heading_error(body),
        "gaze_error": gaze_error(body),
        "latency_error": latency_error(body),
        "policy_accuracy": (
            None if classifier is None else float(classifier.name(body) == family(truth))
        ),
        "ear_distance": ear_distance(pose) if truth["covers_ears"] else None,
        "beat_alignment": (
            beat_alignment(pose, body.fps, truth["beats_s"]) if family(truth) == "dance" else None
        ),
        "foot_skate": foot_skate(pose, body.fps),
        "penetration": penetration(pose),
        "path_length": float(root[1:, [0, 2]].sub(root[:-1, [0, 2]]).norm(dim=-1).sum()),
    }
    return {name: value for name, value in scores.items() if value is not None}


def mirrored_truth(truth: Mapping[str, Any]) -> dict[str, Any]:
    """The truth in a mirror in the plane x = 0: what a body is to do whose ears were exchanged."""
    travel = truth["travel_deg"]
    x, y, z = truth["source"]
    return {**truth, "travel_deg": None if travel is None else -travel, "source": [-x, y, z]}


def _apart(first_deg: float, second_deg: float) -> float:
    return abs((first_deg - second_deg + 180) % 360 - 180)  # 0..180
