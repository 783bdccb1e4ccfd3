"""One folder of speech from all sources: sound, timed phones, licences; rebuilt by one call.

Layout: `NAME.audio.npy` (int16 at 16 kHz, the utterances of a source one after the other),
`NAME.json` (their index with offsets, languages, speakers, splits, phones) and `licences.json`
(what came from where under which terms, what may shape shipped weights).
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motet.data.speech import facegood, festvox_ru, flite, grid, kokoro, librivox, prompts
from motet.data.speech.packages import SpeechAssets
from motet.data.speech.utterance import SPEECH_RATE_HZ, Utterance
from motet.errors import AssetError, ConfigError, nearest
from motet.phonetics.phones import PhoneSpan

SOURCES: Mapping[str, Callable[[SpeechAssets], Iterator[Utterance]]] = {
    "grid": grid.utterances,
    "facegood": facegood.utterances,
    "festvox_ru": festvox_ru.utterances,
    "asterisk_ru": lambda assets: prompts.utterances(assets, "asterisk_ru"),
    "armelle_fr": lambda assets: prompts.utterances(assets, "armelle_fr"),
    "flite": flite.utterances,
    "kokoro": kokoro.utterances,
}
"""Sources that may shape shipped weights."""
EVALUATION_ONLY: Mapping[str, Callable[[SpeechAssets], Iterator[Utterance]]] = {
    "librivox": librivox.utterances,
    **{
        name: lambda assets, name=name: prompts.utterances(assets, name)  # type: ignore[misc]
        for name in ("asterisk_en", "asterisk_es", "asterisk_fr", "asterisk_it")
    },
}
"""For reported numbers only, never for training: share-alike sound, and the speaker of the
demonstration."""


@dataclasses.dataclass(frozen=True)
class CorpusEntry:
    """One utterance of a built corpus."""

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


def build_speech_corpus(
    sources: Sequence[str],
    out: Path,
    assets: SpeechAssets,
    report: Callable[[str, int, float], None] | None = None,
) -> None:
    """Write the named sources into a folder; a source that is already there is kept.

    Args:
        report: called with (source, utterances so far, seconds so far).

    Raises:
        ConfigError: an unknown source.
        AssetError: a package or program is missing.
    """
    known = {**SOURCES, **EVALUATION_ONLY}
    for source in sources:
        if source not in known:
            raise ConfigError(f"there is no speech source {source!r}; {nearest(source, known)}")
    out.mkdir(parents=True, exist_ok=True)
    for source in sources:
        if not (out / f"{source}.json").exists():
            write_source(out, source, known[source](assets), report)
    _write_licences(out)


def write_source(
    out: Path,
    source: str,
    utterances: Iterator[Utterance],
    report: Callable[[str, int, float], None] | None = None,
) -> None:
    """Write the utterances of one source; the index appears last, when all is complete."""
    entries: list[dict[str, Any]] = []
    parts: list[np.ndarray] = []
    offset = 0
    for item in utterances:
        pcm = (np.clip(item.samples, -1, 1) * 32767).astype(np.int16)
        facts = {
            k: getattr(item, k)
            for k in ("name", "source", "language", "speaker", "licence", "split", "text")
        }
        times = [[round(p.start, 4), round(p.end, 4), p.symbol] for p in item.phones]
        entries.append({**facts, "offset": offset, "samples": len(pcm), "phones": times})
        parts.append(pcm)
        offset += len(pcm)
        if report is not None:
            report(source, len(entries), offset / SPEECH_RATE_HZ)
    out.mkdir(parents=True, exist_ok=True)
    beside = out / f".{source}.{os.getpid()}.npy"
    np.save(beside, np.concatenate(parts) if parts else np.zeros(0, np.int16))
    beside.replace(out / f"{source}.audio.npy")
    beside.write_text(json.dumps(entries, ensure_ascii=False))
    beside.replace(out / f"{source}.json")


def read_index(folder: Path, source: str) -> list[CorpusEntry]:
    """The utterances of one source.

    Raises:
        AssetError: the source is not in the folder, or its index is damaged.
    """
    try:
        rows = json.loads((folder / f"{source}.json").read_text())
        return [
            CorpusEntry(**{**row, "phones": tuple(PhoneSpan(*p) for p in row["phones"])})
            for row in rows
        ]
    except FileNotFoundError as error:
        raise AssetError(
            f"{folder} has no source {source!r}; build it with build_speech_corpus"
        ) from error
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise AssetError(f"the index of {source!r} in {folder} is damaged: {error}") from error


def read_audio(folder: Path, source: str) -> np.ndarray:
    """All sound of one source, int16 at 16 kHz, mapped from disk."""
    return np.load(folder / f"{source}.audio.npy", mmap_mode="r")


def built_sources(folder: Path) -> list[str]:
    """Names of the sources a folder holds."""
    return sorted(
        p.stem for p in folder.glob("*.json") if (folder / f"{p.stem}.audio.npy").exists()
    )


def _write_licences(out: Path) -> None:
    table = {}
    for source in built_sources(out):
        entries = read_index(out, source)
        table[source] = {
            "licences": sorted({e.licence for e in entries}),
            "languages": sorted({e.language for e in entries}),
            "speakers": len({e.speaker for e in entries}),
            "utterances": len(entries),
            "minutes": round(sum(e.seconds for e in entries) / 60, 1),
            "may_shape_shipped_weights": source in SOURCES,
        }
    (out / "licences.json").write_text(json.dumps(table, indent=1, ensure_ascii=False))
