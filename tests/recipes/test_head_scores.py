"""Scores of the speech heads: silence does not count; a closure may lie beside its label."""

import pytest
import torch

from motet.data.speech.corpus import CorpusEntry
from motet.phonetics.phones import INDEX, SYMBOLS, PhoneSpan
from recipes.head_scores import Scores

SPANS = (
    PhoneSpan(0.0, 0.2, "sil"),
    PhoneSpan(0.2, 0.3, "b"),
    PhoneSpan(0.3, 0.6, "a"),
    PhoneSpan(0.6, 0.7, "m"),
)
ENTRY = CorpusEntry("x", "grid", 0, 11200, "en", "s", "CC0", "validation", "", SPANS)


def phones(names: list[str]) -> torch.Tensor:
    scores = torch.full((len(names), len(SYMBOLS)), -9.0)
    scores[range(len(names)), [INDEX[name] for name in names]] = 0.0
    return scores


def test_errors_and_closures_are_counted() -> None:
    names = ["a"] * 10 + ["p"] * 5 + ["a"] * 15 + ["m"] * 5
    closed = torch.zeros(35, dtype=torch.bool)
    closed[[9, 22, 23]] = True
    scores = Scores()
    scores.add(phones(names), closed, ENTRY)
    assert (scores.steps, scores.wrong, scores.wrong_visemes) == (25, 5, 0), "p looks like b"
    assert (scores.closures, scores.found) == (2, 1)
    assert (scores.predicted, scores.right) == (2, 1)
    assert scores.row() == "0.200 | 0.000 | 0.500 | 0.500 | 2"


@pytest.mark.parametrize("shift", [-2, 0, 2])
def test_a_closure_may_lie_two_steps_beside_its_label(shift: int) -> None:
    closed = torch.zeros(35, dtype=torch.bool)
    closed[[10 + shift, 14 + shift]] = True
    scores = Scores()
    scores.add(phones(["a"] * 35), closed, ENTRY)
    assert scores.predicted == scores.right == 2
