"""The shape of the code: one-way imports, no cycles, sizes, a command line that starts at once."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "motet"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    {"errors"},
    {
        "config",
        "acting",
        "atomic_write",
        "array_files",
        "audio_types",
        "file_endings",
        "kernel",
        "reaction_families",
        "restricted_unpickle",
    },
    {"types", "options", "option_text", "words", "event_lines"},
    {"checkpoint", "imported"},
    {"audio", "geometry", "nn", "diffusion", "phonetics"},
    {"body"},
    {"encoders", "rigs"},
    {"face"},
    {"data"},
    {"method", "method_options", "stage"},
    {"streaming"},
    {"methods"},
    {"registry"},
    {"metrics"},
    {"synthesis", "tracking"},
    {"render"},
    {"export"},
    {"take", "style_video", "editing"},
    {"sinks", "request", "binaural_input"},
    {"running_stream"},
    {"loaded_method"},
    {"session", "batch"},
    {"live"},
    {"training", "evaluation", "serve"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that can run: function bodies included, `if TYPE_CHECKING:` blocks left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from running_nodes(child)


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules of the package that a file imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in running_nodes(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("motet"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("motet")}
    return frozenset(found)


def top_level(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def test_every_top_level_name_has_a_layer() -> None:
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert names - {"__init__", "weights"} == set(RANK)


def test_imports_point_one_way() -> None:
    upward = {
        (own, other)
        for own, path in MODULES.items()
        for other in imports(path)
        if RANK.get(top_level(other), 0) > RANK.get(top_level(own), len(LAYERS))
    }
    assert not upward, sorted(upward)


def test_the_package_imports_nothing_of_the_laboratory() -> None:
    outside = re.compile(r"^\s*(from|import) (recipes|benchmarks|tests)\b", re.MULTILINE)
    assert not [name for name, path in MODULES.items() if outside.search(path.read_text())]


def test_methods_never_import_one_another() -> None:
    wrong = [
        f"{own} -> {other}"
        for own, path in MODULES.items()
        for other in imports(path)
        if own.startswith("motet.methods.") and other.startswith("motet.methods.")
        if own.split(".")[2] != other.split(".")[2]
    ]
    assert not wrong


def test_there_is_no_import_cycle() -> None:
    graph = {
        name: {other for other in imports(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = trail[trail.index(name) :]
            raise AssertionError(" -> ".join((*cycle, name)))
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert len(done) == len(graph)


def test_files_stay_small() -> None:
    long = [
        str(path.relative_to(PACKAGE)) for path in FILES if len(path.read_text().splitlines()) > 400
    ]
    assert not long


@pytest.mark.parametrize("method", ["artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip"])
@pytest.mark.parametrize("name", ["model.py", "generate.py", "loss.py"])
def test_three_short_files_explain_a_method(method: str, name: str) -> None:
    files = list((PACKAGE / "methods" / method).rglob(name))
    assert files
    assert not [str(path) for path in files if len(path.read_text().splitlines()) > 250]


def test_functions_stay_small() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > 80
    ]
    assert not long


@pytest.mark.parametrize("forbidden", ["pickle", "eval", "exec"])
def test_nothing_runs_foreign_code(forbidden: str) -> None:
    found = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            called = isinstance(node, ast.Call) and ast.unparse(node.func) == forbidden
            imported = isinstance(node, ast.Import | ast.ImportFrom) and forbidden in {
                *(alias.name for alias in node.names),
                getattr(node, "module", None),
            }
            if called or imported:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found


def run_python(program: str) -> int:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True).returncode


def test_help_imports_no_torch() -> None:
    assert (
        run_python(
            "import sys; from motet.cli import main; code = main(['--help']);"
            " sys.exit(code or ('torch' in sys.modules) * 5)"
        )
        == 0
    )


def test_importing_the_package_is_light() -> None:
    assert (
        run_python(
            "import sys, motet;"
            " sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'numba', 'av')))"
        )
        == 0
    )
