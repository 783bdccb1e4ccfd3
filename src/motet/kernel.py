"""Compilation of inner loops (numba): without the interpreter lock, cached on disk if possible."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def kernel(function: Callable) -> Callable:
    """Compile a loop over arrays.

    Compiled code is cached beside the source or in the user's cache folder; where neither can be
    written it is compiled anew in each process. Division by zero gives infinity: a test before each
    division would keep loops from being vectorised.
    """
    try:
        return njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function)
    except RuntimeError:
        # numba found no writable folder for its cache.
        return njit(nogil=True, fastmath=True, error_model="numpy")(function)
