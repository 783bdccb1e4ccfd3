"""A training of the toy method as a program of its own, to be killed or started in two processes.

python -m tests.training.driver FOLDER STEPS DEVICES ACCUMULATE
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from motet.stage import Stage
from motet.training.compute import launch
from motet.training.loop import train
from motet.training.settings import ComputeConfig, TrainConfig
from tests.toy_method import SPEC

EXAMPLES = SPEC.example_training_set(SPEC.architectures()["default"])
CONFIG = TrainConfig(batch=4, learning_rate=0.01, warmup=3, save_every_s=0, log_every=1)


def toy_stage() -> Stage[object]:
    """A stage that always begins with the same parameters."""
    torch.manual_seed(7)
    return SPEC.build_stages(SPEC.architectures()["default"])[0]


def main(folder: Path, steps: int, devices: int, accumulate: int) -> None:
    fabric = launch(ComputeConfig("cpu", devices=devices, accumulate=accumulate))
    config = dataclasses.replace(CONFIG, steps=steps)
    tensors = train(toy_stage(), EXAMPLES, config, folder, fabric=fabric, accumulate=accumulate)
    if fabric.global_rank == 0:
        save_file(dict(tensors), folder / "result.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
