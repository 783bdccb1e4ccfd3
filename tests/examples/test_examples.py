"""Every example runs, in a folder of its own, on a shortened recording."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest

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


def test_examples_are_numbered_and_listed() -> None:
    """00 to 11, each with a line in the table."""
    assert [path.name[:2] for path in EXAMPLES] == [f"{number:02d}" for number in range(12)]
    listed = re.findall(r"\]\((\d\d_\w+\.py)\)", (ROOT / "examples" / "README.md").read_text())
    assert listed == [path.name for path in EXAMPLES]
