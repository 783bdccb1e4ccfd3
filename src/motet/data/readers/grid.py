"""The sentences of the GRID corpus: a clip's name spells its six words.

`swiz3n` is "set white in z three now".

Source: Cooke, Barker, Cunningham and Shao, "An audio-visual corpus for speech perception and
automatic speech recognition", 2006 (CC BY 4.0).
"""

from __future__ import annotations

from motet.errors import InputError

_WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    # GRID leaves w out: it has three syllables
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(
        zip(
            "z123456789",
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            strict=True,
        )
    ),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


def grid_sentence(name: str) -> str:
    """The words that a clip's six-letter name stands for.

    Raises:
        InputError: the name is not one of the corpus.
    """
    if len(name) != len(_WORDS) or any(
        letter not in words for letter, words in zip(name, _WORDS, strict=False)
    ):
        raise InputError(
            f"{name!r} is not a GRID sentence; the names have six letters, such as 'swiz3n' for"
            " 'set white in z three now'"
        )
    return " ".join(words[letter] for letter, words in zip(name, _WORDS, strict=True))
