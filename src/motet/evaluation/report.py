"""Scores of several subjects side by side: as a table for readers, as JSON for programs.

In JSON a score is `{"value", "unit", "region", "better", "clips", "each"}` under `subjects / NAME /
GROUP / METRIC`; a value that is not finite is null.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.atomic_write import make_folder, write_bytes
from motet.metrics import (
    blink,
    body,
    body_reaction,
    diversity,
    face_benchmarks,
    head,
    jitter,
    lip,
    mesh,
    picture,
    seam,
    synchrony,
    talking_mouth,
)
from motet.metrics.metric import Metric

if TYPE_CHECKING:
    from rich.table import Table

LENGTH = Metric(
    "length_error",
    "frames",
    "whole take",
    "lower",
    "largest difference between the frames given and round(seconds * fps)",
)
_PARTS = (
    lip, jitter, seam, head, blink, diversity, body, body_reaction, picture, face_benchmarks, mesh,
    synchrony, talking_mouth,
)  # fmt: skip
METRICS: dict[str, Metric] = {metric.id: metric for part in _PARTS for metric in part.METRICS} | {
    LENGTH.id: LENGTH
}
"""Every score that an evaluation can contain, by id."""


@dataclasses.dataclass(frozen=True)
class Score:
    """One number over the clips of one group."""

    metric: str
    group: str
    value: float
    clips: int
    """How many clips it was taken over."""
    each: tuple[float, ...] = ()
    """The number of each clip, where the score puts clips together."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found."""

    subjects: Mapping[str, tuple[Score, ...]]
    """Scores by the name of the method, baseline or person."""
    facts: Mapping[str, Any]
    """What it was measured on: data, figure, clips, seed, rates; JSON values."""

    def value(self, subject: str, metric: str, group: str) -> float | None:
        """One score, or None where it was not taken."""
        return next(
            (
                score.value
                for score in self.subjects[subject]
                if (score.metric, score.group) == (metric, group)
            ),
            None,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "format": "motet-evaluation/1",
            "facts": dict(self.facts),
            "subjects": {name: _nested(scores) for name, scores in self.subjects.items()},
        }

    def save(self, path: Path) -> Path:
        """Write the JSON; the file appears only when it is complete."""
        make_folder(path.parent)
        text = json.dumps(self.to_json(), indent=1) + "\n"
        return write_bytes(path, text.encode())

    def table(self) -> Table:
        """A rich table: one line a score, one column a subject."""
        from rich.table import Table

        table = Table(
            "score",
            "on",
            "unit",
            "better",
            title=", ".join(f"{key}: {value}" for key, value in self.facts.items()),
            title_justify="left",
        )
        for name in self.subjects:
            table.add_column(name, justify="right")
        for metric, group in self.rows():
            known = METRICS[metric]
            values = [self.value(name, metric, group) for name in self.subjects]
            table.add_row(
                metric,
                group,
                known.unit,
                known.better,
                *("" if value is None else _written(value) for value in values),
            )
        return table

    def latex(self) -> str:
        """A LaTeX table: one line a subject, one column a score; facts as comments above."""
        rows = self.rows()
        lines = [f"% {key}: {value}" for key, value in self.facts.items()]
        lines += [f"% {m}: {METRICS[m].about} ({METRICS[m].unit})" for m, _ in rows]
        # booktabs' rules; arrows say which direction is better
        arrows = {"higher": r" $\uparrow$", "lower": r" $\downarrow$"}
        heads = [_escaped(m) + arrows.get(METRICS[m].better, "") for m, _ in rows]
        lines += [rf"\begin{{tabular}}{{l{'r' * len(rows)}}}", r"\toprule"]
        lines += [" & ".join(["", *heads]) + r" \\", r"\midrule"]
        for name in self.subjects:
            values = [self.value(name, *row) for row in rows]
            cells = ["" if value is None else _written(value) for value in values]
            lines.append(" & ".join([_escaped(name), *cells]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])

    def rows(self) -> list[tuple[str, str]]:
        """All (metric, group) pairs that any subject has, in the order of `METRICS`."""
        pairs = dict.fromkeys(
            (score.metric, score.group) for scores in self.subjects.values() for score in scores
        )
        # by the order of METRICS, so that reports compare line by line
        return sorted(pairs, key=lambda pair: list(METRICS).index(pair[0]))


def _nested(scores: tuple[Score, ...]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for score in scores:
        known = METRICS[score.metric]
        facts = {
            "unit": known.unit,
            "region": known.region,
            "better": known.better,
            "clips": score.clips,
        }
        each = {"each": [_finite(value) for value in score.each]} if score.each else {}
        nested.setdefault(score.group, {})[score.metric] = {
            "value": _finite(score.value),
            **facts,
            **each,
        }
    return nested


def _escaped(text: str) -> str:
    """Text with the characters escaped that LaTeX would read as commands."""
    return "".join(f"\\{letter}" if letter in "_%&#$" else letter for letter in text)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _written(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
