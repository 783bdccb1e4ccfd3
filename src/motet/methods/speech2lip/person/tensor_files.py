"""Tensors of a person's folder: safetensors, whole or not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.atomic_write import write_bytes
from motet.errors import AssetError

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> Path:
    """Write a file that appears only when it is complete."""
    from safetensors.torch import save

    return write_bytes(
        path,
        save(
            {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        ),
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by name.

    Raises:
        AssetError: missing or damaged; also when a tensor that it lacks is asked for.
    """
    from motet.checkpoint import read_official
    from motet.errors import CheckpointError

    try:
        return _Named(path, read_official(path))
    except CheckpointError as error:
        raise AssetError(f"{error}; fit the person again") from error


class _Named(dict[str, Any]):
    """Tensors of a file; one that is missing is an error that names the file."""

    def __init__(self, path: Path, tensors: Mapping[str, Any]) -> None:
        super().__init__(tensors)
        self._path = path

    def __missing__(self, name: str) -> Any:
        raise AssetError(f"{self._path} lacks {name!r}; fit the person again")
