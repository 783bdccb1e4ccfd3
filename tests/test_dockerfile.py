"""The lines of the Dockerfile run in a new environment outside the repository.

There is no container here: a fresh virtual environment stands for the base image, a folder for its
file system. The workflow on the hosting site builds the real image.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.strip() for line in text.splitlines())
    return [
        (line.partition(" ")[0], line.partition(" ")[2])
        for line in lines
        if line and not line.startswith("#")
    ]


class Image:
    """The folder and the environment in which instructions run.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._root, self._folder = folder, folder
        venv.create(folder / "python", with_pip=True)
        # As in a container: nothing of the caller's, except how packages are fetched.
        fetching = re.compile("PIP_.*|.*_proxy|SSL_CERT_.*|REQUESTS_CA_BUNDLE", re.IGNORECASE)
        self.environment: Mapping[str, str] = {
            **{key: value for key, value in os.environ.items() if fetching.fullmatch(key)},
            "PATH": f"{folder / 'python' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
        }
        self.output = ""

    def run(self, instruction: str, arguments: str) -> None:
        """Carry out one instruction."""
        match instruction:
            case "WORKDIR":
                self._folder = self._root / arguments.lstrip("/")
                self._folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = arguments.split()
                for source in sources:
                    self._copy(ROOT / source, self._folder / target)
            case "RUN":
                self._command(["bash", "-euo", "pipefail", "-c", arguments])
            case "CMD":
                self._command(json.loads(arguments))
            case "FROM":
                assert re.fullmatch(r"python:3\.1[1-9]-slim", arguments), arguments
            case _:
                raise AssertionError(f"the test does not know {instruction}; teach it")

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-*"))
        else:
            shutil.copy(source, target / source.name)

    def _command(self, command: list[str]) -> None:
        result = subprocess.run(
            command,
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert result.returncode == 0, result.stderr[-2000:]
        self.output = result.stdout


@pytest.mark.slow
def test_dockerfile_runs(tmp_path: Path) -> None:
    """Install, verify the weights, run the default command; it prints the files that it wrote."""
    image = Image(tmp_path)
    for instruction, arguments in instructions():
        image.run(instruction, arguments)
    for name in ("out/talk.mp4", "out/curves.csv"):
        assert name in image.output
        assert (tmp_path / "motet" / name).stat().st_size > 10_000


def test_everything_that_is_copied_passes_the_ignore_file() -> None:
    """.dockerignore excludes everything and names what the image needs."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = [name for kind, names in instructions() if kind == "COPY" for name in names.split()]
    for name in copied:
        if not name.startswith("./"):
            assert f"!{name}" in ignored
