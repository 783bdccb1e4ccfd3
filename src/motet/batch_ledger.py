"""Batches of recordings with a ledger of what is done; a bad file does not stop the rest.

The ledger is a file of JSON lines beside the outputs. An entry identifies the content of the input
and the settings: renamed inputs are recognised, changed settings are run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from motet.errors import InputError, MissingDependency

LEDGER_NAME = "motet-ledger.jsonl"


@dataclasses.dataclass(frozen=True)
class Job:
    """One recording and the files to write from it."""

    source: Path
    outputs: tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    state: str
    """`done`, `skipped` (was done before) or `failed`."""
    reason: str = ""


class Ledger:
    """Finished jobs by content of input and settings. Lines that a crash cut short are skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[str, list[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
                self._done[entry["key"]] = list(entry["outputs"])
            except (json.JSONDecodeError, KeyError, TypeError):
                continue

    @staticmethod
    def key(source: Path, settings: Mapping[str, object]) -> str:
        """Identity of a job: content of the input and the settings."""
        content = hashlib.sha256(source.read_bytes())
        content.update(json.dumps(dict(settings), sort_keys=True, default=str).encode())
        return content.hexdigest()[:24]

    def is_done(self, key: str, outputs: Sequence[Path]) -> bool:
        """Whether this job was recorded for these files and they still exist."""
        return self._done.get(key) == [path.name for path in outputs] and all(
            path.exists() for path in outputs
        )

    def record(self, key: str, outputs: Sequence[Path]) -> None:
        """Record a finished job; it is on disk when this returns."""
        names = [path.name for path in outputs]
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._cut_short() + json.dumps({"key": key, "outputs": names}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._done[key] = names

    def _cut_short(self) -> bool:
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def run_jobs(
    jobs: Iterable[Job], settings: Mapping[str, object], work: Callable[[Job], None], ledger: Ledger
) -> list[Outcome]:
    """Run every job that is not done yet. One that fails, in whatever way, fails alone."""
    outcomes = []
    for job in jobs:
        try:
            key = ledger.key(job.source, settings)
            if ledger.is_done(key, job.outputs):
                outcomes.append(Outcome(job, "skipped"))
                continue
            work(job)
            ledger.record(key, job.outputs)
            outcomes.append(Outcome(job, "done"))
        except (InputError, MissingDependency, OSError) as error:
            outcomes.append(Outcome(job, "failed", " ".join(str(error).split())))
        except Exception as error:  # unforeseen, and still no reason to stop the rest
            reason = f"internal error, please report it: {type(error).__name__}: {error}"
            outcomes.append(Outcome(job, "failed", " ".join(reason.split())))
    return outcomes
