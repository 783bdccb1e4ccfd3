"""How inner loops are compiled: without the interpreter lock, and kept on disk where the disk
allows it.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def kernel(function: Callable) -> Callable:
    """Compile a loop over arrays. Compiled code is cached beside the source or in the user's cache
    folder; where neither can be written it is compiled anew in each process. Divisions follow the
    processor's rules: a test for zero before each of them would keep loops from being vectorised.
    """
    try:
        return njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function)
    except RuntimeError:
        # numba found no writable place for its cache.
        return njit(nogil=True, fastmath=True, error_model="numpy")(function)
