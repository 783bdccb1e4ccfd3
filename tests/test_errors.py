"""Errors about missing packages name a command that installs them from anywhere."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from motet.errors import AssetError, MissingDependency, install_hint, require

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STATED = [
    *PROJECT["dependencies"],
    *(
        f'{line}; extra == "{extra}"'
        for extra, lines in PROJECT["optional-dependencies"].items()
        for line in lines
    ),
]
"""Requirements as an installed motet states them."""


def name(requirement: str) -> str:
    """Name of a required package."""
    return re.split(r"[<>=\[; ]", requirement)[0]


def required() -> list[tuple[str, str]]:
    """(module, extra) of every `require` in the package."""
    found = []
    for path in sorted((ROOT / "src" / "motet").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require"
            if called and all(isinstance(value, ast.Constant) for value in node.args):
                module, extra = [value.value for value in node.args] + [""] * (2 - len(node.args))
                found.append((module.partition(".")[0], extra))
    return sorted(set(found))


OTHER_NAMES = {
    "cv2": "mediapipe",  # OpenCV comes with it
    "pythonosc": "python-osc",
    "PIL": "pillow",
    "kokoro_onnx": "kokoro-onnx",
    "pxr": "usd-core",
}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation of exactly this pyproject."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda package: STATED)


@pytest.mark.parametrize(("module", "extra"), required())
def test_every_required_module_has_a_package_that_installs_it(module: str, extra: str) -> None:
    """Modules are named like their packages, save those listed here."""
    package = OTHER_NAMES.get(module, module)
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    assert package in map(name, lines)
    assert f'"{package}' in install_hint(extra, package)


def test_the_hint_names_packages_and_not_motet() -> None:
    """A name on a public index that is not ours must not be in it."""
    lines = PROJECT["optional-dependencies"]["track"]
    assert install_hint("track") == "pip install " + " ".join(f'"{line}"' for line in lines)
    assert install_hint(package="hama") == 'pip install "hama>=1.7"'
    for extra in PROJECT["optional-dependencies"]:
        assert "motet" not in install_hint(extra)


def test_sources_without_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the checkout is what can be installed."""

    def missing(package: str) -> None:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert install_hint("track") == 'pip install ".[track]"  in the checkout'


def test_a_missing_module_is_a_typed_error_with_the_command() -> None:
    """One line, with the remedy."""
    with pytest.raises(MissingDependency, match=re.escape(install_hint("track"))) as caught:
        require("no_such_module", "track")
    assert "\n" not in str(caught.value)


def test_messages_are_one_line_whatever_a_file_puts_into_them() -> None:
    error = AssetError("no name 'a\n\x1b[31m b\u2028c'  twice")
    assert str(error) == "no name 'a [31m b c'  twice"
