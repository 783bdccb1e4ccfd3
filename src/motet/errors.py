"""Everything that can go wrong on purpose.

The tree::

    MotetError
    ├── InputError            what the user gave is unusable (command line: exit code 2)
    │   ├── AudioError        audio that is empty, damaged, or of the wrong rate or layout
    │   ├── ConfigError       an unknown or impossible option or setting
    │   ├── CheckpointError   weights that do not fit, are damaged, or are not safe to read
    │   ├── AssetError        a rig, avatar, clip or data file that is missing or malformed
    │   ├── SpaceError        motion in a space that cannot be used here
    │   └── UnwritableError   a file that cannot be written: no space, read-only, no permission
    └── MissingDependency     an optional package is needed (command line: exit code 2)

Every message says what was given, what is allowed and what to do about it.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

_BREAKS = re.compile(r"\s*[\x00-\x1f\x7f\u2028\u2029]+\s*")


class MotetError(Exception):
    """Root of all errors that motet raises on purpose; the message is one line, whatever names and
    values from files stand in it.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_BREAKS.sub(" ", message))


class InputError(MotetError):
    """The input cannot be used; the message says why and names a remedy."""


class AudioError(InputError):
    """Audio that is empty, damaged, not finite, or of the wrong rate or layout."""


class ConfigError(InputError):
    """An unknown or impossible option or setting."""


class CheckpointError(InputError):
    """Weights that do not fit the model, are damaged, or are not safe to read."""


class AssetError(InputError):
    """A rig, avatar, clip or data file that is missing or malformed."""


class SpaceError(InputError):
    """Motion in a space that this consumer does not understand."""


class UnwritableError(InputError):
    """A file that cannot be written: no space, read-only, or no permission."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be written: {reason}")
        self.reason = reason
        """What the system says, e.g. `No space left on device`."""


class MissingDependency(MotetError):
    """An optional package is needed for this."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> str:
    """A remedy for a mistyped name: the closest known names, or all of them when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=n, cutoff=0.5)
    return (
        "did you mean " + " or ".join(repr(c) for c in close) + "?"
        if close
        else "known: " + ", ".join(names)
    )


def require(module: str, extra: str = "") -> ModuleType:
    """Import a package that only some commands need.

    Args:
        module: name of the module.
        extra: the extra it belongs to; empty for a package that every installation should have.

    Raises:
        MissingDependency: the package is not installed; the message carries the install line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingDependency(
            f"this needs the package {name!r}: install it with  {install_hint(extra, name)}"
        ) from error


def install_hint(extra: str = "", package: str = "") -> str:
    """The command that installs the packages of an extra, or without one a single package.

    It names the packages and not `motet[extra]`, so it works from any folder, for a checkout and
    for a wheel alike, and does not depend on a package of that name on a public index.
    """
    requirements = _requirements(extra)
    if not extra:
        requirements = [line for line in requirements if re.match(rf"{package}\b", line)]
    if not requirements:  # run from sources that were never installed
        return f'pip install ".[{extra}]"  in the checkout' if extra else f"pip install {package}"
    return "pip install " + " ".join(f'"{requirement}"' for requirement in requirements)


def _requirements(extra: str) -> list[str]:
    """Requirements of one extra as the installed package states them, without their markers."""
    try:
        stated = importlib.metadata.requires("motet") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    marked = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    chosen = (line for line in stated if (marked.search(line) if extra else "extra" not in line))
    return [line.partition(";")[0].strip() for line in chosen]
