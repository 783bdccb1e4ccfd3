"""Batches of recordings with a ledger of what is done; a bad file does not stop the rest.

The ledger is a file of JSON lines beside the outputs. An entry identifies the content of every
input file, the settings and the version of motet, and states the digest of every output: renamed
inputs are recognised, and what has changed on either side is run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from motet import __version__
from motet.atomic_write import write_bytes
from motet.config import parse_json
from motet.errors import InputError, MotetError

LEDGER_NAME = "motet-ledger.jsonl"
LONGEST_LINE = 1 << 20
"""Bytes that are read as one entry; a job with ten outputs writes about a thousand."""


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
    """Finished jobs by their key, with the digests of their outputs.

    Lines that cannot be read (cut short by a crash, damaged) are moved to a file of the same name
    that ends in `.damaged`, and cost only themselves.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        if path.exists() and not all(self._take(line) for line in _lines(path)):
            self._set_aside_damaged()

    def is_done(self, key: str, outputs: Sequence[Path]) -> bool:
        """Whether this job was recorded with exactly these files, and they are still as it left
        them.
        """
        digests = self._done.get((key, tuple(path.name for path in outputs)))
        return digests is not None and all(
            path.is_file() and path.stat().st_size and content_digest(path) == digest
            for path, digest in zip(outputs, digests, strict=True)
        )

    def record(self, key: str, outputs: Sequence[Path]) -> None:
        """Record a finished job; its outputs, then the entry, are on disk when this returns.

        Raises:
            InputError: an output is missing or empty.
            OSError: the ledger cannot be written.
        """
        for path in outputs:
            if not path.is_file() or not path.stat().st_size:
                raise InputError(f"{path} was not written or is empty")
            with path.open("rb") as file:
                os.fsync(file.fileno())
        digests = {path.name: content_digest(path) for path in outputs}
        line = json.dumps({"key": key, "outputs": digests}) + "\n"
        with self.path.open("ab") as file:
            file.write(("\n" * self._cut_short() + line).encode())
            file.flush()
            os.fsync(file.fileno())
        self._done[key, tuple(digests)] = list(digests.values())

    def _take(self, line: bytes) -> bool:
        """Read one line; whether it is an entry."""
        try:
            entry = parse_json(line)
            key, outputs = entry["key"], entry["outputs"]
        except (ValueError, KeyError, TypeError):
            return False
        if not isinstance(key, str) or not isinstance(outputs, dict | list):
            return False
        if isinstance(outputs, dict):  # a list: an entry without digests, of an older version
            self._done[key, tuple(outputs)] = [str(digest) for digest in outputs.values()]
        return True

    def _set_aside_damaged(self) -> None:
        intact = []
        with self.path.with_name(f"{self.path.name}.damaged").open("ab") as file:
            for line in _lines(self.path):
                if self._take(line):
                    intact.append(line)
                else:
                    file.write(line.rstrip(b"\r\n") + b"\n")
        write_bytes(self.path, b"".join(intact))

    def _cut_short(self) -> bool:
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"


def _lines(path: Path) -> Iterator[bytes]:
    """Lines that are not empty; one that no job has written arrives in pieces."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            if line.strip():
                yield line


def content_digest(path: Path) -> str:
    """24 hex digits of a file's content, or of the names and contents of all files of a folder."""
    if path.is_dir():
        names = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
        listing = [(name, content_digest(path / name)) for name in names]
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:24]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:24]


def settings_digest(settings: Mapping[str, object]) -> str:
    """Identity of settings: their values, the contents of the files and folders that they name,
    and the version of motet.
    """
    return values_digest({name: _identity(value) for name, value in settings.items()})


def values_digest(values: Mapping[str, object]) -> str:
    """Identity of plain values and of the version of motet; no file is looked at."""
    text = json.dumps([__version__, values], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _identity(value: object) -> object:
    """A value with the content of every file in it; `NAME=FILE` names a file too."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _identity(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(item) for item in value]
    if not isinstance(value, str | Path):
        return value
    texts = [str(value), str(value).partition("=")[2]]
    return [str(value), *(content_digest(Path(text)) for text in texts if _is_file(text))]


def _is_file(text: str) -> bool:
    try:
        return bool(text) and (Path(text).is_file() or Path(text).is_dir())
    except (OSError, ValueError):  # a transcript is no path, and may be too long for one
        return False


def run_jobs(
    jobs: Iterable[Job], settings: Mapping[str, object], work: Callable[[Job], None], ledger: Ledger
) -> list[Outcome]:
    """Run every job that is not done yet. An input that fails, also in a way that nobody foresaw,
    fails alone; the rest is run.
    """
    common = settings_digest(settings)
    return [_run_job(job, common, work, ledger) for job in jobs]


def _run_job(job: Job, common: str, work: Callable[[Job], None], ledger: Ledger) -> Outcome:
    try:
        if job.source.exists() and not job.source.is_file():
            raise InputError(f"{job.source} is not a file")
        key = f"{content_digest(job.source)}-{common}"
        if ledger.is_done(key, job.outputs):
            return Outcome(job, "skipped")
        work(job)
        ledger.record(key, job.outputs)
        return Outcome(job, "done")
    except (MotetError, OSError) as error:
        return Outcome(job, "failed", " ".join(str(error).split()))
    except Exception as error:  # must not cost the recordings that come after this one
        if os.environ.get("MOTET_DEBUG"):
            traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(job, "failed", f"internal error, please report it: {text}")
