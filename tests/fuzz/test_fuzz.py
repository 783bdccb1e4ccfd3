"""Ten seconds of search, and every input that ever broke a rule."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutations import MOST_REPEATED, tree, words
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.search import CORPUS, search
from tests.fuzz.worker import problem_of

FOUND = sorted(path for path in CORPUS.iterdir() if path.suffix != ".md")


def test_ten_seconds() -> None:
    result = search(seconds=10, seed=20261130)
    assert not result.findings, result.findings[0].problem
    assert result.inputs > 20


@pytest.mark.parametrize("path", FOUND, ids=[path.name for path in FOUND])
def test_found_inputs(path: Path, tmp_path: Path) -> None:
    name = path.name.partition("-")[0].replace("_", " ")
    (reader,) = [reader for reader in READERS if reader.name == name]
    copy = tmp_path / f"input{''.join(path.suffixes)}"
    copy.write_bytes(path.read_bytes())
    assert problem_of(reader, copy) == ""


def test_repeated_parts_stay_small() -> None:
    line = b'{"key": "k", "outputs": ["b"]}\n'
    data = line * 3000
    for seed in range(40):
        for change in (words, tree):
            made = change(random.Random(seed), change(random.Random(seed + 1), data))
            assert len(made) < 3 * (len(data) + 2 * MOST_REPEATED)  # UTF-16 doubles


def test_a_reader_that_breaks_the_rules_is_found(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        raise KeyError(path.read_text())

    (tmp_path / "a.txt").write_text("x")
    problem = problem_of(Reader("bad", lambda folder: [], read, ()), tmp_path / "a.txt")
    assert problem.startswith("KeyError at ") and problem.endswith(": 'x'")
