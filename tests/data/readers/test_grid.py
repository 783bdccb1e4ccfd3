from __future__ import annotations

import pytest

from motet.data.readers.grid import grid_sentence
from motet.errors import InputError


@pytest.mark.parametrize(
    ("name", "text"),
    [("swiz3n", "set white in z three now"), ("lbaxzp", "lay blue at x zero please")],
)
def test_names_spell_sentences(name: str, text: str) -> None:
    assert grid_sentence(name) == text


@pytest.mark.parametrize("name", ["", "swiz3", "swiz3nn", "swiw3n", "xwiz3n", "SWIZ3N"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="six letters"):
        grid_sentence(name)
