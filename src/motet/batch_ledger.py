"""Many recordings in one go: a ledger remembers what is done, a bad file is reported and stops
nothing.

The ledger is a file of JSON lines beside the outputs. An entry names the content of the input and
the settings, so renamed inputs are recognised and changed settings are not mistaken for done work.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from motet.errors import InputError, MissingDependency

LEDGER_NAME = "motet-ledger.jsonl"


@dataclasses.dataclass(frozen=True)
class Job:
    """One input and the files that it becomes."""

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
    """What was done before, by content of the input and settings. Lines that a crash cut short are
    ignored.
    """

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
    def key(source: Path, settings: Mapping[str, Any]) -> str:
        """Identity of a job: content of the input and the settings."""
        content = hashlib.sha256(source.read_bytes())
        content.update(json.dumps(dict(settings), sort_keys=True, default=str).encode())
        return content.hexdigest()[:24]

    def is_done(self, key: str, outputs: Sequence[Path]) -> bool:
        """True when this work was recorded for these files and they are still there."""
        return self._done.get(key) == [path.name for path in outputs] and all(
            path.exists() for path in outputs
        )

    def record(self, key: str, outputs: Sequence[Path]) -> None:
        """Remember finished work, safely on disk before it is counted on."""
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
    jobs: Iterable[Job], settings: Mapping[str, Any], work: Callable[[Job], None], ledger: Ledger
) -> list[Outcome]:
    """Do every job that is not done yet; an input that cannot be used is recorded as failed and the
    rest goes on.
    """
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
    return outcomes
