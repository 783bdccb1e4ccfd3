"""How the toy method trains: squared error of the jaw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.errors import InputError
from motet.method import Facts
from motet.stage import Stage
from tests.toy_method.config import ToyConfig
from tests.toy_method.model import ToyModel


def stages(config: ToyConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage[Tensor]]:
    """The one stage; its training set is a row of loudness values."""
    model = ToyModel(config)
    if tensors is not None:
        load_strict(model, tensors)

    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        return {"jaw": (model(batch["loudness"]) - batch["jaw"]).square().mean()}

    def batch(values: Tensor, size: int, randomness: torch.Generator) -> dict[str, Tensor]:
        rows = torch.randint(len(values), (size, 10), generator=randomness)
        loudness = values[rows].unsqueeze(-1)
        return {"loudness": loudness, "jaw": (loudness + 4) / 4}

    return [Stage("jaw", model, [model], loss, batch)]


def example(config: ToyConfig) -> Tensor:
    """Loudness from -4 to 0."""
    del config
    return torch.linspace(-4, 0, 101)


def read_training_set(config: ToyConfig, folder: Path) -> tuple[Tensor, Facts]:
    """Loudness values, one a line of `loudness.txt`.

    Raises:
        InputError: the file is missing.
    """
    del config
    path = folder / "loudness.txt"
    if not path.exists():
        raise InputError(f"{folder} holds no loudness.txt; write one number a line")
    values = torch.tensor([float(line) for line in path.read_text().split()])
    return values, lambda: {"data": f"{len(values)} values", "licence": "CC0-1.0"}
