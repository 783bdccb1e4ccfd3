"""Phone recognition from an encoder's scores: Viterbi path, and agreement with given phones.

Scores are log-probabilities over an inventory of symbols at a constant rate; step i lies at
i / rate seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from motet.phonetics.phones import PHONES, SILENCE, PhoneSpan

SWITCH_COST = 1.5
"""Cost of a change of phone (nats): keeps single odd steps from becoming phones."""


def best_path(scores: Float[ndarray, "steps symbols"], cost: float) -> Int[ndarray, " steps"]:
    """Viterbi path: the symbols of the highest total score when every change costs the same."""
    total = scores[0].copy()  # (symbols,): best score of a path that ends in each symbol
    previous = np.zeros(scores.shape, np.int32)
    for step in range(1, len(scores)):
        winner = int(total.argmax())
        stays = total >= total[winner] - cost
        previous[step] = np.where(stays, np.arange(len(total)), winner)
        total = np.where(stays, total, total[winner] - cost) + scores[step]
    path = np.empty(len(scores), np.int64)
    path[-1] = total.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = previous[step, path[step]]
    return path


def path_spans(
    path: Int[ndarray, " steps"], symbols: Sequence[str], rate: float
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
    """Phones with times of the best path; empty if there are no steps."""
    if not len(log_probabilities):
        return ()
    path = best_path(log_probabilities.astype(np.float64), switch_cost)
    return path_spans(path, symbols, rate)


def viseme(symbol: str) -> str:
    """Visual class of a phone; phones of one class look alike."""
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
    """Mean probability of the visemes of these phones over their steps of speech; 0 without any.

    Wrong text, or phones recognised in the wrong language, agree little: about 0.25 instead of 0.5
    to 0.8.
    """
    visemes = sorted({viseme(symbol) for symbol in symbols})
    viseme_of = np.array([visemes.index(viseme(symbol)) for symbol in symbols])
    # (steps, visemes)
    probability = np.zeros((len(log_probabilities), len(visemes)))
    for index in range(len(visemes)):
        probability[:, index] = np.exp(log_probabilities[:, viseme_of == index]).sum(1)
    total, count = 0.0, 0
    for span in spans:
        if span.symbol == SILENCE:
            continue
        first = round(span.start * rate)
        last = min(max(round(span.end * rate), first + 1), len(probability))
        total += float(probability[first:last, visemes.index(viseme(span.symbol))].sum())
        count += max(0, last - first)
    return total / count if count else 0.0
