from __future__ import annotations

from recipes.model_cards import PAGE, PURPOSES, WEIGHTS, page


def test_the_page_says_what_the_files_say() -> None:
    """After weights were changed: `python -m recipes.model_cards`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_file_has_a_card_and_every_card_a_file() -> None:
    assert {path.stem for path in WEIGHTS.glob("*.safetensors")} == set(PURPOSES)
