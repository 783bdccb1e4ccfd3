"""Number of threads for inference: one rule for all methods."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

LARGE = 20_000_000
"""Parameters from which more than one thread pays off. Shipped models have 1 to 5 million."""


def thread_count(parameters: int) -> int:
    """Threads for a model of this size; 0 leaves PyTorch's own number.

    The products of small models are so short that a second thread waits longer than it works: 30 s
    of sound through diffposetalk took 38 s of CPU time on two threads of a busy machine, 10 s on
    one. `OMP_NUM_THREADS` in the environment overrides this rule.
    """
    return 0 if parameters >= LARGE or os.environ.get("OMP_NUM_THREADS") else 1


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute on this many threads; 0 changes nothing."""
    before = torch.get_num_threads()
    # Setting the number, even to itself, costs a synchronisation of the thread pool.
    if count in (0, before):
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
