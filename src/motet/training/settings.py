"""Settings of the training loop; free of torch so that the command line can show them at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How long and how fast a stage trains."""

    steps: int = 20_000
    """Optimiser steps in all."""
    batch: int = 32
    """Items of one batch; an optimiser step sees batch x devices x nodes x accumulate of them."""
    learning_rate: float = 3e-4
    """Peak learning rate of AdamW."""
    warmup: int = 200
    """Steps of linear warm-up."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """The rate from its peak to the last step."""
    final: float = 0.02
    """Share of the peak rate that is left at the last step."""
    weight_decay: float = 0.01
    """Decoupled weight decay of matrices (vectors do not decay); with 0 AdamW is Adam."""
    beta2: float = 0.98
    """Decay of AdamW's second moment."""
    clip: float = 1.0
    """Largest gradient norm; 0: gradients are not clipped."""
    average: float = 0.999
    """Decay of the exponential moving average of the parameters, which is what is exported; 0: the
    last parameters."""
    minutes: float | None = None
    """Stop after this much time in all (over resumptions); the schedule then follows time instead
    of steps."""
    save_every_s: float = 60.0
    """Seconds between two saved states."""
    log_every: int = 50
    """Steps between two reports."""
    validation: float = 0.05
    """Share of the training set that is held out for the validation loss: whole speakers where
    there are at least ten, otherwise whole recordings. 0: none."""
    validate_every: int = 500
    """Steps between two validation losses."""
    seed: int = 0
    """Seed of initialisation, batches and losses."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.validation < 1.0:
            raise ConfigError(f"validation must lie in 0..1, not {self.validation:g}")
        if min(self.batch, self.log_every, self.validate_every) < 1:
            raise ConfigError("batch, log-every and validate-every must be at least 1")
        for name in ("final", "average", "beta2"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie in 0..1, not {getattr(self, name):g}")


def follow_recipe(config: TrainConfig, recipe: Mapping[str, float | str]) -> TrainConfig:
    """Settings in which everything that the user left at its default follows a paper's recipe.

    Args:
        recipe: names and values of settings.
    """
    default = TrainConfig()
    own = {
        name: value
        for name, value in recipe.items()
        if getattr(config, name) == getattr(default, name)
    }
    return dataclasses.replace(config, **own)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class ComputeConfig:
    """On what a training runs."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Kind of processor; `auto` takes a GPU where there is one."""
    devices: int = 1
    """Processes on this machine, one for each GPU (or group of CPU cores); more than one train
    data-parallel (DDP)."""
    nodes: int = 1
    """Machines; start the same command on each, with NODE_RANK, MASTER_ADDR and MASTER_PORT in the
    environment, or through torchrun."""
    precision: Literal["32", "bf16-mixed"] = "32"
    """Arithmetic of forward and backward pass; parameters stay float32."""
    accumulate: int = 1
    """Batches whose gradients are averaged before each optimiser step."""

    def __post_init__(self) -> None:
        if min(self.devices, self.nodes, self.accumulate) < 1:
            raise ConfigError("devices, nodes and accumulate must be at least 1")

    @property
    def shards(self) -> int:
        """Batches of one optimiser step, over all processes."""
        return self.devices * self.nodes * self.accumulate
