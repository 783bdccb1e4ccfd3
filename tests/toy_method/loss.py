"""How the toy method trains: squared error of the jaw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.method import Stage
from tests.toy_method.config import ToyConfig
from tests.toy_method.model import ToyModel


def stages(config: ToyConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage]:
    """The one stage."""
    model = ToyModel(config)
    if tensors is not None:
        load_strict(model, tensors)

    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        return {"jaw": (model(batch["loudness"]) - batch["jaw"]).square().mean()}

    def batch(corpus: Any, size: int, randomness: torch.Generator) -> dict[str, Tensor]:
        del corpus
        loudness = torch.rand(size, 10, 1, generator=randomness) * 4 - 4
        return {"loudness": loudness, "jaw": (loudness + 4) / 4}

    return [Stage("jaw", model, [model], loss, batch)]
