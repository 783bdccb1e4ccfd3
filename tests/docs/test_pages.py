"""Every command and Python block of the README and the documentation runs, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Workplace, blocks, executed, links

LANGUAGES = {"sh", "python", "text", "json", "yaml", "html", "csharp"}
"""`sh` and `python` run; the others are output, or need a program that the page names."""


def name(page: Path) -> str:
    """A page as pytest names it."""
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="session")
def made() -> dict[str, dict[str, bytes]]:
    """Files by the command that made them."""
    return {}


@pytest.mark.parametrize("page", [page for page in PAGES if executed(page)], ids=name)
def test_blocks_run(page: Path, tmp_path: Path, made: dict[str, dict[str, bytes]]) -> None:
    """In order, in one folder: later blocks may use what earlier ones wrote."""
    workplace = Workplace(tmp_path, made)
    for block in executed(page):
        workplace.run(block)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_name_their_language(page: Path) -> None:
    """A block without a language would be neither run nor read as output."""
    assert {block.language for block in blocks(page)} <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links of the README and of all pages, pictures included."""
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing
