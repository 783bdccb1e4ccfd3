"""Batches of `motet run`: which recordings, their outputs, and the processes that run them."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from motet.atomic_write import make_folder
from motet.batch.storage import Location, expand, file_name, is_address, join, location_of, stem
from motet.errors import ConfigError, InputError
from motet.options import Postprocess

if TYPE_CHECKING:
    from motet.batch.jobs import Executor, Job, Outcome
    from motet.batch.manifest import Row
    from motet.cli.run import Run


SEQUENCES = {".png", ".obj"}
"""Formats of one file a frame."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """Recordings of a batch and where they are run."""

    manifest: str = ""
    """A .csv or .jsonl file with one recording in each row: column `audio`, and optional columns
    `name`, `text`, `style`, `emotion`, `seed`, ... that override the command line."""
    shard: str = ""
    """I/N: the I-th of N equal parts of the batch, for machines that share a folder."""
    workers: int = 0
    """Processes on this machine; 0: one for each core, fewer where memory is short."""
    cluster: str = ""
    """Address of a Ray cluster that runs the batch: auto, HOST:6379, or local."""

    def check_alone(self) -> None:
        """Options of a batch need a folder as -o.

        Raises:
            ConfigError: names the option.
        """
        for field in dataclasses.fields(self):
            if getattr(self, field.name) != field.default:
                raise ConfigError(f"--{field.name} is for a batch; give a folder as -o")

    def part(self) -> tuple[int, int]:
        """The shard's number, from 0, and how many there are.

        Raises:
            ConfigError: not I/N with 1 <= I <= N.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", self.shard or "1/1")
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ConfigError(f"--shard must be I/N such as 2/8, not {self.shard!r}")
        return int(match[1]) - 1, int(match[2])

    def executor(self, jobs: int) -> Executor:
        """What runs the jobs.

        Raises:
            ConfigError: options that exclude each other.
        """
        if self.cluster and self.workers:
            raise ConfigError("--workers is for this machine, --cluster for others; leave one out")
        if self.workers < 0:
            raise ConfigError(f"--workers must be 0 or more, not {self.workers}")
        if self.cluster:
            from motet.batch.cluster import RayCluster

            return RayCluster(self.cluster)
        from motet.batch.workers import Workers, worker_count

        return Workers(worker_count(jobs, self.workers))


def run_batch(command: Run, folder: Location) -> int:
    """Run every recording of a batch that is not done yet; returns 0.

    Raises:
        InputError: names the recordings that failed; the others are made.
    """
    from motet.batch.jobs import run_jobs
    from motet.batch.ledger import open_ledger
    from motet.cli.progress import progress_bars

    number, parts = command.batch.part()
    sequences = {f".{ending}" for ending in command.endings} & SEQUENCES
    if isinstance(folder, str) and sequences:
        raise ConfigError(f"{sequences.pop()} is many files; write it into a local folder")
    jobs = _jobs(command, folder)
    if not jobs:
        print(
            f"shard {number + 1} of {parts} has no recording: they are fewer than the shards, or"
            " fell into the others"
        )
        return 0
    executor = command.batch.executor(len(jobs))
    if isinstance(folder, Path):
        make_folder(folder)
    left_out = ("audio", "out", "quiet", "batch")
    settings = {key: value for key, value in vars(command).items() if key not in left_out}
    one_alone = executor.in_this_process
    worker = command if one_alone else dataclasses.replace(command, quiet=True)
    with progress_bars(command.quiet or one_alone) as bars:
        task = bars.add_task("recordings", total=len(jobs))

        def report(outcome: Outcome) -> None:
            bars.advance(task)

        ledger = open_ledger(folder, command.batch.shard.replace("/", "-of-"))
        outcomes = run_jobs(jobs, settings, partial(_run_job, worker), ledger, executor, report)
    return _report(outcomes, folder, command.quiet)


def take_of(path: Location, take: int, takes: int) -> Location:
    """The path of one of several takes."""
    if takes == 1:
        return path
    name = Path(file_name(path))
    folder = path.parent if isinstance(path, Path) else path.rpartition("/")[0]
    return join(folder, f"{name.stem}.take{take + 1}{name.suffix}")


def with_settings(command: Run, settings: Mapping[str, object]) -> Run:
    """The command with a recording's own settings.

    Raises:
        ConfigError: one that is out of range.
    """
    names = {field.name for field in dataclasses.fields(Postprocess)}
    of_face = {name: value for name, value in settings.items() if name in names}
    others = {name: value for name, value in settings.items() if name not in names}
    postprocess = dataclasses.replace(command.postprocess, **of_face)  # type: ignore[arg-type]
    return dataclasses.replace(command, postprocess=postprocess, **others)  # type: ignore[arg-type]


def _run_job(command: Run, job: Job) -> None:
    own, n = with_settings(command, job.settings), len(command.endings)
    own.write(job.source, [job.outputs[i : i + n] for i in range(0, len(job.outputs), n)])


def _jobs(command: Run, folder: Location) -> list[Job]:
    """The jobs of this shard, checked before the first is run."""
    from motet.batch.jobs import Job

    rows = _rows(command)
    number, parts = command.batch.part()
    jobs = []
    for row, name in zip(rows, distinct_names(rows), strict=True):
        own = with_settings(command, row.settings)
        if row.settings:
            own.check()
        files = [join(folder, f"{name}.{ending}") for ending in command.endings]
        outputs = tuple(take_of(f, t, own.takes) for t in range(own.takes) for f in files)
        # By the name, so that a row added to the manifest moves no other to another shard.
        if zlib.crc32(name.encode()) % parts == number:
            jobs.append(Job(row.audio, outputs, row.settings))
    return jobs


def _rows(command: Run) -> list[Row]:
    from motet.batch.manifest import Row, read_manifest

    rows = [Row(location) for location in expand(command.audio)]
    if command.batch.manifest:
        rows += read_manifest(location_of(command.batch.manifest))
    return rows


def _report(outcomes: Sequence[Outcome], folder: Location, quiet: bool) -> int:
    states = [outcome.state for outcome in outcomes]
    if not quiet:
        counts = (f"{states.count(s)} {s}" for s in ("done", "skipped", "failed"))
        print(f"{', '.join(counts)} in {folder}")
    failed = [o for o in outcomes if o.state == "failed"]
    if failed:
        raise InputError("; ".join(f"{o.job.source}: {o.reason}" for o in failed))
    return 0


def distinct_names(rows: Sequence[Row]) -> list[str]:
    """Names of the outputs: those of the manifest, or stems, with the folder's name before those
    that would collide.

    Raises:
        ConfigError: two recordings would still be written to one name.
    """
    stems = [row.name or stem(row.audio) for row in rows]
    count = Counter(stems)
    names = [
        name if row.name or count[name] == 1 else _with_folder(row.audio)
        for row, name in zip(rows, stems, strict=True)
    ]
    same = [name for name, times in Counter(names).items() if times > 1]
    if same:
        raise ConfigError(
            f"two recordings would be written to {same[0]}; give names in a manifest, or run them"
            " into different folders"
        )
    return names


def _with_folder(audio: Location) -> str:
    path = Path(audio) if is_address(audio) else Path(audio).resolve()
    return f"{path.parent.name}_{path.stem}_{path.suffix.lstrip('.')}"
