"""Every example runs, in a folder of its own, on a shortened recording."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

import motet
from tests.docs.pages import ROOT, shorten

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It ends without an error, says something, and writes to out/ only."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "demo.flac", tmp_path / "examples")
    shorten(tmp_path / "examples" / "demo.flac")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example)])
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} <= {"examples", "out"}


def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code cells, as a kernel would run them; what it shows needs no network."""
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples" / "demo.flac", tmp_path / "examples")
    shorten(tmp_path / "examples" / "demo.flac")
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "examples" / "notebook.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec("".join(cell["source"]), names)
    take = names["take"]
    assert isinstance(take, motet.Take)
    page = take.show()._repr_html_()
    assert "srcdoc" in page and "data-packed" in page
    assert "polyline" in take._repr_html_()
    assert {path.suffix for path in Path("out").iterdir()} == {".vrma", ".csv", ".html"}


def test_examples_are_numbered_and_listed() -> None:
    """00 to 11, each with a line in the table."""
    assert [path.name[:2] for path in EXAMPLES] == [f"{number:02d}" for number in range(12)]
    listed = re.findall(r"\]\((\d\d_\w+\.py)\)", (ROOT / "examples" / "README.md").read_text())
    assert listed == [path.name for path in EXAMPLES]
