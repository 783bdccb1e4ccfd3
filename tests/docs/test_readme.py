"""Every command in the README runs, in order, in one fresh folder that holds the examples."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL
    )


def commands() -> list[str]:
    """Lines of the shell blocks, continued lines joined, comments and make targets left out (CI
    runs those themselves)."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [
        line.split(" #")[0].strip()
        for line in lines
        if line.strip() and not line.lstrip().startswith(("#", "make ", "git clone", "cd "))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", place / "examples")
    script = place / "bin" / "motet"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m motet.cli "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    return place


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("command", commands())
def test_command(command: str, folder: Path) -> None:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]


def test_python_examples_run(folder: Path) -> None:
    found = blocks("python")
    assert found
    for code in found:
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stderr[-2000:]


def test_links_and_pictures_exist() -> None:
    text = README.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (ROOT / target).exists()
    ]
    assert not missing
