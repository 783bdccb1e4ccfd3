"""Lip sync of a fitted person on unseen speech, against the 3D methods' openings.

There is no footage to compare with, so the course of the opening is: lips found by the landmarker
in the drawn pictures on one side, the lips of the house figure, which a method for curves moves, on
the other. Only correlation is asked, because sizes of mouths differ.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motet.errors import InputError
from motet.metrics.lip_geometry import LipGeometry
from motet.metrics.picture import correlation
from motet.tracking.lip_landmarks import LOWER, UPPER, LipFinder
from motet.types import Audio, Motion

if TYPE_CHECKING:
    from rich.table import Table

FPS = 25.0
LAG = 1
"""Frames by which the two courses may be moved against each other."""
LEAST_FOUND = 0.8
"""Share of pictures in which lips must be found."""
_TOGETHER = 32

Pictures = Callable[[Audio], Iterable[UInt8[np.ndarray, "height width 3"]]]
"""A person's pictures for a sound, showing the face alone."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """Speech to be said."""

    name: str
    audio: Audio


@dataclasses.dataclass(frozen=True)
class Spoken:
    """What came of one recording."""

    name: str
    frames: int
    detected: float
    """Share of pictures in which the lips were found."""
    correlations: Mapping[str, float]
    """With each method for curves, at the best lag of at most one frame."""


def spoken_alike(
    pictures: Pictures,
    recordings: Sequence[Recording],
    curves: Mapping[str, Callable[[Audio], Motion]],
    lip_geometry: LipGeometry,
    finder: LipFinder,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> list[Spoken]:
    """Say every recording and compare.

    Args:
        curves: methods by name that generate blendshapes.
        on_progress: (recording, how many are done, how many there are).

    Raises:
        InputError: lips are found in too few of the drawn pictures.
    """
    rows = []
    for number, recording in enumerate(recordings):
        if on_progress is not None:
            on_progress(recording.name, number, len(recordings))
        seen, result = drawn_opening(pictures(recording.audio), finder)
        if float(result.float().mean()) < LEAST_FOUND:
            raise InputError(
                f"in the pictures of {recording.name} lips were found in"
                f" {float(result.float().mean()):.0%} only; is the face large enough?"
            )
        openings = {
            name: lip_geometry.opening(curve(recording.audio).at(FPS))
            for name, curve in curves.items()
        }
        values = {
            # the same frames for every method
            name: best_correlation(seen, opening, result)
            for name, opening in openings.items()
        }
        rows.append(Spoken(recording.name, len(seen), float(result.float().mean()), values))
    return rows


def drawn_opening(
    pictures: Iterable[UInt8[np.ndarray, "height width 3"]], finder: LipFinder
) -> tuple[Float[Tensor, " frames"], Tensor]:
    """Distance of the inner lips in pixels in every picture, and in which pictures lips were found.

    Raises:
        InputError: no pictures at all.
    """
    parts = [finder.find(torch.from_numpy(np.stack(some))) for some in _together(pictures)]
    if not parts:
        raise InputError("there are no pictures in which lips could be found")
    points, result = (torch.cat(part) for part in zip(*parts, strict=True))
    return (points[:, LOWER] - points[:, UPPER]).norm(dim=-1), result  # (frames), pixels


def _together(pictures: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    remaining = iter(pictures)
    while some := list(islice(remaining, _TOGETHER)):
        yield some


def best_correlation(
    seen: Float[Tensor, " frames"],
    expected: Float[Tensor, " frames"],
    found: Tensor,
    lag: int = LAG,
) -> float:
    """Largest correlation over shifts of up to `lag` frames, over frames in which lips were found.

    Raises:
        InputError: too few frames in common.
    """
    count = min(len(seen), len(expected))
    if count < 10 + 2 * lag:
        raise InputError(f"{count} frames are too few to correlate")
    seen, expected, found = seen[:count].double(), expected[:count].double(), found[:count]
    # Frames that have a partner at every shift: correlations over the same frames compare.
    inside = torch.arange(lag, count - lag)
    inside = inside[found[inside]]
    return max(
        correlation(seen[inside], expected[inside + shift]) for shift in range(-lag, lag + 1)
    )


def medians(rows: Sequence[Spoken]) -> dict[str, float]:
    """The median over recordings for each method."""
    return {
        name: statistics.median(row.correlations[name] for row in rows)
        for name in rows[0].correlations
    }


def to_json(rows: Sequence[Spoken]) -> dict[str, Any]:
    """All rows and the medians as JSON values."""
    return {"recordings": [dataclasses.asdict(row) for row in rows], "medians": medians(rows)}


def voices_table(rows: Sequence[Spoken], title: str) -> Table:
    """One line a recording, one column a method."""
    from rich.table import Table

    table = Table(
        "recording",
        "frames",
        "lips found",
        *rows[0].correlations,
        title=title,
        title_justify="left",
    )
    for row in rows:
        table.add_row(
            row.name,
            str(row.frames),
            f"{row.detected:.0%}",
            *(f"{value:.2f}" for value in row.correlations.values()),
        )
    table.add_section()
    table.add_row("median", "", "", *(f"{value:.2f}" for value in medians(rows).values()))
    return table
