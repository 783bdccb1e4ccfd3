"""Where a measurement was taken. Numbers without this mean nothing."""

from __future__ import annotations

import dataclasses
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Machine:
    """The computer, the programs, and how busy it was."""

    processor: str
    cores: int
    """Cores that this process may use."""
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    """Versions of what the numbers depend on."""
    load: float
    """Processes waiting for a core, mean of the last minute, when the measurement began: over
    `cores` the times are too long."""


def describe_machine() -> Machine:
    """The computer that runs this program, as it is now."""
    # cores that this process may use, where the system tells
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        if hasattr(os, "sysconf")
        else 0.0
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    packages = {
        name: result
        for name in ("motet", "torch", "numpy", "numba", "onnxruntime", "av")
        if (result := _version(name))
    }
    return Machine(
        _processor(),
        cores,
        round(memory, 1),
        f"{platform.system()} {platform.machine()}",
        platform.python_version(),
        packages,
        round(load, 2),
    )


def _version(name: str) -> str:
    if name == "motet":
        import motet

        return motet.__version__
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Name of the processor; Linux keeps it where `platform` does not look."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
