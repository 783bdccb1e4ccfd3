"""Figures that stand on several pages agree, and each is stated where it is made."""

from __future__ import annotations

import re
from pathlib import Path

from motet.checkpoint import read_checkpoint
from tests.docs.pages import ROOT

WEIGHTS = ROOT / "src" / "motet" / "weights"
METHODS = ("artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip")
AMOUNT = re.compile(r"(\d[\d.]*) h(?:ours)? (?:training set|in \d|of (?:training|performances))")


def text(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def rows(page: str) -> dict[str, list[str]]:
    """Cells of all table rows by their first cell; the first of equal ones counts."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in reversed(cells)}


def test_amount_of_training_data_is_that_of_the_weights() -> None:
    """Of the README as of the card, which is written from the file."""
    data = str(read_checkpoint(WEIGHTS / "artalk.safetensors").facts["data"])
    hours = data.split()[0]
    assert f"`artalk` learned from {hours} h" in text("README.md")
    card = text("docs/reference/model_cards.md").partition("## `artalk`")[2].partition("## ")[0]
    assert data in card


def test_pages_of_methods_leave_amounts_to_the_cards() -> None:
    for name in METHODS:
        page = text(f"docs/methods/{name}.md")
        assert not AMOUNT.search(page), name
        assert not re.search(r"CPU-s", page), name


def test_cost_is_one_figure_on_readme_and_speed_page() -> None:
    readme, speed = rows(text("README.md")), rows(text("docs/benchmarks/speed.md"))
    found = speed["curves or pictures, CPU-s"]
    expected = [readme[f"[`{name}`](docs/methods/{name}.md)"][1].split()[0] for name in METHODS]
    assert found == expected


def test_correlations_of_lips_are_one_figure_on_all_pages() -> None:
    """Of `artalk`: its module's table, its page, and the page on quality."""
    module = rows(text("src/motet/methods/artalk/README.md"))["**as shipped, offline, no words**"]
    opening, width = (cell.strip("*") for cell in module[:2])
    assert opening in text("docs/methods/artalk.md")
    quality = text("docs/benchmarks/evaluation.md")
    assert f"correlation {opening}" in quality
    assert f"width {width}" in quality


def test_pages_on_scores_do_not_refer_to_each_other_only() -> None:
    """`All scores` leads to a table, not to a page that leads back."""
    for name in METHODS:
        assert "All scores" not in text(f"docs/methods/{name}.md")
    assert "All scores" not in text("docs/benchmarks/evaluation.md")


def test_persons_of_both_renderers_have_the_figures_of_the_module() -> None:
    page, module = (
        text("docs/methods/speech2lip.md"),
        text("src/motet/methods/speech2lip/README.md"),
    )
    on_page, in_module = rows(page), rows(module)
    for name in ("range of the opening", "correlation of the opening", "sharpness", "motion"):
        assert on_page[name][0] == in_module[name][0], name
