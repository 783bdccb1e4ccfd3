"""How many steps a diffusion method needs: what few steps give, beside the sampler that takes them
all.

For the same sounds and the same number of takes: the distance of the drawn distribution to that of
the reference sampler (energy distance of manners over stretches of two seconds, in deviations of
the reference; the reference against itself with other seeds tells what 0 looks like), the error of
the lips against the mean of the reference takes, diversity, CPU seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from motet.evaluation.bench.clock import timed
from motet.metrics import diversity
from motet.metrics.lip_geometry import LipGauge
from motet.metrics.motion_statistics import energy_distance, manners
from motet.types import Audio, Motion

if TYPE_CHECKING:
    from rich.table import Table

Sample = Callable[[Audio, Sequence[int], Mapping[str, Any]], Motion]
"""(sound, seeds, options) -> takes along the first axis."""
REFERENCE: Mapping[str, Any] = {"sampler": "ancestral", "steps": 500}
"""The published way."""


@dataclasses.dataclass(frozen=True)
class StepRow:
    """One way of drawing."""

    sampler: str
    steps: int
    distance: float
    """Energy distance to the reference, deviations."""
    lip_error_mm: float
    """Lip vertices against the mean of the reference takes."""
    diversity_head_deg: float
    diversity_upper_face: float
    diversity_lips_mm: float
    cpu_s: float
    """For ten seconds of sound and one take."""


def step_curve(
    sample: Sample,
    sounds: Sequence[Audio],
    gauge: LipGauge,
    choices: Sequence[tuple[str, int]],
    takes: int = 8,
    reference: Mapping[str, Any] = REFERENCE,
) -> list[StepRow]:
    """The reference against itself, then each (sampler, steps)."""
    first, spent = _draw(sample, sounds, reference, range(takes))
    scale, centre = _scale(first, gauge)
    lips = [gauge.lips(motion).mean(0) for motion in first]

    def row(name: str, steps: int, found: list[Motion], cpu_s: float) -> StepRow:
        distance = energy_distance(_cloud(found, gauge) / scale, centre / scale)
        error = [
            1000 * float((gauge.lips(motion).mean(0) - mean).norm(dim=-1).mean())
            for motion, mean in zip(found, lips, strict=True)
        ]
        spread = [diversity.evaluate(motion, gauge) for motion in found]
        mean = {key: sum(s[key] for s in spread) / len(spread) for key in spread[0]}
        return StepRow(
            name,
            steps,
            distance,
            sum(error) / len(error),
            mean["diversity_head"],
            mean["diversity_upper_face"],
            mean["diversity_lips"],
            10 * cpu_s / (takes * sum(a.seconds for a in sounds)),
        )

    again, again_cpu = _draw(sample, sounds, reference, range(takes, 2 * takes))
    rows = [
        row(
            f"{reference['sampler']}, other seeds",
            int(reference["steps"]),
            again,
            min(spent, again_cpu),
        )
    ]
    for name, steps in choices:
        found, cpu_s = _draw(
            sample, sounds, {"sampler": name, "steps": steps}, range(takes, 2 * takes)
        )
        rows.append(row(name, steps, found, cpu_s))
    return rows


def curve_table(rows: Sequence[StepRow]) -> Table:
    """The rows for people."""
    from rich.table import Table

    table = Table(title="quality against steps")
    for heading in (
        "sampler",
        "steps",
        "distance",
        "lips (mm)",
        "head (deg)",
        "upper face",
        "lips between takes (mm)",
        "CPU-s for 10 s",
    ):
        table.add_column(heading, justify="right" if heading != "sampler" else "left")
    for r in rows:
        numbers = (
            r.distance,
            r.lip_error_mm,
            r.diversity_head_deg,
            r.diversity_upper_face,
            r.diversity_lips_mm,
            r.cpu_s,
        )
        table.add_row(r.sampler, str(r.steps), *(f"{value:.3f}" for value in numbers))
    return table


def _draw(
    sample: Sample, sounds: Sequence[Audio], options: Mapping[str, Any], seeds: Sequence[int]
) -> tuple[list[Motion], float]:
    takes, elapsed = timed(lambda: [sample(sound, tuple(seeds), options) for sound in sounds])
    return takes, elapsed.cpu_s


def _cloud(found: Sequence[Motion], gauge: LipGauge) -> Tensor:
    return torch.cat(
        [
            manners(Motion(values, motion.space), gauge)
            for motion in found
            for values in motion.values
        ]
    )


def _scale(found: Sequence[Motion], gauge: LipGauge) -> tuple[Tensor, Tensor]:
    cloud = _cloud(found, gauge)
    return cloud.std(0).clamp(min=1e-6), cloud
