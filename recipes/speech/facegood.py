"""FACEGOOD: read Mandarin sentences of one woman (MIT licence), cut at pauses; no phone times."""

from __future__ import annotations

from collections.abc import Iterator

from motet.data.speech.utterance import Utterance
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages
from recipes.speech.pauses import cut_at_pauses

LICENCE = "MIT (FACEGOOD)"


def utterances(packages: SpeechPackages) -> Iterator[Utterance]:
    """The five takes in pieces of about ten seconds."""
    for path in sorted((packages.data / "facegood").glob("*.flac")):
        samples = read_speech(path)
        for i, (start, stop) in enumerate(cut_at_pauses(samples)):
            yield Utterance(
                f"{path.stem}_{i:03d}", "facegood", samples[start:stop], "zh", "facegood", LICENCE
            )
