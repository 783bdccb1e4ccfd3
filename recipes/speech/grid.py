"""GRID speaker s1: real English sentences of a fixed grammar, with the words' times (CC BY 4.0,
Cooke et al. 2006).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from motet.data.speech.utterance import Utterance
from recipes.speech.align import align_english
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages

LICENCE = "CC BY 4.0 (Cooke, Barker, Cunningham, Shao 2006)"
_SPLITS = {0: "test", 1: "validation"}


def split_of(index: int) -> str:
    """The split used everywhere: clips in name order, every 20th is test, the one after it
    validation.
    """
    return _SPLITS.get(index % 20, "train")


def utterances(packages: SpeechPackages) -> Iterator[Utterance]:
    """All clips with phones from alignment of the known words."""
    folder = packages.data / "grid_s1"
    words = json.loads((folder / "words.json").read_text())
    for index, name in enumerate(sorted(words)):
        samples = read_speech(folder / "audio" / f"{name}.flac")
        text = " ".join(word for _, _, word in words[name] if word not in ("sil", "sp"))
        yield Utterance(
            name,
            "grid",
            samples,
            "en",
            "grid_s1",
            LICENCE,
            align_english(samples, text),
            text,
            split_of(index),
        )
