"""A corpus: a folder of recording files with an `index.json` that repeats their facts.

Selecting recordings reads the index only; a corpus that is still being written can be read.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from motet.config import parse_json, to_json
from motet.data.clip import (
    FORMAT,
    VERSION,
    Recording,
    RecordingFacts,
    RecordingFile,
    read_facts,
    reason_of,
    save_clip,
)
from motet.errors import AssetError, InputError

INDEX = "index.json"
SHIPPABLE = (
    "CC0-1.0",
    "public domain",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "MIT",
    "BSD-like",
    "BSD-3-Clause",
    "Apache-2.0",
)
"""Licences under which recordings may train shipped weights."""
PRIVATE = "private"
"""Licence of a user's own recordings: what they train is for the user alone, and says so."""
TRAINABLE = (*SHIPPABLE, PRIVATE)
"""Licences under which recordings may train weights at all."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of a corpus index: a recording's facts and where it lies."""

    facts: RecordingFacts
    file: str
    """File name inside the corpus folder."""
    number: int
    """Position inside that file."""
    seconds: float
    """Length of the motion."""


class Corpus:
    """A folder of recordings with an index.

    Raises:
        AssetError: no such folder, or an index that is missing or malformed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.entries = read_index(self.folder)
        self._open: dict[str, RecordingFile] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Recording]:
        return (self.read(entry) for entry in self.entries)

    def select(
        self,
        split: str | None = None,
        speaker: str | None = None,
        licences: Iterable[str] | None = None,
        language: str | None = None,
        maker: str | None = None,
        style: str | None = None,
    ) -> list[Entry]:
        """Entries that match everything given.

        `licences=SHIPPABLE` keeps what may train shipped weights.
        """
        requested = {
            "split": split,
            "speaker": speaker,
            "language": language,
            "maker": maker,
            "style": style,
        }
        allowed = None if licences is None else set(licences)
        return [
            entry
            for entry in self.entries
            if (allowed is None or entry.facts.licence in allowed)
            and all(v is None or getattr(entry.facts, k) == v for k, v in requested.items())
        ]

    def read(self, entry: Entry) -> Recording:
        """The recording of an entry."""
        if entry.file not in self._open:
            self._open[entry.file] = RecordingFile(self.folder / entry.file)
        return self._open[entry.file].read(entry.number)


def read_index(folder: Path) -> list[Entry]:
    """The entries of a corpus.

    Raises:
        AssetError: no index, or one that is malformed.
    """
    path = folder / INDEX
    if not path.is_file():
        raise AssetError(
            f"{folder} is no corpus (its index.json is missing); give the folder that 'motet data"
            " track', 'synth' or 'import' wrote, or 'motet data index' of clip files"
        )
    try:
        index = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise AssetError(
            f"{path} is no JSON ({reason_of(error)}); build the corpus again"
        ) from error
    if (
        not isinstance(index, dict)
        or index.get("format") != FORMAT
        or index.get("version") != VERSION
        or not isinstance(index.get("entries"), list)
    ):
        raise AssetError(f"{path} is no index of this format; build the corpus again")
    return [_entry(item, path) for item in index["entries"]]


def _entry(item: Any, path: Path) -> Entry:
    try:
        file, number, seconds = str(item["file"]), int(item["number"]), float(item["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise AssetError(
            f"{path} has a malformed entry ({reason_of(error)}); build the corpus again"
        ) from error
    if Path(file).name != file:
        raise AssetError(f"{path} points outside its folder ({file!r}); build the corpus again")
    return Entry(read_facts(item.get("facts"), path), file, number, seconds)


class CorpusWriter:
    """Collects recordings into files of bounded size and writes the index with every `flush`."""

    def __init__(self, folder: str | Path, seconds_per_file: float = 900.0) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        has_index = (self.folder / INDEX).exists()
        self.entries: list[Entry] = read_index(self.folder) if has_index else []
        self._pending: list[Recording] = []
        self._seconds_per_file = seconds_per_file

    def add(self, recording: Recording, group: str) -> None:
        """Add a recording; recordings of one `group` share files named after it."""
        self._pending.append(recording)
        if sum(r.seconds for r in self._pending) >= self._seconds_per_file:
            self.flush(group)

    def remove_group(self, group: str) -> list[Path]:
        """Take an earlier run's recordings of a group out of the index.

        Returns:
            Their files, to be deleted once the new ones are written.
        """
        old = {e.file for e in self.entries if e.file.rpartition("-")[0] == group}
        self.entries = [e for e in self.entries if e.file not in old]
        return [self.folder / file for file in sorted(old)]

    def flush(self, group: str) -> None:
        """Write the pending recordings and the index.

        Raises:
            InputError: two recordings of one name.
        """
        if self._pending:
            names = (f"{group}-{k:03d}.safetensors" for k in range(100_000))
            file = next(name for name in names if not (self.folder / name).exists())
            save_clip(self.folder / file, self._pending)
            self.entries += [
                Entry(r.facts, file, k, r.seconds) for k, r in enumerate(self._pending)
            ]
            self._pending = []
        write_index(self.folder, self.entries)


def save_indexed(path: Path, recording: Recording) -> Path:
    """Write a recording as a file of its own into a corpus, replacing what the index had of it.

    Raises:
        InputError: another file of the corpus holds a recording of that name.
    """
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    old = read_index(folder) if (folder / INDEX).exists() else []
    others = [entry for entry in old if entry.file != path.name]
    entries = [*others, Entry(recording.facts, path.name, 0, recording.seconds)]
    _check_names(entries)
    save_clip(path, recording)
    write_index(folder, entries)
    return path


def index_folder(folder: Path) -> list[Entry]:
    """Write the index of recording files that already lie in a folder; an existing index is
    replaced.

    Raises:
        InputError: no recording file in the folder, or two recordings of one name.
        AssetError: a file is damaged or of another format.
    """
    entries = []
    for path in sorted(folder.glob("*.safetensors")):
        file = RecordingFile(path)
        recordings = map(file.read, range(len(file)))
        entries += [Entry(r.facts, path.name, k, r.seconds) for k, r in enumerate(recordings)]
    if not entries:
        raise InputError(
            f"no clip file (*.safetensors) in {folder}; make some by 'motet data track'"
        )
    write_index(folder, entries)
    return entries


def write_index(folder: Path, entries: Sequence[Entry]) -> None:
    """Write `index.json`; it appears only when it is complete.

    Raises:
        InputError: two recordings of one name.
    """
    _check_names(entries)
    index = {"format": FORMAT, "version": VERSION, "entries": [to_json(e) for e in entries]}
    partial = folder / f"{INDEX}.part"
    partial.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
    os.replace(partial, folder / INDEX)


def _check_names(entries: Sequence[Entry]) -> None:
    names = [entry.facts.name for entry in entries]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise InputError(
            f"two recordings are called {duplicate!r}; names must be unique within a corpus"
        )


def corpus_summary(folder: str | Path) -> list[str]:
    """Minutes by maker, licence, language, style and split, as lines of text."""
    entries = Corpus(folder).entries
    lines = []
    for key in ("maker", "licence", "language", "style", "split"):
        minutes: dict[str, float] = {}
        for entry in entries:
            value = str(getattr(entry.facts, key)) or "unknown"
            minutes[value] = minutes.get(value, 0.0) + entry.seconds / 60
        shares = (f"{value} {amount:.1f} min" for value, amount in sorted(minutes.items()))
        lines.append(f"{key}: " + ", ".join(shares))
    hours = sum(entry.seconds for entry in entries) / 3600
    return [*lines, f"{len(entries)} recordings, {hours:.2f} h"]
