"""Small networks that read the features of one encoder, in files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from torch import nn

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.config import Settings
from motet.errors import CheckpointError


class Attached(Settings, Protocol):
    """Settings that name the encoder they belong to."""

    @property
    def front_end(self) -> str:
        """Digest of the encoder whose features are read."""
        ...


ConfigT = TypeVar("ConfigT", bound=Attached)
ModuleT = TypeVar("ModuleT", bound=nn.Module)


def load_attached(
    path: Path,
    front_end: str,
    config: type[ConfigT],
    build: Callable[[ConfigT], ModuleT],
    remedy: str,
) -> ModuleT:
    """The network of a file, for inference.

    Args:
        front_end: digest of the encoder at hand.
        remedy: how to make such a file for another encoder, as the error says it.

    Raises:
        CheckpointError: missing, damaged, or made for another encoder.
    """
    checkpoint = read_checkpoint(path)
    own = settings.from_json(config, checkpoint.config)
    if own.front_end != front_end:
        raise CheckpointError(f"{path} reads features of another encoder; {remedy} --data CORPUS")
    module = build(own)
    load_strict(module, checkpoint.tensors, str(path))
    return module.eval().requires_grad_(False)
