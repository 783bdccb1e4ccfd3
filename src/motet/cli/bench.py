"""`motet bench`: how fast, how soon, how much memory."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.options import Device
from motet.registry import DEFAULT

if TYPE_CHECKING:
    from motet.evaluation.bench.measure import BenchSubject
    from motet.evaluation.bench.report import BenchReport

REFERENCE = "loudness to jaw"
"""Baseline to whose CPU time the methods are compared."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """Every subject in a fresh process on the same sound: load, curves, video, streaming latency,
    memory. The baseline goes through the same. Several lengths or numbers of threads are measured
    in every combination.
    """

    method: tyro.conf.Positional[str] = DEFAULT
    """Method to measure; `all` for all of them, `none` for the baseline alone."""
    audio: Path | None = None
    """Recording to use; speech inside the package when left out."""
    seconds: tuple[float, ...] = (10.0,)
    """Lengths of the sound: the recording is repeated or cut."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file to write (its schema: `motet/evaluation/bench/schema.json`)."""
    weights: Path | None = None
    """A motet checkpoint to measure instead of the shipped one."""
    threads: tuple[int, ...] = (0,)
    """Numbers of processor threads; 0: the method's own choice."""
    device: Device = "cpu"
    """Where the networks run; `auto` takes a GPU where there is one."""
    repeats: int = 3
    """Number of runs; the median is reported."""
    chunk_ms: float = 20.0
    """Length of the pieces when streaming."""
    video: bool = True
    """Also measure speech to mp4."""
    process: bool = True
    """Also measure whole runs of the command line, from start to exit."""
    json: bool = False
    """Print JSON instead of the table."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Measure and report."""
        from rich.console import Console

        report = self._measure()
        if self.out:
            report.save(self.out)
        if self.json:
            print(json.dumps(report.to_json(), indent=1))
        else:
            Console(width=max(Console().width, 110)).print(report.table())
        return 0

    def _measure(self) -> BenchReport:
        from motet.errors import ConfigError
        from motet.evaluation.bench.report import BenchReport

        if not self.seconds or not self.threads:
            raise ConfigError("a bench needs a length and a number of threads, or leave them out")
        for seconds in self.seconds:
            if not 1.0 <= seconds <= 7200.0:
                raise ConfigError(f"the sound must last 1 to 7200 seconds, not {seconds:g}")
        settings = itertools.product(self.seconds, self.threads)
        return BenchReport.joined([self._report(*setting) for setting in settings])

    def _subjects(self) -> list[BenchSubject]:
        """Methods and the baseline."""
        from motet.errors import ConfigError
        from motet.evaluation.bench.measure import BenchSubject
        from motet.methods import find_methods

        if self.method == "all" and self.weights:
            raise ConfigError("weights belong to one method; name it instead of all")
        weights = str(self.weights.resolve()) if self.weights else ""
        names = {"all": sorted(find_methods()), "none": []}.get(self.method, [self.method])
        methods = [BenchSubject(name, "method", weights, self.device) for name in names]
        return [*methods, BenchSubject(REFERENCE, "baseline")]

    def _report(self, seconds: float, threads: int) -> BenchReport:
        """All subjects with one length and one number of threads."""
        from motet.evaluation.bench.measure import BenchConfig
        from motet.evaluation.bench.process import bench

        config = BenchConfig(threads, self.repeats, self.chunk_ms, self.video)
        with _progress(self.quiet) as progress:
            task = progress.add_task("")

            def show(what: str, done: int, total: int) -> None:
                progress.update(task, description=f"measuring {what}", completed=done, total=total)

            return bench(
                self._subjects(),
                self._sound(seconds),
                config,
                reference=REFERENCE,
                whole_process=self.process,
                on_progress=show,
            )

    def _sound(self, seconds: float):
        from motet.evaluation.face import long_audio
        from motet.evaluation.held_out import HeldOutClip, load_held_out

        clips = load_held_out().clips
        if self.audio is not None:
            from motet.audio import read_audio, to_mono

            clips = (HeldOutClip(self.audio.name, "given", to_mono(read_audio(self.audio))),)
        return long_audio(clips, seconds)


def _progress(quiet: bool):
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)


COMMAND = Bench
