"""Phones from the scores of an encoder: the best path, how sure it is, and how well given phones
agree with the scores.

Scores are log-probabilities over an inventory of symbols at a steady rate; step i lies at i / rate
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from motet.phonetics.phones import PHONES, SILENCE, PhoneSpan

SWITCH_COST = 1.5
"""What a change of phone costs (nats): keeps single odd steps from becoming phones."""


def best_path(scores: Float[ndarray, "steps symbols"], cost: float) -> Int[ndarray, "steps"]:
    """The sequence of symbols of the highest score when every change costs the same."""
    best = scores[0].copy()
    came = np.zeros(scores.shape, np.int32)
    for step in range(1, len(scores)):
        winner = int(best.argmax())
        stay = best >= best[winner] - cost
        came[step] = np.where(stay, np.arange(len(best)), winner)
        best = np.where(stay, best, best[winner] - cost) + scores[step]
    path = np.empty(len(scores), np.int64)
    path[-1] = best.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = came[step, path[step]]
    return path


def path_spans(
    path: Int[ndarray, "steps"], symbols: Sequence[str], rate: float
) -> tuple[PhoneSpan, ...]:
    """Runs of one symbol as phones with times."""
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    return tuple(
        PhoneSpan(a / rate, b / rate, symbols[path[a]])
        for a, b in zip(edges, edges[1:], strict=False)
    )


def recognise(
    log_probabilities: Float[ndarray, "steps symbols"],
    symbols: Sequence[str],
    rate: float,
    switch_cost: float = SWITCH_COST,
) -> tuple[PhoneSpan, ...]:
    """Phones with times that explain the scores best; empty for no steps at all."""
    return (
        path_spans(best_path(log_probabilities.astype(np.float64), switch_cost), symbols, rate)
        if len(log_probabilities)
        else ()
    )


def look(symbol: str) -> str:
    """What a phone looks like from outside: phones of one look can hardly be told apart by the
    eye.
    """
    phone = PHONES[symbol]
    if phone.symbol == SILENCE:
        return "silence"
    if phone.is_closure:
        return "closed"
    if phone.is_labiodental:
        return "lip on teeth"
    if phone.rounding >= 0.4:
        return "rounded"
    if phone.is_vowel:
        return "open" if phone.openness >= 0.55 else "half open"
    return "tongue"


def agreement(
    spans: Sequence[PhoneSpan],
    log_probabilities: Float[ndarray, "steps symbols"],
    symbols: Sequence[str],
    rate: float,
) -> float:
    """Mean probability, over the steps of speech, that the sound shows what these phones look like;
    0 without any.

    A text that is not what is spoken, or phones recognised in the wrong language, agree little:
    about 0.25 instead of 0.5 to 0.8.
    """
    looks = sorted({look(symbol) for symbol in symbols})
    group = np.array([looks.index(look(symbol)) for symbol in symbols])
    mass = np.zeros((len(log_probabilities), len(looks)))
    for index in range(len(looks)):
        mass[:, index] = np.exp(log_probabilities[:, group == index]).sum(1)
    total, count = 0.0, 0
    for span in spans:
        if span.symbol == SILENCE:
            continue
        first, last = (
            round(span.start * rate),
            min(max(round(span.end * rate), round(span.start * rate) + 1), len(mass)),
        )
        total += float(mass[first:last, looks.index(look(span.symbol))].sum())
        count += max(0, last - first)
    return total / count if count else 0.0
