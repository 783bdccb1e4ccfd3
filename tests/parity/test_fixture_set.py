"""The harness of the parity tests: another set passes, a missing file fails, no literal stays."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.parity.fixture_set import FixtureSet, MissingReference
from tests.parity.second_set import write_second_set

HERE = Path(__file__).resolve().parent
TESTS = sorted(
    path
    for path in HERE.glob("*/*.py")
    if path.name.startswith("test_") or path.name == "conftest.py"
)
COVERED = (
    "mospa/test_parts.py::test_denoiser",
    "mospa/test_parts.py::test_schedules",
    "mospa/test_parts.py::test_kept_steps",
    "mospa/test_sampling.py::test_ancestral_and_ddim",
    "mospa/test_sampling.py::test_strided_ddim",
    "diffposetalk/test_parts.py::test_schedules",
    "artalk/test_published_v1.py::test_checkpoint_goes_there_and_back",
    "artalk/test_published_v1.py::test_style",
    "artalk/test_published_v1.py::test_whole_recording",
    "artalk/test_published_v1.py::test_one_window",
    "artalk/test_published_v1.py::test_a_very_short_sound",
)
MISSING = "mospa/test_parts.py::test_resampling"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    write_second_set(folder)
    return folder


def run_parity(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider", *tests],
        cwd=HERE,
        env={**os.environ, "MOTET_PARITY": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_set_of_other_sizes_and_names_passes_and_what_it_lacks_fails(second: Path) -> None:
    done = run_parity(second, *COVERED, MISSING)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1, done.stdout[-3000:]
    assert MISSING in failed[0]
    assert "SKIPPED" not in done.stdout, done.stdout[-3000:]


def test_whole_sets_fail_and_the_compact_subset_skips(
    second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTET_PARITY", str(second))
    whole = FixtureSet("mospa")
    with pytest.raises(MissingReference, match="motion"):
        whole.tensors("motion")
    with pytest.raises(MissingReference, match="absent"):
        whole.tensors("sampling")["absent"]
    monkeypatch.setenv("MOTET_PARITY", "compact")
    compact = FixtureSet("mospa")
    with pytest.raises(pytest.skip.Exception):
        compact.path("absent.safetensors")
    with pytest.raises(pytest.skip.Exception):
        compact.tensors("denoiser_io")["absent"]


def recorded_shapes() -> set[tuple[int, ...]]:
    """Shapes of all recorded tensors that only chance could give again."""
    shapes: set[tuple[int, ...]] = set()
    for path in HERE.glob("*/fixtures/*.safetensors"):
        with safe_open(str(path), framework="pt") as stored:
            names = list(stored.keys())
            shapes |= {tuple(stored.get_slice(name).get_shape()) for name in names}
    return {shape for shape in shapes if len(shape) > 1 and max(shape) > 4}


def integer_rows(tree: ast.AST) -> Iterator[tuple[tuple[int, ...], int]]:
    """Rows of integer literals: tuples, lists and arguments of calls, with their lines."""
    for node in ast.walk(tree):
        entries = getattr(node, "elts", None) or (node.args if isinstance(node, ast.Call) else [])
        row = tuple(
            entry.value
            for entry in entries
            if isinstance(entry, ast.Constant) and type(entry.value) is int
        )
        if len(row) > 1 and len(row) == len(entries):
            yield row, getattr(node, "lineno", 0)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(HERE)))
def test_no_shape_of_a_recorded_set_stands_in_a_test(path: Path) -> None:
    shapes = recorded_shapes()
    rows = list(integer_rows(ast.parse(path.read_text())))
    assert not [(row, line) for row, line in rows if row in shapes]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(HERE)))
def test_cases_with_numbers_come_from_the_set(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.parametrize":
            values = node.args[1]
            literal = [n for n in ast.walk(values) if isinstance(n, ast.Constant)]
            numbers = [n.value for n in literal if type(n.value) in (int, float)]
            assert isinstance(values, ast.Call) or not numbers, ast.unparse(node)


def test_the_search_finds_a_literal() -> None:
    shape = next(iter(recorded_shapes()))
    source = f"def test(x):\n    assert x.shape == {shape}\n    y = x.view{shape}\n"
    assert [row for row, _ in integer_rows(ast.parse(source))] == [shape, shape]
