"""The bill of materials says what the wheel needs and holds."""

from __future__ import annotations

import json
import tomllib

from recipes.sbom import FILE, PACKAGE, ROOT, bill


def test_the_file_is_current() -> None:
    """After dependencies or weights were changed: `python -m recipes.sbom`."""
    assert json.loads(FILE.read_text()) == bill()


def test_every_dependency_and_every_weight_file_is_in_it() -> None:
    names = {component["name"] for component in json.loads(FILE.read_text())["components"]}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {line.partition(">")[0] for line in needed} <= names
    files = (PACKAGE / "weights").glob("*.safetensors")
    assert {path.relative_to(PACKAGE).as_posix() for path in files} <= names
