"""Types of tasks, and access to their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from motet.config import JsonValue
from motet.serve.folder import DataFolder

Json = dict[str, JsonValue]
Arguments = Mapping[str, JsonValue]


class Report(Protocol):
    """Tells the server how far a task is."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Report the stage, and how many of how many steps of it are done."""
        ...


class Task(Protocol):
    """A function that a worker runs."""

    def __call__(self, arguments: Arguments, folder: DataFolder, report: Report) -> Json:
        """Compute; raises MotetError for what the user can change."""
        ...


def text(arguments: Arguments, name: str) -> str:
    """A text among the arguments; empty when it is not there."""
    value = arguments.get(name)
    return value if isinstance(value, str) else ""


def number(arguments: Arguments, name: str) -> float | None:
    """A number among the arguments."""
    value = arguments.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else None


def mapping(arguments: Arguments, name: str) -> Json:
    """An object among the arguments; empty when it is not there."""
    value = arguments.get(name)
    return dict(value) if isinstance(value, Mapping) else {}
