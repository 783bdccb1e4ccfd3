"""Whole takes of a body method, 6 to 40 s long, measured as a viewer sees them.

Nothing but the take is looked at: continuity, start, balance, life to the end, and the reaction to
each event. What must be reached is in `body_requirements`, the sounds are in `body_scenes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from motet.body.skeleton import BodyPose, heading, pose_body
from motet.evaluation.body_scenes import MadeScene, Scene, make_scene
from motet.metrics import body_continuity, body_reaction
from motet.types import Audio, Motion

if TYPE_CHECKING:
    from rich.table import Table


@dataclasses.dataclass(frozen=True)
class TakeScores:
    """One take, measured."""

    scene: str
    largest_step: body_continuity.Step
    conspicuous_step: body_continuity.Step
    start_heading_deg: float
    start_offset_m: float
    lean_deg: float
    """95th percentile, as the next."""
    pelvis_off_feet_m: float
    skate_cm_s: float
    energy_m_s: tuple[float, float, float]
    """In each third."""
    beats: tuple[float | None, float | None, float | None]
    """Beat alignment in each third."""
    latency_s: tuple[float | None, ...]
    """Of each event."""
    right_side: tuple[bool, ...]
    quiet_m_s: float | None
    """Mean speed in the two seconds before the last event."""
    recovered: bool
    """In the last second neither hand is above its shoulder, and nothing moves quickly."""
    peak_m_s: float
    """Largest mean speed of the joints."""
    faces_camera: float
    """Share of the frames in which the face is turned to the front to within 30 degrees."""


FACES_DEG, SETTLED_M_S = 30.0, 0.45


def score_take(scene: Scene, made: MadeScene, motion: Motion) -> TakeScores:
    """All measurements of a take (without a batch axis)."""
    pose, fps = pose_body(motion), motion.space.fps
    speed = body_reaction.movement(pose, fps)
    # degrees to either side of the front
    turned = np.degrees(np.abs(heading(pose.turn("head").double()).numpy()))
    return TakeScores(
        scene.name,
        body_continuity.largest_step(pose),
        body_continuity.most_conspicuous_step(pose),
        body_continuity.start_heading(pose),
        body_continuity.start_offset(pose),
        float(np.quantile(body_continuity.lean(pose), 0.95)),
        float(np.quantile(body_continuity.pelvis_off_feet(pose), 0.95)),
        body_reaction.foot_skate(pose, fps),
        body_continuity.energy_thirds(pose, fps),
        _beats_in_thirds(pose, fps, made.beats_s),
        tuple(body_continuity.latency(pose, fps, onset) for onset in made.onsets_s),
        tuple(
            body_continuity.on_right_side(pose, fps, onset, source)
            for onset, source in zip(made.onsets_s, made.sources, strict=True)
        ),
        _quiet(speed, fps, made.onsets_s),
        _recovered(pose, speed, fps),
        float(speed.max()),
        float((turned < FACES_DEG).mean()),
    )


def _quiet(
    speed: Float[np.ndarray, " frames"], fps: float, onsets_s: Sequence[float]
) -> float | None:
    if not onsets_s:
        return None
    onset = round(onsets_s[-1] * fps)
    # two seconds before the last event
    before = speed[max(0, onset - round(2 * fps)) : onset]
    return float(before.mean()) if len(before) else None


def _recovered(pose: BodyPose, speed: Float[np.ndarray, " frames"], fps: float) -> bool:
    last = round(fps)
    raised = [
        float(
            (
                pose.joint(f"{side}_wrist")[-last:, 1] - pose.joint(f"{side}_shoulder")[-last:, 1]
            ).mean()
        )
        for side in ("left", "right")
    ]
    # y is up: raised hands are above the shoulders
    return max(raised) < 0.0 and float(speed[-last:].mean()) < SETTLED_M_S


def _beats_in_thirds(
    pose: BodyPose, fps: float, beats_s: Sequence[float]
) -> tuple[float | None, float | None, float | None]:
    if not beats_s:
        return (None, None, None)
    frames, result = len(pose.positions), []
    for third in range(3):
        # thirds by whole frames
        start, stop = third * frames // 3, (third + 1) * frames // 3
        part = BodyPose(pose.rotations[start:stop], pose.positions[start:stop])
        inside = [beat - start / fps for beat in beats_s if start / fps <= beat < stop / fps]
        result.append(body_reaction.beat_alignment(part, fps, inside))
    return (result[0], result[1], result[2])


Run = Callable[[Audio, Mapping[str, Any]], Motion]
"""(sound, options, the path that is given as `source`) -> a take without a batch axis."""


def evaluate_takes(
    run: Run,
    scenes: Sequence[Scene],
    report: Callable[[str, int, int], None] | None = None,
) -> list[TakeScores]:
    """Run each scene and measure its take.

    Args:
        run: options hold `source` as rows of seconds, x, y, z where a scene tells it.
    """
    scores = []
    for number, scene in enumerate(scenes):
        made = make_scene(scene, number)
        position = {"source": made.path} if scene.source_given else {}
        scores.append(score_take(scene, made, run(made.audio, {**scene.options, **position})))
        if report is not None:
            report(scene.name, number + 1, len(scenes))
    return scores


def takes_table(scores: Sequence[TakeScores]) -> Table:
    """One line for each take, and the worst of each column."""
    from rich.table import Table

    table = Table(title="whole takes: a frame number in parentheses, thirds and events in a row")
    table.add_column("scene", no_wrap=True)
    for name in ("step, m", "ratio", "start", "lean", "off feet", "skate", "energy, m/s", "beats"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("latency, s", no_wrap=True)
    table.add_column("side", no_wrap=True)
    for score in scores:
        step, other = score.largest_step, score.conspicuous_step
        table.add_row(
            score.scene,
            f"{step.metres:.2f} ({step.frame})",
            f"{other.ratio:.1f} ({other.frame})",
            f"{score.start_heading_deg:.0f} deg {score.start_offset_m:.2f} m",
            f"{score.lean_deg:.0f} deg",
            f"{score.pelvis_off_feet_m:.2f} m",
            f"{score.skate_cm_s:.2f}",
            _listed(score.energy_m_s),
            _listed(score.beats) if any(beat is not None for beat in score.beats) else "",
            _listed(score.latency_s),
            " ".join("yes" if right else "no" for right in score.right_side),
        )
    sides = [right for score in scores for right in score.right_side]
    table.add_section()
    table.add_row(
        "worst; right sides",
        f"{max(score.largest_step.metres for score in scores):.2f}",
        f"{max(score.conspicuous_step.ratio for score in scores):.1f}",
        f"{max(score.start_heading_deg for score in scores):.0f} deg"
        f" {max(score.start_offset_m for score in scores):.2f} m",
        f"{max(score.lean_deg for score in scores):.0f} deg",
        f"{max(score.pelvis_off_feet_m for score in scores):.2f} m",
        f"{max(score.skate_cm_s for score in scores):.2f}",
        *[""] * 3,
        f"{sum(sides)} of {len(sides)}",
    )
    return table


def _listed(values: Sequence[float | None]) -> str:
    return " ".join("-" if value is None else f"{value:.2f}" for value in values)
