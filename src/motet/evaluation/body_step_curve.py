"""Number of sampling steps against quality of a body method.

Distance of distributions is the energy distance of takes as whole movements: twice the mean
distance of a take to a reference take, less those of takes among themselves and of reference takes
among themselves; the distance of two takes is that of their joints, averaged. The reference against
itself with other seeds tells what 0 looks like.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.skeleton import pose_body
from motet.evaluation.bench.clock import timed
from motet.evaluation.body import Case
from motet.metrics import body_reaction
from motet.metrics.body_reaction import Reacting
from motet.types import Motion

if TYPE_CHECKING:
    from rich.table import Table

Draw = Callable[[Case, Sequence[int], Mapping[str, Any]], Motion]
"""(sequence, seeds, options) -> takes along the first axis."""
REFERENCE: Mapping[str, Any] = {"sampler": "ancestral", "steps": 1000}
"""The published way."""
SCORES = ("heading_error", "gaze_error", "foot_skate")


@dataclasses.dataclass(frozen=True)
class BodyStepRow:
    """One way of drawing."""

    sampler: str
    steps: int
    distance_m: float
    """Energy distance to the reference takes of the same sound, averaged over sounds."""
    between_takes_m: float
    """Mean distance of two takes."""
    scores: dict[str, float]
    cpu_s: float
    """For one take."""


def body_step_curve(
    draw: Draw,
    cases: Sequence[Case],
    choices: Sequence[tuple[str, int]],
    takes: int,
    reference: Mapping[str, Any] = REFERENCE,
) -> list[BodyStepRow]:
    """The reference against itself, then each (sampler, steps).

    Args:
        takes: for each sound and way; two at least.
    """
    # Reference takes with other seeds give the distance that chance alone makes.
    first, _, _ = _drawn(draw, cases, reference, range(takes))

    def row(name: str, options: Mapping[str, Any]) -> BodyStepRow:
        # Other seeds than the reference takes.
        result, scores, cpu_s = _drawn(draw, cases, options, range(takes, 2 * takes))
        distances = [energy(made, real) for made, real in zip(result, first, strict=True)]
        between = [_among(made) for made in result]
        return BodyStepRow(
            name,
            int(options["steps"]),
            _mean(distances),
            _mean(between),
            scores,
            cpu_s / (takes * len(cases)),
        )

    rows = [row(f"{reference['sampler']}, other seeds", reference)]
    return rows + [row(name, {"sampler": name, "steps": steps}) for name, steps in choices]


def energy(
    made: Float[Tensor, "takes frames joints 3"], real: Float[Tensor, "others frames joints 3"]
) -> float:
    """Energy distance of two sets of movements, metres."""
    return 2 * _mean([_apart(a, b) for a in made for b in real]) - _among(made) - _among(real)


def _among(takes: Float[Tensor, "takes frames joints 3"]) -> float:
    """Mean distance of two different takes."""
    # each pair once
    return _mean([_apart(takes[i], takes[j]) for i in range(len(takes)) for j in range(i)])


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm(dim=-1).mean())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _drawn(
    draw: Draw, cases: Sequence[Case], options: Mapping[str, Any], seeds: Sequence[int]
) -> tuple[list[Tensor], dict[str, float], float]:
    """Joints of all takes of each case, mean scores, CPU seconds."""
    positions, scores, cpu_s = [], {name: [] for name in SCORES}, 0.0
    for case in cases:
        # all takes as one batch
        motion, elapsed = timed(lambda case=case: draw(case, tuple(seeds), options))
        cpu_s += elapsed.cpu_s
        poses = [pose_body(Motion(values, motion.space)) for values in motion.values]
        positions.append(torch.stack([pose.positions.float() for pose in poses]))
        for pose in poses:
            for name, value in body_reaction.evaluate(
                Reacting(pose, motion.space.fps, case.truth)
            ).items():
                if name in scores:
                    scores[name].append(value)
    return positions, {name: _mean(values) for name, values in scores.items()}, cpu_s


def body_curve_table(rows: Sequence[BodyStepRow]) -> Table:
    """The rows for people."""
    from rich.table import Table

    table = Table(title="quality against steps")
    for heading in (
        "sampler",
        "steps",
        "distance (m)",
        "between takes (m)",
        "heading (deg)",
        "gaze (deg)",
        "skate (cm/s)",
        "CPU-s a take",
    ):
        table.add_column(heading, justify="right" if heading != "sampler" else "left")
    for row in rows:
        numbers = (
            row.distance_m,
            row.between_takes_m,
            *(row.scores[name] for name in SCORES),
            row.cpu_s,
        )
        table.add_row(row.sampler, str(row.steps), *(f"{value:.3f}" for value in numbers))
    return table
