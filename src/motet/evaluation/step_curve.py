"""Number of sampling steps against quality: a fast sampler compared with the reference sampler.

For the same sounds and the same number of takes: the energy distance of the two distributions of
motion statistics over windows of two seconds (in deviations of the reference; the reference against
itself with other seeds shows the floor), the error of the lips against the mean of the reference
takes, diversity, CPU seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from motet.evaluation.bench.clock import timed
from motet.metrics import diversity
from motet.metrics.lip_geometry import LipGeometry
from motet.metrics.motion_statistics import energy_distance, window_statistics
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
    lip_geometry: LipGeometry,
    choices: Sequence[tuple[str, int]],
    takes: int = 8,
    reference: Mapping[str, Any] = REFERENCE,
) -> list[StepRow]:
    """The reference against itself, then each (sampler, steps)."""
    # seconds of motion in one pass over all sounds
    seconds = takes * sum(sound.seconds for sound in sounds)
    first, first_cpu_s = _draw(sample, sounds, reference, range(takes))
    compare = _Comparison(first, lip_geometry)
    # The same seeds for every sampler, other ones than the reference's.
    other_seeds = range(takes, 2 * takes)
    second, second_cpu_s = _draw(sample, sounds, reference, other_seeds)
    # The lesser of two runs: other work on the machine only adds.
    name, cpu_s = f"{reference['sampler']}, other seeds", min(first_cpu_s, second_cpu_s)
    rows = [compare.row(name, int(reference["steps"]), second, 10 * cpu_s / seconds)]
    for name, steps in choices:
        options = {"sampler": name, "steps": steps}
        motions, cpu_s = _draw(sample, sounds, options, other_seeds)
        rows.append(compare.row(name, steps, motions, 10 * cpu_s / seconds))
    return rows


class _Comparison:
    """Batches of takes, one a sound, compared with those of the reference sampler."""

    def __init__(self, reference: Sequence[Motion], lip_geometry: LipGeometry) -> None:
        self._lip_geometry = lip_geometry
        self._cloud = _cloud(reference, lip_geometry)
        # Each statistic in deviations of the reference: millimetres and degrees compare.
        self._scale = self._cloud.std(0).clamp(min=1e-6)
        self._mean_lips = [lip_geometry.lips(motion).mean(0) for motion in reference]

    def row(self, name: str, steps: int, motions: Sequence[Motion], cpu_s: float) -> StepRow:
        """All scores of one sampler; `cpu_s` for ten seconds of sound and one take."""
        geometry = self._lip_geometry
        cloud = _cloud(motions, geometry)
        errors = [
            # Means over takes: the spread of single takes is measured by the diversity.
            # metres to millimetres
            1000 * float((geometry.lips(motion).mean(0) - mean).norm(dim=-1).mean())
            for motion, mean in zip(motions, self._mean_lips, strict=True)
        ]
        spread = [diversity.evaluate(motion, geometry) for motion in motions]
        mean = {key: sum(s[key] for s in spread) / len(spread) for key in spread[0]}
        return StepRow(
            name,
            steps,
            energy_distance(cloud / self._scale, self._cloud / self._scale),
            sum(errors) / len(errors),
            mean["diversity_head"],
            mean["diversity_upper_face"],
            mean["diversity_lips"],
            cpu_s,
        )


def curve_table(rows: Sequence[StepRow]) -> Table:
    """The rows as a table."""
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


def _cloud(takes: Sequence[Motion], lip_geometry: LipGeometry) -> Tensor:
    return torch.cat(
        [
            window_statistics(Motion(values, motion.space), lip_geometry)
            for motion in takes
            for values in motion.values
        ]
    )
