"""Five LibriVox sentences (public domain) from Debian's `pocketsphinx-testdata`; never trained on:
one is the demonstration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from motet.data.speech.utterance import Utterance
from recipes.speech.align import align_english
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages

LICENCE = "public domain (LibriVox)"


def utterances(packages: SpeechPackages) -> Iterator[Utterance]:
    """The sentences with aligned phones."""
    folder = packages.debian("pocketsphinx-testdata") / "usr/share/pocketsphinx/test/data/librivox"
    for line in (folder / "transcription").read_text().splitlines():
        result = re.match(r"(?:<s> )?(.*?)(?: </s>)? \((.*)\)$", line.strip())
        if result is None:
            continue
        text, name = result.groups()
        samples = read_speech(folder / f"{name}.wav")
        yield Utterance(
            name,
            "librivox",
            samples,
            "en",
            "librivox_sense",
            LICENCE,
            align_english(samples, text),
            text,
            "test",
        )
