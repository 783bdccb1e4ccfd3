"""Running what a documentation page shows: fenced blocks, commands, and a cache of their files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.official_files import write_official_files

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SET_UP = ("make ", "git clone ", ". .venv/", "python3 -m venv ", "pip install ", "docker ")
"""Commands that prepare a machine: `test_front_yard` checks what they refer to, and the Dockerfile
test runs the installation."""
SHELL = set("|&;<>()$`*?~")
"""Characters that need a shell; other `motet` lines run inside this process."""
SECONDS = 2.0
"""Length to which `examples/demo.flac` is cut, so that all pages run in about a minute."""


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int
    """Line of the page on which it starts."""

    def commands(self) -> list[str]:
        """Commands of a shell block: continued lines joined, comments and set-up left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        commands = [re.sub(r"(^|\s)# .*$", "", line).strip() for line in lines]
        return [command for command in commands if command and not command.startswith(SET_UP)]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page in their order; blocks in tabs and lists are indented."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [
        Block(
            match[2],
            "\n".join(line.removeprefix(match[1]) for line in match[3].splitlines()),
            text.count("\n", 0, match.start()) + 1,
        )
        for match in found
    ]


def executed(page: Path) -> list[Block]:
    """Blocks that run: `sh` with at least one command, and `python`."""
    return [
        block
        for block in blocks(page)
        if block.language == "python" or (block.language == "sh" and block.commands())
    ]


class Workplace:
    """A fresh folder with the examples, in which the blocks of one page run in order.

    Args:
        folder: an empty folder.
        cache: kept between pages: the files of commands that several pages show.
    """

    def __init__(self, folder: Path, cache: dict[str, dict[str, bytes]]) -> None:
        self.folder, self._cache = folder, cache
        shutil.copytree(ROOT / "examples", folder / "examples")
        shorten(folder / "examples" / "demo.flac")
        for program, arguments in {"python": "", "motet": "-m motet.cli"}.items():
            script = folder / "bin" / program
            script.parent.mkdir(exist_ok=True)
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            script.chmod(0o755)

    def run(self, block: Block) -> None:
        """Run one block; an exception or a failed command is a failed test."""
        if "official/" in block.text and not (self.folder / "official").exists():
            # Files that only users have, in their exact layouts.
            write_official_files(self.folder / "official")
        with contextlib.chdir(self.folder):
            if block.language == "python":
                exec(compile(block.text, f"line {block.line}", "exec"), {"__name__": "__main__"})
                return
            for command in block.commands():
                self._command(command)

    def _command(self, command: str) -> None:
        key = self._key(command)
        if key in self._cache:
            for name, content in self._cache[key].items():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_bytes(content)
            return
        before = self._files()
        line, source, target = redirected(command)
        if line.startswith("motet ") and not SHELL & set(line):
            self._inside(line, source, target)
        else:
            self._in_shell(command)
        made = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path, stamp in self._files().items()
            if before.get(path) != stamp
        }
        self._cache[key] = made

    def _key(self, command: str) -> str:
        """The command with the content of all files that it names."""
        digest = hashlib.sha256(command.encode())
        for word in re.findall(r"[\w./-]+", command):
            path = self.folder / word
            if path.is_file():
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def _files(self) -> dict[Path, tuple[int, int]]:
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_size)
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def _inside(self, command: str, source: str, target: str) -> None:
        from motet.cli import main

        with contextlib.ExitStack() as stack:
            if source:
                entry = stack.enter_context(open(source, encoding="utf-8"))  # noqa: SIM115
                stack.enter_context(mock.patch.object(sys, "stdin", entry))
            if target:
                output = stack.enter_context(open(target, "w", encoding="utf-8"))  # noqa: SIM115
                stack.enter_context(contextlib.redirect_stdout(output))
            assert main(shlex.split(command)[1:]) == 0, command

    def _in_shell(self, command: str) -> None:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env={**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, f"{command}\n{result.stderr[-2000:]}"


def redirected(command: str) -> tuple[str, str, str]:
    """A command without its redirections, the file it reads and the file it writes."""
    files = {"<": "", ">": ""}
    for sign in files:
        found = re.search(rf"\s{sign}\s*([\w./-]+)\s*(?=$|[<>])", command)
        if found:
            files[sign] = found[1]
            command = command[: found.start()] + " " + command[found.end() :]
    return command.strip(), files["<"], files[">"]


def shorten(recording: Path, seconds: float = SECONDS) -> None:
    """Cut a recording to its first seconds, in place."""
    import soundfile

    samples, rate = soundfile.read(recording, dtype="int16")
    soundfile.write(recording, samples[: round(seconds * rate)], rate)


def links(page: Path) -> Iterator[str]:
    """Targets of links and pictures that lie in the repository."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if not target.startswith(("http:", "https:", "#", "mailto:")):
            yield target.partition("#")[0]
