"""The folder of utterances: one FLAC and one JSON each, a thousand a subfolder.

The JSON is written last and by rename, so an utterance is there exactly when its JSON is; a stop
at any moment loses at most the utterance in the making.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


class Store:
    """Utterances on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep the folder to this process.

        Raises:
            BlockingIOError: another process works on it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield

    def sound(self, index: int) -> Path:
        """The FLAC of an utterance."""
        return self.folder / f"{index // 1000:03d}" / f"{index:06d}.flac"

    def facts(self, index: int) -> dict[str, Any] | None:
        """What is known of an utterance, or None if it is not there in full."""
        sound = self.sound(index)
        try:
            facts = json.loads(sound.with_suffix(".json").read_text("utf-8"))
            return facts if sound.stat().st_size == facts["bytes"] else None
        except (OSError, json.JSONDecodeError, KeyError):
            return None

    def add(self, index: int, samples: np.ndarray, rate: int, facts: dict[str, Any]) -> None:
        """Write one utterance."""
        sound = self.sound(index)
        sound.parent.mkdir(parents=True, exist_ok=True)
        beside = sound.with_suffix(".part")
        soundfile.write(beside, samples, rate, subtype="PCM_16", format="FLAC")
        facts = facts | {"samples": len(samples), "rate": rate, "bytes": beside.stat().st_size}
        beside.replace(sound)
        beside.write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
        _flush(beside)
        beside.replace(sound.with_suffix(".json"))

    def all(self) -> Iterator[dict[str, Any]]:
        """Facts of every utterance that is there, in order."""
        for path in sorted(self.folder.glob("[0-9]*/*.json")):
            facts = self.facts(int(path.stem))
            if facts is not None:
                yield facts


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
