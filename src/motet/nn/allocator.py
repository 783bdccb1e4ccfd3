"""Large buffers that are kept for the next one: memory got anew from the system is cleared page by
page, which costs more than filling it.
"""

from __future__ import annotations

import ctypes
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of these settings in glibc's `mallopt`."""
KEPT_BYTES = 1 << 30


def keep_buffers() -> bool:
    """Let this process keep up to a gigabyte of freed memory for reuse; answers whether the C
    library can be told so (glibc can).

    Only for models whose every layer fills tens of megabytes: a twentieth of the published ARTalk's
    time. Results are the same.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(MMAP_THRESHOLD, KEPT_BYTES)) and bool(
        library.mallopt(TRIM_THRESHOLD, KEPT_BYTES)
    )
