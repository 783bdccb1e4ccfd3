"""English text to the IPA letters of Kokoro, with the dictionaries of `misaki` (Apache-2.0)."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

Accent = Literal["us", "gb"]
_VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐ")
_VOICELESS = frozenset("ptkfθ")
_SIBILANT = frozenset("szʃʒʧʤ")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[,.;:!?—…]")
_TO_BRITISH = (
    ("əɹ(?![ˈˌ]?[AIOQWYaiuæɑɔəɛɜɪʊʌᵻ])", "ə"), ("([ɑɔɜɛ])ɹ(?![AIOQWYaiuæɑɔəɛɜɪʊʌᵻ])", r"\1ː"),
    ("ɔ(?!ː)", "ɔː"), ("ɑ(?!ː)", "ɒ"), ("æ", "a"), ("O", "Q"), ("[Tɾ]", "t"), ("ᵻ", "ɪ"),
)  # fmt: skip
"""Roughly, for words that only the American dictionary holds."""


class English:
    """The pronunciation of words in one accent."""

    def __init__(self, words: Mapping[str, str], accent: Accent = "us") -> None:
        self._words, self._accent = words, accent

    def ipa(self, text: str) -> str:
        """A text in Kokoro's letters.

        Raises:
            KeyError: a word the dictionary does not hold.
        """
        parts = _WORD.findall(text.replace("’", "'").replace("-", " "))
        out: list[str] = []
        following = ""
        for part in reversed(parts):
            sound = part if not part[0].isalpha() else " " + self._in_context(part, following)
            out.append(sound)
            following = sound.strip() if part[0].isalpha() else ""
        return "".join(reversed(out)).strip()

    def word(self, word: str) -> str | None:
        """The sound of one word, or None; regular endings are derived."""
        return self.listed(word) or next((s for s in (r(self, word) for r in _RULES) if s), None)

    def _in_context(self, word: str, following: str) -> str:
        before_vowel = following.lstrip("ˈˌ")[:1] in _VOWELS and following != ""
        weak = _weak(word.lower(), before_vowel, bool(following))
        sound = weak if weak and not (len(word) == 1 and not following) else self.word(word)
        if sound is None:
            raise KeyError(word)
        if self._accent == "us":
            return sound.replace("ɾ", "T").replace("ʔ", "t")
        linking = before_vowel and word.lower().endswith(("r", "re")) and sound[-1] in "əː"
        return sound + "ɹ" if linking else sound

    def listed(self, word: str) -> str | None:
        """The sound of a word the dictionary itself holds."""
        for form in (word, word.lower(), word.capitalize(), word.upper()):
            if form in self._words:
                return self._words[form]
        return None


def _weak(word: str, before_vowel: bool, goes_on: bool) -> str | None:
    if word == "the":
        return "ði" if before_vowel else "ðə"
    if word == "to" and goes_on:
        return "tʊ" if before_vowel else "tə"
    return {"a": "ɐ", "an": "ɐn"}.get(word)


def _stems(word: str, ending: str) -> tuple[str, ...]:
    """What `word` may be without its ending: stop(p)ed, bak(e)ed, cop(y)ied."""
    bare = word.removesuffix(ending)
    single = bare[:-1] if len(bare) > 2 and bare[-1] == bare[-2] else bare
    return bare, bare + "e", single, bare[:-1] + "y" if bare.endswith("i") else bare


def _stem(english: English, word: str, ending: str) -> str | None:
    if not word.endswith(ending) or len(word) < len(ending) + 2:
        return None
    return next((s for s in map(english.listed, _stems(word, ending)) if s), None)


def _plural(english: English, word: str) -> str | None:
    found = next((s for e in ("'s", "es", "s") if (s := _stem(english, word, e))), None)
    if not found or word.endswith("ss"):
        return None
    last = found[-1]
    return found + ("s" if last in _VOICELESS else "ᵻz" if last in _SIBILANT else "z")


def _past(english: English, word: str) -> str | None:
    stem = _stem(english, word, "ed")
    if not stem:
        return None
    voiceless = stem[-1] in _VOICELESS or stem[-1] in "sʃʧ"
    return stem + ("ᵻd" if stem[-1] in "td" else "t" if voiceless else "d")


def _gerund(english: English, word: str) -> str | None:
    stem = _stem(english, word, "ing")
    return stem + "ɪŋ" if stem else None


_RULES: tuple[Callable[[English, str], str | None], ...] = (_plural, _past, _gerund)


def _british(sound: str) -> str:
    for american, british in _TO_BRITISH:
        sound = re.sub(american, british, sound)
    return sound


def _entries(archive: zipfile.ZipFile, accent: Accent) -> dict[str, str]:
    words: dict[str, str] = {}
    for quality in ("silver", "gold"):
        entries = json.loads(archive.read(f"misaki/data/{accent}_{quality}.json"))
        plain = {w: s["DEFAULT"] if isinstance(s, dict) else s for w, s in entries.items()}
        words.update({w: s for w, s in plain.items() if s})
    return words


def own_words() -> dict[str, str]:
    """The pronunciations this project adds."""
    lines = (Path(__file__).parent / "texts" / "names.txt").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and line[0] != "#")


def load_english(wheel: Path, accent: Accent) -> English:
    """The dictionaries of one accent out of misaki's wheel; the checked one goes first."""
    with zipfile.ZipFile(wheel) as archive:
        american = {**own_words(), **_entries(archive, "us")}
        if accent == "us":
            return English(american, accent)
        british = _entries(archive, "gb")
    known = {w.lower() for w in british}
    added = {w: _british(s) for w, s in american.items() if w.lower() not in known}
    return English({**added, **british}, accent)
