"""`motet train METHOD`: the stages of a method on a corpus."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import tyro

from motet.training.settings import TrainConfig


@dataclasses.dataclass(frozen=True)
class Train:
    """Train the stages of a method. A run that was stopped, however hard, goes on when the same
    line is given again.
    """

    method: tyro.conf.Positional[str]
    """Method to train, e.g. `artalk`, the front end `phonetic`, or what is read from it: `opening`
    (how far lips part), `closing` (p, b and m)."""
    data: Path
    """Corpus folder, as `motet data synth` and `track` write one; for `phonetic` the folder with
    `grid_s1` and `speech`."""
    stage: str = ""
    """Stage by name; all stages in order when left out."""
    preset: str = "default"
    """Preset of the method's configuration."""
    start: Path | None = None
    """Weights of the same preset to begin with, for example the shipped ones; the new ones name
    their digest."""
    runs: Path = Path("runs")
    """Where runs are kept; each stage has a folder there."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File of the finished weights; RUNS/METHOD.safetensors when left out."""
    threads: int = 0
    """Processor threads; 0 leaves the choice to PyTorch."""
    optim: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    """Length, batch, rates and seed."""

    def execute(self) -> int:
        """Train and write the weights."""
        import torch

        from motet.registry import method_spec
        from motet.training.method import train_method

        if self.threads > 0:
            torch.set_num_threads(self.threads)
        out = self.out or self.runs / f"{self.method}.safetensors"
        hearing = {"phonetic": self._phonetic, "opening": self._opening, "closing": self._closing}
        if self.method in hearing:
            return hearing[self.method](out)
        spec = method_spec(self.method)
        digest = train_method(
            spec,
            self.preset,
            self.data,
            self.runs,
            out,
            self.optim,
            self.stage,
            _report,
            self.start,
        )
        print(f"{out}  digest {digest}")
        return 0

    def _phonetic(self, out: Path) -> int:
        from motet.training.phonetic import DEFAULT, train_phonetic

        config = DEFAULT if self.optim == TrainConfig() else self.optim
        print(f"{out}  digest {train_phonetic(self.data, out, config, self.runs, _report)}")
        return 0

    def _opening(self, out: Path) -> int:
        from motet.encoders.phonetic.encoder import load_phonetic
        from motet.encoders.phonetic.lip_aperture_head import fit_opening, save_opening
        from motet.training.training_sets import training_set

        print(
            f"{out}  digest"
            f" {save_opening(fit_opening(training_set(self.data)), load_phonetic().digest, out)}"
        )
        return 0

    def _closing(self, out: Path) -> int:
        from motet.encoders.phonetic.closure_head import (
            ClosingConfig,
            ClosingTraining,
            fit_closing,
            save_closing,
        )
        from motet.encoders.phonetic.encoder import load_phonetic
        from motet.training.training_sets import training_set

        reading = fit_closing(
            training_set(self.data),
            ClosingConfig(load_phonetic().digest),
            ClosingTraining(seed=self.optim.seed),
            _report,
        )
        print(f"{out}  digest {save_closing(reading, out)}")
        return 0


def _report(line: Mapping[str, float]) -> None:
    print("  ".join(f"{key} {value:.5g}" for key, value in line.items()), flush=True)


COMMAND = Train
