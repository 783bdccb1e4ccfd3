"""Device, precision and processes of a training: a thin layer over Lightning Fabric."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from motet.errors import ConfigError, require
from motet.nn.device import pick_device
from motet.training.settings import ComputeConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

EXTRA = "train"


def launch(config: ComputeConfig | None = None) -> Fabric:
    """Start the processes of a training; returns this process's `Fabric`.

    With several devices the running command is started once more for each of them.

    Raises:
        MissingDependency: Lightning Fabric is not installed.
        ConfigError: the device does not exist.
    """
    config = config or ComputeConfig(device="cpu")
    lightning = require("lightning_fabric", EXTRA)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = pick_device(config.device).type
    _check_devices(kind, config.devices)
    fabric = lightning.Fabric(
        accelerator=kind,
        devices=config.devices,
        num_nodes=config.nodes,
        # Lightning calls plain float32 "32-true".
        precision="32-true" if config.precision == "32" else config.precision,
        strategy=_strategy(kind) if config.devices * config.nodes > 1 else "auto",
    )
    fabric.launch()
    return fabric


def _strategy(kind: str) -> object:
    strategies = require("lightning_fabric.strategies", EXTRA)
    return strategies.DDPStrategy(
        process_group_backend="nccl" if kind == "cuda" else "gloo",
        # A loss may leave out a part now and then (a dropped style encoder).
        find_unused_parameters=True,
        broadcast_buffers=False,
    )


def _check_devices(kind: str, count: int) -> None:
    # heavy: loaded only where a training runs
    import torch

    known = torch.cuda.device_count() if kind == "cuda" else 1
    if kind != "cpu" and count > known:
        raise ConfigError(f"this machine has {known} {kind} device(s), not {count}")
