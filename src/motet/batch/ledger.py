"""The ledger of a batch: what is done, by the content of inputs and outputs.

The ledger is a file of JSON lines beside the outputs. An entry identifies the content of every
input file, the settings and the version of motet, and states the digest of every output: renamed
inputs are recognised, and what has changed on either side is run again.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from motet import __version__
from motet.atomic_write import write_bytes
from motet.batch.storage import (
    Location,
    MissingObject,
    file_name,
    join,
    local_copy,
    put_file,
    size_of,
    version_of,
)
from motet.config import parse_json
from motet.errors import InputError

LEDGER_NAME = "motet-ledger.jsonl"
LONGEST_LINE = 1 << 20
"""Bytes that are read as one entry; a job with ten outputs writes about a thousand."""


class AnyLedger(Protocol):
    """Remembers what is done."""

    def is_done(self, key: str, outputs: Sequence[Location]) -> bool:
        """Whether this job was recorded with exactly these outputs, and they are still there."""
        ...

    def record(self, key: str, outputs: Sequence[Location]) -> None:
        """Record a finished job."""
        ...


def open_ledger(folder: Location, shard: str = "") -> AnyLedger:
    """The ledger of an output folder.

    Every shard of a batch writes a ledger of its own and reads those of all others: machines that
    share a folder never append to one file.

    Args:
        shard: name of the shard, such as `2-of-8`.

    Raises:
        OSError: a ledger cannot be read.
    """
    if isinstance(folder, str):
        return StoredLedger(folder)
    own = LEDGER_NAME.replace(".jsonl", f".{shard}.jsonl") if shard else LEDGER_NAME
    others = sorted(folder.glob(LEDGER_NAME.replace(".jsonl", "*.jsonl")))
    return Ledger(folder / own, [path for path in others if path.name != own])


class Ledger:
    """Finished jobs by their key, with the digests of their outputs.

    Lines that cannot be read (cut short by a crash, damaged) are moved to a file of the same name
    that ends in `.damaged`, and cost only themselves.

    Args:
        path: file to read and to append to.
        others: ledgers of the same folder that are only read.

    Raises:
        OSError: a file cannot be read.
    """

    def __init__(self, path: Path, others: Sequence[Path] = ()) -> None:
        self.path = path
        self._done: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for other in others:
            for line in _lines(other):
                self._take(line)
        if path.exists() and not all(self._take(line) for line in _lines(path)):
            self._set_aside_damaged()

    def is_done(self, key: str, outputs: Sequence[Location]) -> bool:
        """Whether this job was recorded with exactly these files, and they are still as it left
        them.
        """
        paths = [Path(output) for output in outputs]
        digests = self._done.get((key, tuple(path.name for path in paths)))
        return digests is not None and all(
            _output_digest(path) == digest for path, digest in zip(paths, digests, strict=True)
        )

    def record(self, key: str, outputs: Sequence[Location]) -> None:
        """Record a finished job; its outputs, then the entry, are on disk when this returns.

        Raises:
            InputError: an output is missing or empty.
            OSError: the ledger cannot be written.
        """
        paths = [Path(output) for output in outputs]
        for path in paths:
            for file_of in _files_of(path):
                with file_of.open("rb") as file:
                    os.fsync(file.fileno())
        digests = {path.name: _output_digest(path) for path in paths}
        for path in paths:
            if not digests[path.name]:
                raise InputError(f"{path} was not written or is empty")
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


def _files_of(path: Path) -> list[Path]:
    """An output: the file, or the numbered files of a sequence (`a.00000.png` for `a.png`)."""
    if path.is_file():
        return [path]
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}.[0-9]*{path.suffix}"))


def _output_digest(path: Path) -> str:
    """Digest of an output; empty if a file is missing or empty."""
    files = _files_of(path)
    if not files or not all(file.stat().st_size for file in files):
        return ""
    digests = [content_digest(file) for file in files]
    return digests[0] if files == [path] else values_digest({"files": digests})


def _lines(path: Path) -> Iterator[bytes]:
    """Lines that are not empty; one that no job has written arrives in pieces."""
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            if line.strip():
                yield line


class StoredLedger:
    """The ledger of a folder in an object store: one small object for each finished job, because
    objects cannot be appended to. Outputs count as unchanged while their sizes agree.

    Args:
        folder: address of the output folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = join(folder, LEDGER_NAME.removesuffix(".jsonl"))

    def is_done(self, key: str, outputs: Sequence[Location]) -> bool:
        """Whether this job was recorded with exactly these objects, and they have their sizes."""
        try:
            with local_copy(self._entry(key, outputs)) as path:
                sizes = parse_json(path.read_bytes())["sizes"]
        except (MissingObject, ValueError, KeyError, TypeError):
            return False
        return sizes == [size_of(output) for output in outputs]

    def record(self, key: str, outputs: Sequence[Location]) -> None:
        """Record a finished job.

        Raises:
            InputError: an output is missing or empty, or the entry cannot be stored.
        """
        sizes = [size_of(output) for output in outputs]
        for output, size in zip(outputs, sizes, strict=True):
            if not size:
                raise InputError(f"{output} was not written or is empty")
        with tempfile.TemporaryDirectory(prefix="motet-") as folder:
            path = Path(folder) / "entry.json"
            path.write_text(json.dumps({"sizes": sizes}))
            put_file(path, self._entry(key, outputs))

    def _entry(self, key: str, outputs: Sequence[Location]) -> Location:
        names = values_digest({"key": key, "outputs": [file_name(output) for output in outputs]})
        return join(self._folder, f"{names}.json")


def content_digest(location: Location) -> str:
    """24 hex digits of a file's content, of the names and contents of all files of a folder, or of
    what an object store says about an object.

    Raises:
        OSError: the file cannot be read.
        InputError: there is no such object.
    """
    if isinstance(location, str):
        return hashlib.sha256(version_of(location).encode()).hexdigest()[:24]
    if location.is_dir():
        names = sorted(str(p.relative_to(location)) for p in location.rglob("*") if p.is_file())
        listing = [(name, content_digest(location / name)) for name in names]
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:24]
    with location.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:24]


@lru_cache(maxsize=4096)
def _known_digest(path: Path, size: int, changed_ns: int) -> str:
    """Digest of a file that thousands of jobs of a batch name, read once while it is unchanged."""
    del size, changed_ns  # parts of the key only
    return content_digest(path)


def _digest_of_setting(path: Path) -> str:
    facts = path.stat()
    # Two changes within one tick of the file system's clock have one time: read such files.
    if path.is_dir() or time.time_ns() - facts.st_mtime_ns < 2_000_000_000:
        return content_digest(path)
    return _known_digest(path.absolute(), facts.st_size, facts.st_mtime_ns)


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
    return [str(value), *(_digest_of_setting(Path(text)) for text in texts if _is_file(text))]


def _is_file(text: str) -> bool:
    try:
        return bool(text) and (Path(text).is_file() or Path(text).is_dir())
    except (OSError, ValueError):  # a transcript is no path, and may be too long for one
        return False
