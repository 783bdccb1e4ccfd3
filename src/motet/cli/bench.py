"""`motet bench`: how fast, how soon, how much memory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from motet.options import Device
from motet.registry import DEFAULT


@dataclasses.dataclass(frozen=True)
class Bench:
    """Every subject in a fresh process on the same sound: load, curves, video, streaming latency,
    memory. The baseline goes through the same.
    """

    method: tyro.conf.Positional[str] = DEFAULT
    """Method to measure; `none` for the baseline alone."""
    audio: Path | None = None
    """Recording to use; speech inside the package when left out."""
    seconds: float = 10.0
    """Length of the sound: the recording is repeated or cut."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file to write."""
    weights: Path | None = None
    """A motet checkpoint to measure instead of the shipped one."""
    threads: int = 0
    """Processor threads; 0: the method's own choice."""
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

    def _measure(self):
        from motet.errors import ConfigError
        from motet.evaluation.bench.measure import BenchConfig, BenchSubject
        from motet.evaluation.bench.process import bench

        if not 1.0 <= self.seconds <= 7200.0:
            raise ConfigError(f"the sound must last 1 to 7200 seconds, not {self.seconds:g}")
        weights = str(self.weights.resolve()) if self.weights else ""
        method = (
            []
            if self.method == "none"
            else [BenchSubject(self.method, "method", weights, self.device)]
        )
        subjects = [*method, BenchSubject("loudness to jaw", "baseline")]
        config = BenchConfig(self.threads, self.repeats, self.chunk_ms, self.video)
        with _progress(self.quiet) as progress:
            task = progress.add_task("")

            def show(what: str, done: int, total: int) -> None:
                progress.update(task, description=f"measuring {what}", completed=done, total=total)

            return bench(
                subjects,
                self._sound(),
                config,
                reference="loudness to jaw",
                whole_process=self.process,
                on_progress=show,
            )

    def _sound(self):
        from motet.evaluation.face import long_audio
        from motet.evaluation.held_out import HeldOutClip, load_held_out

        clips = load_held_out().clips
        if self.audio is not None:
            from motet.audio import read_audio, to_mono

            clips = (HeldOutClip(self.audio.name, "given", to_mono(read_audio(self.audio))),)
        return long_audio(clips, self.seconds)


def _progress(quiet: bool):
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)


COMMAND = Bench
