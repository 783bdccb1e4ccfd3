"""What a bench found, as data classes, JSON and a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.atomic_write import make_folder, write_bytes
from motet.config import to_json
from motet.evaluation.bench.machine import Machine

if TYPE_CHECKING:
    from rich.table import Table


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the work."""

    name: str
    wall_s: float
    """Time on the clock; the median of the repetitions."""
    cpu_s: float
    """Time of all threads together in the same repetition."""
    peak_mb: float
    """Most memory that the process held until the end of this stage."""


@dataclasses.dataclass(frozen=True)
class Streaming:
    """Sound pushed in small pieces, frames taken as they become certain."""

    chunk_ms: float
    chunk_p50_ms: float
    """Time to process a piece of sound, half of the pieces."""
    chunk_p95_ms: float
    chunk_max_ms: float
    first_frame_sound_s: float
    """Sound that had to arrive before the first frame came."""
    first_frame_compute_s: float
    """Time to compute it once that sound was there."""
    latency_p50_s: float
    """From the moment a frame belongs to until it was there: sound waited for plus time to
    compute."""
    latency_p95_s: float
    real_time_factor: float


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Pictures made one after the other, of a method that draws."""

    width: int
    height: int
    frames_per_s: float
    """By the clock, from the sound to the last picture; loading and writing the video not
    counted."""
    cpu_ms: float
    """Time of all threads for a picture."""
    first_frame_s: float
    """From the sound to the first picture, once the method is loaded."""


@dataclasses.dataclass(frozen=True)
class Result:
    """One subject."""

    subject: str
    sound_s: float
    """Length of the sound."""
    frames: int
    threads: int
    precision: str
    """Types of the weights."""
    parameters: int
    stages: tuple[Stage, ...]
    """load (imports included), first run, curves (of a method that draws: pictures), and mp4 of
    curves where it was asked for; in one process, after one another."""
    streaming: Streaming | None = None
    drawing: Drawing | None = None
    process: tuple[Stage, ...] = ()
    """Whole processes of the command line, from start to exit."""

    def stage(self, name: str) -> Stage | None:
        """A stage by its name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def made(self) -> Stage | None:
        """The stage that generated the whole output."""
        return self.stage("curves") or self.stage("pictures")

    @property
    def real_time_factor(self) -> float:
        """Time to make the curves (or pictures) of a second of sound."""
        return self.made.wall_s / self.sound_s if self.made else float("nan")


@dataclasses.dataclass(frozen=True)
class BenchReport:
    """All subjects of one run."""

    machine: Machine
    results: tuple[Result, ...]
    reference: str = ""
    """Subject to whose CPU time the others are compared."""

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values, with the real-time factors and the ratios."""
        plain = to_json(self)
        # Derived numbers are written too, so that a reader of the JSON needs no formula.
        for row, result in zip(plain["results"], self.results, strict=True):
            row |= {"real_time_factor": result.real_time_factor, "cpu_ratio": self.ratio(result)}
        return {"format": "motet-bench/1", **plain}

    def ratio(self, result: Result) -> float | None:
        """CPU time of the curves (or pictures) over that of the reference on the same sound, with
        the nearest number of threads.
        """
        own = result.made
        same = [
            r for r in self.results if r.subject == self.reference and r.sound_s == result.sound_s
        ]
        # A reference of another length or thread count would compare unlike with unlike.
        nearest = min(same, key=lambda r: abs(r.threads - result.threads), default=None)
        other = nearest.made if nearest else None
        return own.cpu_s / other.cpu_s if own and other and other.cpu_s else None

    @classmethod
    def joined(cls, reports: Sequence[BenchReport]) -> BenchReport:
        """Several runs on one machine as one report; the load is that of the first."""
        results = [result for report in reports for result in report.results]
        return cls(reports[0].machine, tuple(results), reports[0].reference)

    def save(self, path: Path) -> Path:
        """Write the JSON; the file appears only when it is complete."""
        make_folder(path.parent)
        text = json.dumps(self.to_json(), indent=1) + "\n"
        return write_bytes(path, text.encode())

    def table(self) -> Table:
        """A rich table: one line a number, one column a subject."""
        from rich.table import Table

        machine = self.machine
        table = Table(
            "",
            title=f"{machine.processor}, {machine.cores} cores, load {machine.load:g} at start",
            title_justify="left",
        )
        varied = len({(result.sound_s, result.threads) for result in self.results}) > 1
        for result in self.results:
            setting = f"\n{result.sound_s:g} s, {result.threads} threads" if varied else ""
            table.add_column(result.subject + setting, justify="right")
        lines = [_lines(result, self.ratio(result), self.reference) for result in self.results]
        for name in dict.fromkeys(name for line in lines for name in line):
            table.add_row(name, *(line.get(name, "") for line in lines))
        return table


def _lines(result: Result, ratio: float | None, reference: str) -> dict[str, str]:
    lines = {
        "sound": f"{result.sound_s:.1f} s",
        "threads": str(result.threads),
        "precision": result.precision,
        "parameters": f"{result.parameters / 1e6:.2f} M",
        "real-time factor": f"{result.real_time_factor:.4f}",
    }
    for title, stages in (("", result.stages), ("whole process: ", result.process)):
        lines |= {
            f"{title}{stage.name}": (
                f"{stage.wall_s:.3f} s, CPU {stage.cpu_s:.3f} s, {stage.peak_mb:.0f} MB"
            )
            for stage in stages
        }
    drawn, stream = result.drawing, result.streaming
    if drawn:
        lines[f"pictures of {drawn.width} x {drawn.height}"] = (
            f"{drawn.frames_per_s:.1f} a second, CPU {drawn.cpu_ms:.1f} ms each"
        )
        lines["first picture"] = f"{1000 * drawn.first_frame_s:.0f} ms"
    if stream:
        lines[f"a piece of {stream.chunk_ms:g} ms: p50, p95, max"] = (
            f"{stream.chunk_p50_ms:.2f}, {stream.chunk_p95_ms:.2f}, {stream.chunk_max_ms:.2f} ms"
        )
        lines["first frame: sound needed, then compute"] = (
            f"{stream.first_frame_sound_s:.3f} s, {1000 * stream.first_frame_compute_s:.1f} ms"
        )
        lines["latency of a frame: p50, p95"] = (
            f"{stream.latency_p50_s:.3f}, {stream.latency_p95_s:.3f} s"
        )
        lines["real-time factor in pieces"] = f"{stream.real_time_factor:.4f}"
    return lines | ({f"CPU time over {reference}": f"{ratio:.2f}"} if ratio is not None else {})
