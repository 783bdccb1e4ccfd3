"""`motet train METHOD`: one stage of a method on a corpus."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.train.settings import TrainConfig


@dataclasses.dataclass(frozen=True)
class Train:
    """Train one stage of a method. Run the same line again to resume."""

    method: tyro.conf.Positional[str]
    """Method to train (`artalk`) or the shared front end (`phonetic`)."""
    data: Path
    """Corpus folder made by `motet data corpus`."""
    stage: str = ""
    """Stage by name; all stages in order when left out."""
    preset: str = "default"
    """Preset of the method's configuration."""
    runs: Path = Path("runs")
    """Where runs are kept; each stage has a folder there."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File of the finished weights; `RUNS/METHOD.safetensors` when left out."""
    optim: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    """Length, batch, rates and seed."""

    def execute(self) -> int:
        """Train and write the weights."""
        from motet.train.stages import train_method

        train_method(self)
        return 0


COMMAND = Train
