"""Jobs of a batch: what is done is skipped, and a job that fails stops no other."""

from __future__ import annotations

import dataclasses
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from motet.batch.ledger import AnyLedger, content_digest, settings_digest
from motet.batch.storage import Location
from motet.errors import InputError, MotetError


@dataclasses.dataclass(frozen=True)
class Job:
    """One recording and the files to write from it."""

    source: Location
    outputs: tuple[Location, ...]
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Settings of this job alone; they count beside those of the batch."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    state: str
    """`done`, `skipped` (was done before) or `failed`."""
    reason: str = ""


Work = Callable[[Job], None]
"""Writes the outputs of a job. Executors with processes need one that can be pickled."""
Attempt = tuple[Job, str]
"""A job that was tried, and why it failed; an empty reason when it did not."""


class Executor(Protocol):
    """Runs jobs, in whatever order and wherever."""

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Attempt]:
        """Try every job; jobs are taken one by one, as there is room for them."""
        ...


class InTurn:
    """One job after another, in this process."""

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Attempt]:
        """Try every job in the order given."""
        for job in jobs:
            yield job, attempt(work, job)


def attempt(work: Work, job: Job) -> str:
    """Run one job; why it failed, or an empty string. Errors that nobody foresaw count too."""
    try:
        work(job)
    except (MotetError, OSError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    except Exception as error:  # must not cost the recordings that come after this one
        if os.environ.get("MOTET_DEBUG"):
            traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return f"internal error, please report it: {text}"
    return ""


def run_jobs(
    jobs: Iterable[Job],
    settings: Mapping[str, object],
    work: Work,
    ledger: AnyLedger,
    executor: Executor | None = None,
    report: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run every job that is not done yet. The ledger is written by this process alone.

    Args:
        settings: what all jobs have in common; a job is done only for the same settings.
        report: called with every outcome as it comes.

    Returns:
        One outcome for each job, in the order of the jobs.
    """
    jobs = list(jobs)
    batch = _Batch(settings_digest(settings), ledger, report)
    for job, reason in (executor or InTurn()).run(work, batch.waiting(jobs)):
        batch.settle(job, reason)
    return [batch.outcomes[job.outputs] for job in jobs]


class _Batch:
    """Keys of the jobs that wait, and the outcomes so far, by outputs: no two jobs share any."""

    def __init__(
        self, common: str, ledger: AnyLedger, report: Callable[[Outcome], None] | None
    ) -> None:
        self.outcomes: dict[tuple[Location, ...], Outcome] = {}
        self._common = common
        self._ledger = ledger
        self._report = report
        self._keys: dict[tuple[Location, ...], str] = {}

    def waiting(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The jobs that are not done yet."""
        for job in jobs:
            try:
                key = self._key(job)
                done = self._ledger.is_done(key, job.outputs)
            except (MotetError, OSError) as error:
                self._add(Outcome(job, "failed", " ".join(str(error).split())))
                continue
            if done:
                self._add(Outcome(job, "skipped"))
                continue
            self._keys[job.outputs] = key
            yield job

    def settle(self, job: Job, reason: str) -> None:
        """Record how a job ended."""
        key = self._keys.pop(job.outputs)
        try:
            if not reason:
                self._ledger.record(key, job.outputs)
        except (MotetError, OSError) as error:
            reason = " ".join(str(error).split())
        self._add(Outcome(job, "failed" if reason else "done", reason))

    def _key(self, job: Job) -> str:
        source = job.source
        if isinstance(source, Path) and source.exists() and not source.is_file():
            kind = "a folder" if source.is_dir() else "no ordinary file"
            raise InputError(f"is {kind}; for all files of a folder give 'FOLDER/*'")
        own = f"-{settings_digest(job.settings)}" if job.settings else ""
        return f"{content_digest(source)}-{self._common}{own}"

    def _add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.job.outputs] = outcome
        if self._report is not None:
            self._report(outcome)
