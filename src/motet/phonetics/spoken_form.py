"""Numbers and signs of an English text as the words that are spoken: 42 as forty two."""

from __future__ import annotations

import re

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_THOUSANDS = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "€": "euros", "£": "pounds"}
_NUMBER = re.compile(r"(\$)?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(st|nd|rd|th)?(?![\w])")
_LARGEST = 12
"""Digits of a number that is read as one; longer ones are read digit by digit."""


def spoken_form(text: str) -> str:
    """The text with its numbers and signs written out."""
    text = _NUMBER.sub(_words_of_number, text)
    # Digits inside a word, as in b2b and mp4.
    text = re.sub(r"\d", lambda digit: f" {_ONES[int(digit[0])]} ", text)
    return re.sub("[%&+=€£]", lambda sign: f" {_SIGNS[sign[0]]} ", text)


def _words_of_number(match: re.Match[str]) -> str:
    dollar, whole, decimals, ordinal = match.groups()
    digits = whole.replace(",", "")
    words = _digits(digits) if len(digits) > _LARGEST else _cardinal(int(digits))
    if _is_year(whole, decimals, ordinal) and not dollar:
        words = _year(int(digits))
    if ordinal:
        words = _ordinal(words)
    if decimals:
        words += ["point", *_digits(decimals)]
    return f" {' '.join(words)}{' dollars' if dollar else ''} "


def _is_year(whole: str, decimals: str | None, ordinal: str | None) -> bool:
    return len(whole) == 4 and not decimals and not ordinal and 1100 <= int(whole) < 2000


def _year(year: int) -> list[str]:
    """1987 as nineteen eighty seven."""
    rest = year % 100
    if not rest:
        return [*_cardinal(year // 100), "hundred"]
    return [*_cardinal(year // 100), *(["oh"] if rest < 10 else []), *_cardinal(rest)]


def _digits(text: str) -> list[str]:
    return [_ONES[int(digit)] for digit in text]


def _cardinal(number: int) -> list[str]:
    for size, name in _THOUSANDS:
        if number >= size:
            rest = _cardinal(number % size) if number % size else []
            return [*_cardinal(number // size), name, *rest]
    if number >= 100:
        rest = _cardinal(number % 100) if number % 100 else []
        return [_ONES[number // 100], "hundred", *rest]
    if number < 20:
        return [_ONES[number]]
    return [_TENS[number // 10 - 2], *([_ONES[number % 10]] if number % 10 else [])]


def _ordinal(words: list[str]) -> list[str]:
    last = words[-1]
    ending = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return [*words[:-1], _ORDINALS.get(last, ending)]
