"""Labelled speech for reported numbers only: speakers and languages that nothing was trained on.

`english_sentences`: GRID sentences of other speakers (a clip's name spells its words) and the
card-game sentences of Debian's `pocketsphinx-testdata`. `known_words`: Italian and Spanish numbers,
days and months from the Asterisk prompts; the file names say the word, pronunciations are written
out here. All phones come from forced alignment by pocketsphinx.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from motet.data.readers.grid import grid_sentence
from motet.data.speech.utterance import Utterance
from motet.phonetics.phones import phones_of_ipa
from recipes.speech import prompts
from recipes.speech.align import align_english, align_pronounced
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages


def _numbered(pattern: str, spoken: str, first: int = 0, step: int = 1) -> dict[str, str]:
    """File names with running numbers, and the word each of them holds."""
    return {pattern.format(first + step * n): word for n, word in enumerate(spoken.split())}


_SPOKEN_WORDS: Mapping[str, Mapping[str, str]] = {
    "asterisk_it": {
        **_numbered(
            "digits_{}",
            "dzɛro uno due tre kwattro tʃinkwe sɛi sɛtte ɔtto nɔve djɛtʃi unditʃi doditʃi treditʃi"
            " kwattorditʃi kwinditʃi seditʃi ditʃassɛtte ditʃɔtto ditʃannɔve venti",
        ),
        **_numbered(
            "digits_{}", "trenta kwaranta tʃinkwanta sessanta settanta ottanta novanta", 30, 10
        ),
        **_numbered("digits_day-{}", "domenika lunedi martedi merkoledi dʒovedi venerdi sabato"),
        **_numbered(
            "digits_mon-{}",
            "dʒennajo febbrajo martso aprile maddʒo dʒuɲɲo luljo aɡosto settembre ottobre novembre"
            " ditʃembre",
        ),
    },
    "asterisk_es": {
        **_numbered(
            "digits_{}",
            "sero uno dos tres kwatro sinko sejs sjete otʃo nwebe djes onse dose trese katorse"
            " kinse djesisejs djesisjete djesiotʃo djesinwebe bejnte",
        ),
        **_numbered(
            "digits_{}", "trejnta kwarenta sinkwenta sesenta setenta otʃenta nobenta", 30, 10
        ),
        **_numbered("digits_day-{}", "domiŋɡo lunes martes mjerkoles xwebes bjernes sabado"),
        **_numbered(
            "digits_mon-{}",
            "enero febrero marso abril majo xunjo xuljo aɡosto septjembre oktubre nobjembre"
            " disjembre",
        ),
    },
}


def english_sentences(packages: SpeechPackages) -> Iterator[Utterance]:
    """Sentences of unseen English speakers."""
    for path in sorted((packages.data / "other_speakers").glob("grid_*.npz")):
        with np.load(path) as clip:
            samples = clip["audio"].astype(np.float32) / 32767
        yield _english(
            path.stem,
            "grid_people",
            samples,
            grid_sentence(path.stem.removeprefix("grid_")),
            "CC BY 4.0: evaluation only",
        )
    folder = packages.debian("pocketsphinx-testdata") / "usr/share/pocketsphinx/test/data/cards"
    for line in (folder / "cards.transcription").read_text().splitlines():
        result = re.match(r"<s> (.*?)\s*</s> \((.*)\)", line)
        if result is not None:
            yield _english(
                f"cards_{result[2]}",
                "cards",
                read_speech(folder / f"{result[2]}.wav"),
                result[1],
                "BSD: evaluation only",
            )


def known_words(packages: SpeechPackages, source: str) -> Iterator[Utterance]:
    """Known words of `asterisk_it` or `asterisk_es` with aligned phones."""
    known = _SPOKEN_WORDS[source]
    for item in prompts.utterances(packages, source):
        if item.name in known:
            spans = align_pronounced(
                item.samples, _without_doubles(phones_of_ipa(known[item.name]))
            )
            yield Utterance(
                item.name,
                source,
                item.samples,
                item.language,
                item.speaker,
                item.licence,
                spans,
                known[item.name],
                "test",
            )


def _english(name: str, source: str, samples: np.ndarray, text: str, licence: str) -> Utterance:
    return Utterance(
        name,
        source,
        samples,
        "en",
        f"{source}_{Path(name).stem}",
        licence,
        align_english(samples, text),
        text,
        "test",
    )


def _without_doubles(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Long consonants as one phone: the aligner cannot place a border inside."""
    return tuple(s for i, s in enumerate(symbols) if i == 0 or s != symbols[i - 1])
