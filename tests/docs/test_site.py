"""The site builds with warnings as errors, and what it generates is complete."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import motet
from docs.hooks import refreshed
from motet.cli import VERBS
from tests.docs.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    result = subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def text(page: Path) -> str:
    """What a reader sees of a page."""
    source = re.sub(r"<(script|style).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", source))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != ROOT / "README.md"], ids=lambda page: page.name
)
def test_generated_parts_are_current(page: Path) -> None:
    """In a checkout the pages are read as they stand."""
    text = page.read_text(encoding="utf-8")
    here = page.relative_to(ROOT / "docs").as_posix()
    assert text == refreshed(text, here), "run  python docs/hooks.py"


def test_command_line_reference_is_complete(site: Path) -> None:
    """Every verb, and the option with the longest way: nested in a dataclass."""
    shown = text(site / "reference" / "cli.html")
    for verb in VERBS:
        assert f"motet {verb}" in shown
    assert "--guidance.audio" in shown and "--optim.steps" in shown


def test_python_reference_is_complete(site: Path) -> None:
    """Every public name has an entry."""
    source = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in set(motet.__all__) - {"__version__", "methods"}:
        assert re.search(rf'id="motet\.[\w.]+\.{name}"', source), name
    assert 'id="motet.methods.find_methods"' in source  # what `motet.methods()` calls


def test_method_pages_hold_their_readme(site: Path) -> None:
    """The paper's number stands in the README only."""
    for readme in (ROOT / "src" / "motet" / "methods").glob("*/README.md"):
        number = re.search(r"arXiv:? ?(\d{4}\.\d{5})", readme.read_text(encoding="utf-8"))
        assert number
        assert number[1] in text(site / "methods" / f"{readme.parent.name}.html")


def test_every_method_has_a_page_and_a_drawing() -> None:
    """One page each, as the navigation promises."""
    folder = ROOT / "src" / "motet" / "methods"
    for method in (path.parent.name for path in folder.glob("*/README.md")):
        assert (ROOT / "docs" / "methods" / f"{method}.md").is_file()
        assert (ROOT / "docs" / "methods" / f"{method}.svg").is_file()


def test_no_page_shows_a_drawing_twice(site: Path) -> None:
    for page in site.rglob("*.html"):
        images = re.findall(r"<img[^>]* src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
        assert len(images) == len(set(images)), page.name
