"""Methods by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from motet.errors import ConfigError, nearest
from motet.method import MethodSpec
from motet.methods import find_methods

DEFAULT = "artalk"
FACE_AND_BODY = ("arkit", "smplx25")
"""Spaces of two methods that run together on one figure."""


def method_spec(name: str) -> MethodSpec:
    """The method of that name.

    Raises:
        ConfigError: there is none; names those there are.
    """
    known = find_methods()
    if name not in known:
        raise ConfigError(f"no method {name!r}; {nearest(name, known)}")
    return known[name]


def specs_of(names: str) -> tuple[MethodSpec, ...]:
    """One method, or a face and a body method separated by a comma.

    Raises:
        ConfigError: no such method, or two that are not a face and a body.
    """
    specs = tuple(method_spec(name.strip()) for name in names.split(","))
    if len(specs) > 1 and sorted(spec.space for spec in specs) != list(FACE_AND_BODY):
        spaces = ", ".join(f"{spec.name} ({spec.space or 'pictures'})" for spec in specs)
        raise ConfigError(
            "two methods run together when one generates a face (arkit) and one a body"
            f" (smplx25), not {spaces}"
        )
    return specs


def check_one_method(specs: Sequence[MethodSpec], weights: str | Path | None) -> None:
    """Make sure that weights are given for a single method.

    Raises:
        ConfigError: they are given for two.
    """
    if weights and len(specs) > 1:
        raise ConfigError(
            "--weights belongs to one method; run two methods with their shipped weights"
        )
