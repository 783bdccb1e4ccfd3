"""The weight files and the person that are shipped, as the installed package has them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path

import motet
from motet.cli import main

PERSON = "house_person"


def found() -> dict[str, dict[str, str]]:
    """Digests of all shipped weights and of the files of the shipped person."""
    return {"weights": weights(), "person": person()}


def weights() -> dict[str, str]:
    """Digest of each weight file, as `motet weights verify` says after reading it completely."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["weights", "verify"]) == 0
    rows = [line.split() for line in printed.getvalue().splitlines()]
    assert all(row[2] == "intact" for row in rows)
    return {row[0]: row[1] for row in rows}


def person() -> dict[str, str]:
    """SHA-256 of the shipped person's files, wherever in the package they lie."""
    assert motet.__file__ is not None
    folder = next(Path(motet.__file__).parent.rglob(PERSON))
    return {path.name: digest(path) for path in sorted(folder.iterdir()) if path.is_file()}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
