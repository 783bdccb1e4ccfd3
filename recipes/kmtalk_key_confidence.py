"""How surely KMTalk finds phones in recordings whose text it is not told: one line a folder.

    python -m recipes.key_confidence es=FOLDER it=FOLDER --count 8

Of each folder, recordings of 2 to 8 s, evenly spread over their names. Confidence is the mean
probability that the phonetic encoder gives to what the phones found look like.
"""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

SILENT = "sil"
SHORTEST_S, LONGEST_S = 2.0, 8.0
QUIET = 0.02
"""Largest sample of a recording in which nothing is said."""
KINDS = (".wav", ".flac", ".ogg", ".mp3", ".g722", ".gsm")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is listened to."""

    folders: Annotated[tuple[str, ...], tyro.conf.Positional]
    """NAME=FOLDER, one or more."""
    count: int = 8
    """Recordings of each folder."""


def main(arguments: Arguments) -> None:
    """Print a table."""
    from motet.methods.kmtalk.config import KMTalkCondition
    from motet.session import load

    loaded = load("kmtalk")
    for text in arguments.folders:
        name, _, folder = text.partition("=")
        takes = [
            (audio.seconds, loaded.method.key_take(audio, KMTalkCondition()))
            for audio in _chosen(loaded, Path(folder), arguments.count)
        ]
        print(f"{name}: {len(takes)} recordings; {_summary(takes)}", flush=True)


def _chosen(loaded: Any, folder: Path, count: int) -> Iterator[Any]:
    from motet.audio import read_audio
    from motet.errors import MotetError

    fitting = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS):
        try:
            audio = read_audio(path)
        except MotetError as error:
            print(f"left out: {error}")
            continue
        if SHORTEST_S <= audio.seconds <= LONGEST_S and float(audio.samples.abs().max()) > QUIET:
            fitting.append(audio)
    step = max(1, len(fitting) // count)
    for audio in fitting[::step][:count]:
        yield loaded.prepare(audio)


def _summary(takes: Sequence[tuple[float, Any]]) -> str:
    result = [take.phones for _, take in takes]
    sources, sure = (
        collections.Counter(one.source for one in result),
        [one.confidence for one in result],
    )
    spoken = [
        sum(span.symbol != SILENT for span in one.spans) / seconds
        for one, (seconds, _) in zip(result, takes, strict=True)
    ]
    known = ", ".join(f"{source} {count}" for source, count in sources.most_common())
    span = f"{min(sure):.2f} to {max(sure):.2f}"
    return (
        f"phones from {known}; confidence {statistics.mean(sure):.2f} ({span});"
        f" {statistics.mean(spoken):.1f} phones a second"
    )


if __name__ == "__main__":
    main(tyro.cli(Arguments))
