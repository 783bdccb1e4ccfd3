"""The contract is closed: no open types at the core's edges, one place that asks what came out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "motet"
SINKS = PACKAGE / "sinks.py"
ELSEWHERE = ("train", "fit", "bench", "data")
"""Commands whose signatures are closed in `training` and `data`."""
CORE = [
    *sorted(PACKAGE.glob("*.py")),
    *(path for path in sorted((PACKAGE / "cli").glob("*.py")) if path.stem not in ELSEWHERE),
]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_signature_of_the_core_and_the_command_line_holds_any() -> None:
    found = []
    for path in CORE:
        for function in functions(path):
            arguments = function.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            hints = [argument.annotation for argument in every] + [function.returns]
            names = [node for hint in hints if hint is not None for node in ast.walk(hint)]
            if any(isinstance(node, ast.Name) and node.id == "Any" for node in names):
                found.append(f"{path.name}:{function.name}")
    assert not found


def test_every_signature_of_the_core_is_typed() -> None:
    open_ones = [
        f"{path.name}:{function.name}"
        for path in CORE
        for function in functions(path)
        if function.returns is None and not function.name.startswith("__")
    ]
    assert not open_ones


def test_only_the_sinks_ask_what_a_method_generates() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"):
                continue
            kinds = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
            if kinds & {"Frames", "Motion"} and path != SINKS:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not found
