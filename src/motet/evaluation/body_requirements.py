"""What takes of a body have to reach, and what they reach: one line for each requirement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from motet.evaluation.body_scenes import Scene
from motet.evaluation.body_takes import TakeScores

if TYPE_CHECKING:
    from rich.table import Table

LARGEST_STEP_M, STEP_RATIO, HEADING_DEG, OFFSET_M = 0.25, 3.0, 5.0, 0.05
OFF_FEET_M, LEAN_DEG = 0.10, 15.0
"""Range of the scripted performances (95 % of the frames of a take)."""
DANCES_M_S, BEATS, KEEPS_UP = 0.12, 0.5, 0.5
"""Mean speed and beat alignment in each third, and the share of the first third's speed."""
ALIVE_M_S = 0.04
LATENCY_S, QUIET_M_S, SECOND_EVENTS = 1.2, 0.15, 0.7
TURNED, GESTURES_M_S = 0.9, 0.06


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One line of the table."""

    name: str
    reached: str
    required: str
    is_met: bool


def requirements(scenes: Sequence[Scene], scores: Sequence[TakeScores]) -> list[Requirement]:
    """Every requirement that some of these takes can be measured by."""
    kinds: tuple[tuple[Callable[[Scene], bool], Callable[..., list[Requirement]]], ...] = (
        (lambda scene: True, _continuity),
        (_moves, _moving),
        (lambda scene: _sounds(scene, "music", "drum"), _music),
        (lambda scene: _sounds(scene, "speech"), _speech),
        (lambda scene: scene.panned, _film),
        (lambda scene: len(scene.events) == 2, _second_events),
        (_speaks, _speaker),
    )
    lines = []
    for belongs, measured in kinds:
        chosen = [score for scene, score in zip(scenes, scores, strict=True) if belongs(scene)]
        lines += measured(chosen) if chosen else []
    return lines


def requirements_table(lines: Sequence[Requirement]) -> Table:
    """Required and reached."""
    from rich.table import Table

    table = Table(title="whole takes: what must be reached")
    for name in ("", "reached", "must be", "met"):
        table.add_column(name)
    for line in lines:
        table.add_row(line.name, line.reached, line.required, "yes" if line.is_met else "no")
    return table


def _moves(scene: Scene) -> bool:
    return any(len(event.azimuth_deg) > 1 for event in scene.events)


def _speaks(scene: Scene) -> bool:
    return scene.options.get("role") == "speaker"


def _sounds(scene: Scene, *names: str) -> bool:
    is_alone = len(scene.events) == 1 and not scene.panned and not _speaks(scene)
    return is_alone and scene.events[0].sound in names


def _continuity(scores: list[TakeScores]) -> list[Requirement]:
    return [
        _at_most("largest step of a joint", scores, _step, LARGEST_STEP_M, "m"),
        _at_most("step over the median of the 16 around", scores, _ratio, STEP_RATIO, ""),
        _at_most("heading at frame 0", scores, lambda s: s.start_heading_deg, HEADING_DEG, "deg"),
        _at_most("offset at frame 0", scores, lambda s: s.start_offset_m, OFFSET_M, "m"),
    ]


def _moving(scores: list[TakeScores]) -> list[Requirement]:
    return [
        _at_most("moving source: pelvis off the feet", scores, _off_feet, OFF_FEET_M, "m"),
        _at_most("moving source: lean of the legs", scores, lambda s: s.lean_deg, LEAN_DEG, "deg"),
    ]


def _music(scores: list[TakeScores]) -> list[Requirement]:
    speeds = [min(score.energy_m_s) for score in scores]
    # against standing still, which would divide by zero
    shares = [min(score.energy_m_s) / max(score.energy_m_s[0], 1e-6) for score in scores]
    beats = [beat or 0.0 for score in scores for beat in score.beats]
    return [
        _at_least("music: speed in the slowest third", speeds, DANCES_M_S, "m/s"),
        _at_least("music: the same over the first third", shares, KEEPS_UP, ""),
        _at_least("music: beat alignment in each third", beats, BEATS, ""),
    ]


def _speech(scores: list[TakeScores]) -> list[Requirement]:
    speeds = [min(score.energy_m_s) for score in scores]
    return [_at_least("speech: speed in the slowest third", speeds, ALIVE_M_S, "m/s")]


def _film(scores: list[TakeScores]) -> list[Requirement]:
    good = [
        # -1: the event itself; before it there was only background
        _is_in_time(score, -1) and (score.quiet_m_s or 0.0) < QUIET_M_S and score.recovered
        for score in scores
    ]
    name = "film: calm before, reacts there and then, recovers"
    return [_share(name, good, 1.0)]


def _second_events(scores: list[TakeScores]) -> list[Requirement]:
    good = [_is_in_time(score, 1) for score in scores]
    return [_share("second events: right time and side", good, SECOND_EVENTS)]


def _speaker(scores: list[TakeScores]) -> list[Requirement]:
    speeds = [min(score.energy_m_s) for score in scores]
    turned = [score.faces_camera for score in scores]
    return [
        _at_least("speaker: frames with the face to the camera", turned, TURNED, ""),
        _at_least("speaker: speed in the slowest third", speeds, GESTURES_M_S, "m/s"),
    ]


def _is_in_time(score: TakeScores, event: int) -> bool:
    latency = score.latency_s[event]
    return latency is not None and latency <= LATENCY_S and score.right_side[event]


def _step(score: TakeScores) -> float:
    return score.largest_step.metres


def _ratio(score: TakeScores) -> float:
    return score.conspicuous_step.ratio


def _off_feet(score: TakeScores) -> float:
    return score.pelvis_off_feet_m


def _at_most(
    name: str,
    scores: list[TakeScores],
    measure: Callable[[TakeScores], float],
    limit: float,
    unit: str,
) -> Requirement:
    values = [measure(score) for score in scores]
    # The worst take decides; the median tells whether it is an exception.
    worst, median = float(np.max(values)), float(np.median(values))
    over = sum(value > limit for value in values)
    reached = f"median {median:.2f}, worst {worst:.2f} {unit}".strip()
    counted = f", {over} of {len(values)} over" if over else ""
    return Requirement(name, reached + counted, f"<= {limit:g} {unit}".strip(), worst <= limit)


def _at_least(name: str, values: list[float], limit: float, unit: str) -> Requirement:
    worst, median = float(np.min(values)), float(np.median(values))
    reached = f"median {median:.2f}, worst {worst:.2f} {unit}".strip()
    return Requirement(name, reached, f">= {limit:g} {unit}".strip(), worst >= limit)


def _share(name: str, good: list[bool], share: float) -> Requirement:
    reached = f"{sum(good)} of {len(good)}"
    return Requirement(name, reached, f">= {share:.0%}", sum(good) >= share * len(good))
