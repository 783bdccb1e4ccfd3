"""Silences MediaPipe's log, which goes straight to the process's standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed() -> Iterator[None]:
    """Discard what native libraries write to standard error; Python's own output stays."""
    try:
        # a copy of standard error, to be put back
        original = os.dup(2)
    except OSError:
        # A process without it has nothing to hush.
        yield
        return
    python, nowhere = sys.stderr, os.open(os.devnull, os.O_WRONLY)
    # Python's own messages go on to the old one.
    own = os.fdopen(os.dup(original), "w", buffering=1)
    try:
        sys.stderr = own
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(original, 2)
        sys.stderr = python
        for descriptor in (original, nowhere):
            os.close(descriptor)
        own.close()
