"""Write a generated folder as one source of the speech corpus: `NAME.audio.npy` and `NAME.json`.

Usage: `python -m recipes.speech_kokoro.pack OUT CORPUS --hours 6`.

The phones are made again from the letters and their lengths, so a better mapping needs no new
sound. It may run while the generation goes on: it takes what is there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from recipes.speech_kokoro.store import Store
from recipes.speech_kokoro.timing import timed_phones

CORPUS_RATE_HZ = 16_000
_KEPT = ("name", "language", "speaker", "licence", "split", "text")
_ALSO = ("kind", "pace", "speed", "accent", "voices")
"""What the corpus index does not hold; it goes to `NAME.facts.json`."""


def pack(store: Store, corpus: Path, name: str, hours: float) -> float:
    """Write up to `hours` of what is there; returns the hours written."""
    corpus.mkdir(parents=True, exist_ok=True)
    parts: list[np.ndarray] = []
    entries: list[dict[str, Any]] = []
    facts: dict[str, dict[str, Any]] = {}
    offset = 0
    for there, samples in stored_utterances(store, hours):
        parts.append(samples)
        entries.append(_entry(there, name, offset, len(samples)))
        facts[there["name"]] = {key: there[key] for key in _ALSO}
        offset += len(samples)
    _write(corpus, name, parts, entries, facts)
    return offset / CORPUS_RATE_HZ / 3600


def stored_utterances(store: Store, hours: float) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Facts and 16 kHz int16 samples of up to `hours` of what is there."""
    seconds = 0.0
    for there in store.all():
        if seconds >= hours * 3600:
            return
        samples, rate = soundfile.read(store.sound(there["index"]), dtype="float32")
        seconds += len(samples) / rate
        yield there, _pcm(soxr.resample(samples, rate, CORPUS_RATE_HZ))


def _pcm(samples: np.ndarray) -> np.ndarray:
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def _entry(there: dict[str, Any], source: str, offset: int, samples: int) -> dict[str, Any]:
    phones = timed_phones(there["ipa"], there["frames"], there["language"])
    place = {"source": source, "offset": offset, "samples": samples}
    return {key: there[key] for key in _KEPT} | place | {"phones": phones}


def _write(corpus: Path, name: str, parts: list[np.ndarray], entries: Any, facts: Any) -> None:
    beside = corpus / f".{name}.part.npy"
    np.save(beside, np.concatenate(parts) if parts else np.zeros(0, np.int16))
    beside.replace(corpus / f"{name}.audio.npy")
    for ending, content in (("facts", facts), ("", entries)):
        beside.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        beside.replace(corpus / f"{name}{'.' if ending else ''}{ending}.json")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--name", default="kokoro54")
    parser.add_argument("--hours", type=float, default=1e9)
    given = parser.parse_args()
    hours = pack(Store(given.out), given.corpus, given.name, given.hours)
    print(f"{given.corpus / given.name}: {hours:.2f} h")


if __name__ == "__main__":
    main()
