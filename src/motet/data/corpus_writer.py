"""Writing a corpus: recordings into files of bounded size, with an index that can be read while the
corpus still grows.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from motet.config import to_json
from motet.data.clip import (
    FORMAT,
    VERSION,
    Entry,
    Recording,
    RecordingFile,
    read_index,
    save_clip,
)
from motet.errors import InputError


class CorpusWriter:
    """Collects recordings into files of bounded size and writes the index.

    The index is written anew by every `flush`, so a corpus that is still growing can already be
    read.
    """

    def __init__(self, folder: str | Path, seconds_per_file: float = 900.0) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.entries: list[Entry] = (
            read_index(self.folder) if (self.folder / "index.json").exists() else []
        )
        self._waiting: list[Recording] = []
        self._per_file = seconds_per_file

    def add(self, recording: Recording, group: str) -> None:
        """Take a recording in; recordings of one `group` share files named after it."""
        self._waiting.append(recording)
        if sum(r.seconds for r in self._waiting) >= self._per_file:
            self.flush(group)

    def forget(self, group: str) -> list[Path]:
        """Take what an earlier run wrote under a group out of the index; gives the files, to be
        deleted once the new ones stand.
        """
        old = {e.file for e in self.entries if e.file.rpartition("-")[0] == group}
        self.entries = [e for e in self.entries if e.file not in old]
        return [self.folder / file for file in sorted(old)]

    def flush(self, group: str) -> None:
        """Write what is waiting and the index.

        Raises:
            InputError: two recordings of one name.
        """
        if self._waiting:
            names = (f"{group}-{k:03d}.safetensors" for k in range(100_000))
            file = next(name for name in names if not (self.folder / name).exists())
            save_clip(self.folder / file, self._waiting)
            self.entries += [
                Entry(r.facts, file, k, r.seconds) for k, r in enumerate(self._waiting)
            ]
            self._waiting = []
        _write_index(self.folder, self.entries)


def index_folder(folder: Path) -> list[Entry]:
    """Write the index of clip files that already lie in a folder, as `motet data track` and
    `motet data synth` leave them; an existing index is replaced.

    Raises:
        InputError: no clip file in the folder, or two recordings of one name.
        AssetError: a file is damaged or of another format.
    """
    entries = []
    for path in sorted(folder.glob("*.safetensors")):
        file = RecordingFile(path)
        for number in range(len(file)):
            recording = file.read(number)
            entries.append(Entry(recording.facts, path.name, number, recording.seconds))
    if not entries:
        raise InputError(
            f"no clip file (*.safetensors) in {folder}; make some by 'motet data track'"
        )
    _write_index(folder, entries)
    return entries


def _write_index(folder: Path, entries: list[Entry]) -> None:
    names = [entry.facts.name for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"two recordings are called {twice!r}; names must be unique within a corpus"
        )
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, "entries": [to_json(entry) for entry in entries]},
        separators=(",", ":"),
    )
    partial = folder / "index.json.part"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, folder / "index.json")
