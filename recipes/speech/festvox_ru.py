"""The recordings of Festival's Russian voice `msu_ru_nsh`: natural studio sentences of one man with
phone labels (BSD-like).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from motet.data.speech.utterance import Utterance
from motet.phonetics import phones
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages

LICENCE = "BSD-like (festvox-ru: N. Shmyrev)"


def utterances(packages: SpeechPackages) -> Iterator[Utterance]:
    """All sentences; every 25th is kept apart for validation."""
    voice = packages.debian("festvox-ru") / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    for index, path in enumerate(sorted((voice / "wav").glob("*.wav"))):
        label = voice / "lab" / f"{path.stem}.lab"
        spans = phones.spans(_labels(label), phones.FESTVOX_RUSSIAN) if label.exists() else ()
        split = "validation" if index % 25 == 0 else "train"
        yield Utterance(
            path.stem,
            "festvox_ru",
            read_speech(path),
            "ru",
            "msu_ru_nsh",
            LICENCE,
            spans,
            split=split,
        )


def _labels(path: Path) -> Iterator[tuple[float, float, str]]:
    """Lines `end number phone` after a line with `#`; a phone begins where the last one ended."""
    start = 0.0
    for line in path.read_text().splitlines():
        parts = line.split()
        if len(parts) == 3:
            yield start, float(parts[0]), parts[2]
            start = float(parts[0])
