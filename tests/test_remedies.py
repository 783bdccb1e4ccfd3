"""What a message recommends exists: commands, their options, pages, modules."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "motet"
COMMAND = re.compile(r"\bmotet ([a-z]+)(?: ([a-z-]+))?")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9.-]*[a-z0-9])(?![\w{-])")
OF_OTHERS = {"help", "logdir", "target", "version", "no-deps", "stdin"}
"""Options of other programs that messages name."""


def texts(path: Path) -> Iterator[str]:
    """Every text of a module but its docstrings; values that are filled in as `{}`."""
    tree = ast.parse(path.read_text())
    described = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in described | parts:
            yield node.value if isinstance(node.value, str) else ""


@cache
def commands() -> dict[str, dict[str, type]]:
    """Verbs, and their parts by name; a verb of one part has it under the empty name."""
    from motet.cli import VERBS

    found = {}
    for verb in VERBS:
        command = importlib.import_module(f"motet.cli.{verb}").COMMAND
        found[verb] = command if isinstance(command, dict) else {"": command}
    return found


def flags_of(command: type) -> Iterator[str]:
    """Options of a command as they are typed, also those of nested settings."""
    for field in dataclasses.fields(command):
        named = re.search(r"""name=['"]([a-z-]+)['"]""", str(field.type))
        name = named[1] if named else field.name.replace("_", "-")
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if dataclasses.is_dataclass(default):
            for inner in flags_of(type(default)):
                yield inner
                yield f"{name}.{inner}"
            continue
        yield name
        yield f"no-{name}"


FILES = sorted(path for path in PACKAGE.rglob("*.py"))
MESSAGES = [
    (str(path.relative_to(PACKAGE)), text)
    for path in FILES
    for text in texts(path)
    if "motet " in text or "--" in text or "docs/" in text
]


def test_there_are_messages_to_check() -> None:
    assert sum("motet weights import" in text for _, text in MESSAGES) >= 3


@pytest.mark.parametrize("file", sorted({file for file, _ in MESSAGES}))
def test_commands_options_and_pages_exist(file: str) -> None:
    known = {
        flag for parts in commands().values() for part in parts.values() for flag in flags_of(part)
    }
    for text in (text for name, text in MESSAGES if name == file):
        for verb, part in COMMAND.findall(text):
            if verb not in commands():
                assert not re.search(rf"['`]motet {verb}", text), (
                    f"no command 'motet {verb}': {text}"
                )
                continue
            parts = commands()[verb]
            if part and "" not in parts and re.search(rf"motet {verb} {part}[ '`;,.]", text + " "):
                assert part in parts, f"no command 'motet {verb} {part}': {text}"
        for flag in FLAG.findall(text):
            assert flag in known | OF_OTHERS, f"no option --{flag}: {text}"
        for page in re.findall(r"docs/[\w/]+\.md", text):
            assert (ROOT / page).exists(), f"no page {page}: {text}"
