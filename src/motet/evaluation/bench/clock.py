"""One clock for everything that is measured here."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Elapsed:
    """What a piece of work took."""

    wall_s: float
    cpu_s: float
    """All threads together. It hardly depends on what else the machine does."""


def timed(work: Callable[[], T]) -> tuple[T, Elapsed]:
    """Do the work once; its result and its time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Elapsed(time.perf_counter() - wall, time.process_time() - cpu)


def least_cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """The least CPU time of several runs after one for warming up: other work only adds to it."""
    work()
    return min(timed(work)[1].cpu_s for _ in range(repeats))
