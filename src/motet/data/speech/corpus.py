"""A speech corpus on disk: sound, timed phones and licences, one pair of files a source.

`NAME.audio.npy` holds the utterances of a source one after the other (int16, 16 kHz), `NAME.json`
their index with offsets, languages, speakers, splits and phones.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Int16

from motet.array_files import read_array
from motet.config import parse_json
from motet.data.speech.utterance import SPEECH_RATE_HZ, Utterance
from motet.errors import AssetError
from motet.phonetics.phones import PhoneSpan

Report = Callable[[str, int, float], None]
"""Called with the source, its utterances so far and their seconds so far."""


@dataclasses.dataclass(frozen=True)
class CorpusEntry:
    """One utterance of a corpus."""

    name: str
    source: str
    offset: int
    """First sample in the source's audio file."""
    samples: int
    language: str
    speaker: str
    licence: str
    split: str
    text: str
    phones: tuple[PhoneSpan, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return self.samples / SPEECH_RATE_HZ


def write_source(
    folder: Path, source: str, utterances: Iterable[Utterance], report: Report | None = None
) -> None:
    """Write the utterances of one source; the index appears last, when all is complete."""
    entries: list[dict[str, object]] = []
    parts = [np.zeros(0, np.int16)]
    offset = 0
    for utterance in utterances:
        # 32767 and not 32768: both ends of the scale fit into int16.
        pcm = (np.clip(utterance.samples, -1, 1) * 32767).astype(np.int16)
        entries.append(_row(utterance, offset, len(pcm)))
        parts.append(pcm)
        offset += len(pcm)
        if report is not None:
            report(source, len(entries), offset / SPEECH_RATE_HZ)
    folder.mkdir(parents=True, exist_ok=True)
    # Hidden until complete: `built_sources` lists what it finds.
    partial = folder / f".{source}.{os.getpid()}.npy"
    np.save(partial, np.concatenate(parts))
    partial.replace(folder / f"{source}.audio.npy")
    partial.write_text(json.dumps(entries, ensure_ascii=False))
    partial.replace(folder / f"{source}.json")


# tenths of a millisecond are finer than any aligner
def _row(utterance: Utterance, offset: int, samples: int) -> dict[str, object]:
    copied = ("name", "source", "language", "speaker", "licence", "split", "text")
    return {
        **{field: getattr(utterance, field) for field in copied},
        "offset": offset,
        "samples": samples,
        "phones": [[round(p.start, 4), round(p.end, 4), p.symbol] for p in utterance.phones],
    }


def read_index(folder: Path, source: str) -> list[CorpusEntry]:
    """The utterances of one source.

    Raises:
        AssetError: the source is not in the folder, or its index is damaged.
    """
    try:
        rows = parse_json((folder / f"{source}.json").read_text())
        return [
            CorpusEntry(**{**row, "phones": tuple(PhoneSpan(*p) for p in row["phones"])})
            for row in rows
        ]
    except FileNotFoundError as error:
        raise AssetError(
            f"{folder} has no source {source!r}; build it with 'python -m recipes.speech_corpus'"
            " in a checkout, or write your own with motet.data.speech.corpus.write_source"
        ) from error
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise AssetError(f"the index of {source!r} in {folder} is damaged: {error}") from error


def read_audio(folder: Path, source: str) -> Int16[np.ndarray, " time"]:
    """All sound of one source at 16 kHz, mapped from disk."""
    return read_array(folder / f"{source}.audio.npy", mapped=True)


def built_sources(folder: Path) -> list[str]:
    """Names of the sources in a folder."""
    return sorted(
        p.stem for p in folder.glob("*.json") if (folder / f"{p.stem}.audio.npy").exists()
    )


def source_facts(folder: Path, source: str) -> dict[str, object]:
    """What one source is, summed up for licence lists and the metadata of trained weights."""
    entries = read_index(folder, source)
    return {
        "licences": sorted({e.licence for e in entries}),
        "languages": sorted({e.language for e in entries}),
        "speakers": len({e.speaker for e in entries}),
        "utterances": len(entries),
        "minutes": round(sum(e.seconds for e in entries) / 60, 1),
    }
