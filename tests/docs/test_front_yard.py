"""Install lines, make targets, citation, hooks and workflow agree with the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import motet
from motet.audio import read_audio
from tests.docs.pages import PAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXTS = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "Dockerfile")


def read(name: str) -> str:
    """A file at the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_install_lines_use_the_checkout_or_a_wheel(path: Path) -> None:
    """`pip install motet` would fetch whatever a public index has under that name."""
    for line in re.findall(r"pip install ([^`\n#]+)", path.read_text(encoding="utf-8")):
        assert not re.search(r"""(^|[\s'"])motet(\[|\s|$|['"])""", line), line
        for extras in re.findall(r"\[([\w,]+)\]", line):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), line


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_exist(path: Path) -> None:
    """Every `make TARGET` that a text names."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= targets


def test_demo_names_the_length_of_its_recording() -> None:
    """`make demo` prints seconds as a literal."""
    length = read_audio(ROOT / "examples" / "demo.flac").seconds
    assert f"{length:.1f} s of speech" in read("Makefile")


def test_citation_agrees_with_the_package() -> None:
    """Required keys of the Citation File Format 1.2.0, and the version of this package."""
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "motet developers"}]
    assert citation["version"] == motet.__version__
    assert citation["license"] == PROJECT["license"]
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference)


def test_changelog_begins_with_this_version() -> None:
    """The newest heading is the version that the package states."""
    assert re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)[0] == motet.__version__


def test_hooks_and_workflow_run_the_commands_of_make() -> None:
    """One definition of what must pass: the Makefile's."""
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert check
    commands = [line.strip().removeprefix("$(BIN)/") for line in check[1].splitlines()]
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    assert [hook["entry"].removeprefix(".venv/bin/") for hook in hooks] == commands
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    lines = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert {"make check", "make test", "make docs"} <= set(lines)


def test_words_are_recognised_by_a_plain_installation() -> None:
    """`kmtalk` times phonemes with these; an extra would change its curves."""
    core = {re.split(r"[<>=\[ ]", line)[0] for line in PROJECT["dependencies"]}
    assert {"pocketsphinx", "hama"} <= core
    assert PROJECT["optional-dependencies"]["align"] == []


def test_type_marker_is_packaged() -> None:
    """Type checkers read annotations of installed packages only beside `py.typed`."""
    assert (Path(motet.__file__).parent / "py.typed").is_file()
    data = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["package-data"]["motet"]
    assert "py.typed" in data
