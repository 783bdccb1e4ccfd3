"""The device that a user names, as PyTorch knows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from motet.errors import ConfigError

CPU = torch.device("cpu")


def pick_device(name: str = "auto") -> torch.device:
    """`cpu`, `cuda` (or `cuda:1`), `mps`, or `auto`: a GPU where there is one.

    Raises:
        ConfigError: no such device on this machine.
    """
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if _exists(kind)))
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise ConfigError(f"there is no device {name!r}; choose auto, cpu, cuda or mps")
    if not _exists(kind):
        raise ConfigError(
            f"this machine (or this build of PyTorch) has no {kind} device; use --device cpu"
        )
    return torch.device(name)


@contextlib.contextmanager
def on_device(device: torch.device) -> Iterator[None]:
    """Make new tensors on a device; on the CPU this costs nothing."""
    if device.type == torch.get_default_device().type:
        yield
    else:
        with device:
            yield


def _exists(kind: str) -> bool:
    return {
        "cpu": lambda: True,
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }[kind]()
