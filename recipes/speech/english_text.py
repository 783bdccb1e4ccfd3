"""English sentences without copyright, for speech synthesis: King James verses and random words of
the CMU dictionary.

Verses give running speech with its phrase lengths; the random words give every phone pair of
English.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from motet.errors import AssetError, require
from recipes.speech.packages import SpeechPackages

_VERSE = re.compile(r"^\S+:\d+ (.*)$", re.MULTILINE)
_FUNCTION_WORDS = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "is",
    "was",
    "for",
    "with",
    "on",
    "at",
    "by",
    "from",
    "that",
    "this",
    "they",
    "we",
    "you",
    "he",
    "she",
    "it",
    "has",
    "had",
    "will",
    "can",
]


def verses(packages: SpeechPackages) -> list[str]:
    """All verses of the King James Bible of 20 to 160 letters (public domain; Debian packages
    `bible-kjv`, `bible-kjv-text`).
    """
    program = packages.debian("bible-kjv") / "usr/bin/bible"
    text = packages.debian("bible-kjv-text") / "usr/lib"
    try:
        done = subprocess.run(
            [program, "-f", "-p", str(text), "gen1:1-rev22:21"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise AssetError(
            f"the program bible-kjv does not run here ({error}); install Debian's bible-kjv"
        ) from error
    return [v for v in _VERSE.findall(done.stdout) if 20 <= len(v) <= 160]


def dictionary() -> dict[str, tuple[str, ...]]:
    """The CMU dictionary inside pocketsphinx: words of letters only, first pronunciation, as
    ARPAbet labels.
    """
    lines = (
        (Path(require("pocketsphinx").get_model_path()) / "en-us" / "cmudict-en-us.dict")
        .read_text()
        .splitlines()
    )
    entries = (line.split() for line in lines)
    return {e[0]: tuple(e[1:]) for e in entries if e[0].isalpha() and e[0].islower()}


def sentences(packages: SpeechPackages, seed: int) -> Iterator[str]:
    """An endless, seeded mixture: two verses, then a sentence of random words joined by function
    words.
    """
    chance, words, lines = (
        random.Random(seed),
        sorted(w for w in dictionary() if len(w) > 2),
        verses(packages),
    )
    chance.shuffle(lines)
    while True:
        for line in lines:
            yield line
            if chance.random() < 0.5:
                picked = [
                    w
                    for _ in range(chance.randint(3, 7))
                    for w in (chance.choice(_FUNCTION_WORDS), chance.choice(words))
                ]
                yield " ".join(picked).capitalize() + "."
