"""English numbers as words: prices, times, years, telephone numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
_TENS = [
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
]  # fmt: skip
_ORDINAL = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth",
}  # fmt: skip


def cardinal(number: int) -> str:
    """A number below one million in words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10] + (f" {_ONES[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = f" {cardinal(number % size)}" if number % size else ""
    return f"{cardinal(number // size)} {name}{rest}"


def ordinal(number: int) -> str:
    """The ordinal of a number below one hundred."""
    *front, last = cardinal(number).split()
    return " ".join([*front, _ORDINAL.get(last, f"{last}th")])


def digits(chance: random.Random, count: int) -> str:
    """Single digits; zero is read as `oh` half of the time."""
    zero = chance.choice(["zero", "oh"])
    drawn = [chance.randrange(10) for _ in range(count)]
    return " ".join(_ONES[d] if d else zero for d in drawn)


def _large(chance: random.Random) -> int:
    return chance.choice([chance.randint(101, 999), chance.randint(1000, 99999)])


def _numeral(chance: random.Random) -> int:
    return chance.choice([chance.randint(2, 99), chance.randint(100, 2999)])


def year(chance: random.Random) -> str:
    """A year between 1801 and 2039."""
    number = chance.randint(1801, 2039)
    if 2000 <= number < 2010:
        return cardinal(number)
    rest = number % 100
    tail = "hundred" if rest == 0 else f"oh {_ONES[rest]}" if rest < 10 else cardinal(rest)
    return f"{cardinal(number // 100)} {tail}"


def clock(chance: random.Random) -> str:
    """A time of day."""
    hour, minute = _ONES[chance.randint(1, 12)], chance.choice([0, 5, 10, 15, 20, 30, 42, 45, 57])
    if minute == 0:
        return f"{hour} o'clock"
    if minute in (15, 30) and chance.random() < 0.5:
        return f"{'half' if minute == 30 else 'a quarter'} past {hour}"
    return f"{hour} {'oh five' if minute == 5 else cardinal(minute)}"


def price(chance: random.Random) -> str:
    """An amount of money."""
    unit = chance.choice(["dollar", "pound", "euro"])
    cents = chance.choice([0, 0, 5, 50, 80, 99])
    whole = chance.choice([chance.randint(2, 99), chance.randint(100, 2500)])
    return f"{cardinal(whole)} {unit}s" + (f" and {cardinal(cents)} cents" if cents else "")


def phone(chance: random.Random) -> str:
    """A telephone number in groups."""
    return ", ".join(digits(chance, n) for n in (3, 3, 4))


NUMBERS: Mapping[str, Callable[[random.Random], str]] = {
    "price": price,
    "time": clock,
    "year": year,
    "phone": phone,
    "digits": lambda chance: digits(chance, chance.randint(3, 5)),
    "small": lambda chance: cardinal(chance.randint(2, 12)),
    "two": lambda chance: cardinal(chance.randint(13, 99)),
    "big": lambda chance: cardinal(_large(chance)),
    "ordinal": lambda chance: ordinal(chance.randint(1, 31)),
    "percent": lambda chance: f"{cardinal(chance.randint(2, 99))} percent",
    "numeral": lambda chance: str(_numeral(chance)),
}
"""What `{#name}` in a grammar stands for."""
