"""Sentences from small grammars: sections of choices in `texts/*.txt`.

The format: `[rule]` starts a section; `|` or a new line divides its choices; a line that begins
with `~` continues the line before; `#` at the start of a line is a remark. `{rule}` is replaced
by a choice of that rule, `{#name}` by a number (see numbers.py), `a(n)` agrees with what follows.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from recipes.speech_kokoro.numbers import NUMBERS

_SLOT = re.compile(r"\{(#?\w+)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (\w)")
_SENTENCE = re.compile(r"(^|[.!?…] )(\w)")


class Grammar:
    """One language's rules."""

    def __init__(self, text: str) -> None:
        self.rules: Mapping[str, Sequence[str]] = _sections(text)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of sentences, in the order of the file."""
        return tuple(r.removeprefix("kind.") for r in self.rules if r.startswith("kind."))

    def sentence(self, kind: str, chance: random.Random) -> str:
        """A sentence of that kind; the same for the same state of `chance`."""
        text = self._expand(f"kind.{kind}", chance)
        text = _ARTICLE.sub(_agree, re.sub(r"\s+", " ", text).strip())
        return _SENTENCE.sub(lambda m: m[1] + m[2].upper(), text)

    def _expand(self, rule: str, chance: random.Random) -> str:
        chosen = chance.choice(self.rules[rule])
        return _SLOT.sub(lambda m: self._slot(m[1], chance), chosen)

    def _slot(self, name: str, chance: random.Random) -> str:
        return NUMBERS[name[1:]](chance) if name.startswith("#") else self._expand(name, chance)

    def words(self) -> set[str]:
        """Every word that stands in some rule (numbers left out)."""
        plain = (_SLOT.sub(" ", c).replace("a(n)", "a an") for r in self.rules.values() for c in r)
        return {w for text in plain for w in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)}


@functools.cache
def grammar(language: str) -> Grammar:
    """The grammar of a language, e.g. `en`."""
    return Grammar((Path(__file__).parent / "texts" / f"{language}.txt").read_text("utf-8"))


def _sections(text: str) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    current: list[str] = []
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for line in "\n".join(lines).replace("\n~", "").splitlines():
        if line.startswith("["):
            current = rules.setdefault(line.strip("[] "), [])
        elif line.strip():
            current += [choice.strip() for choice in line.split(" | ")]
    return rules


def _agree(match: re.Match[str]) -> str:
    return f"{match[1]}{'n' if match[2].lower() in 'aeiou' else ''} {match[2]}"
