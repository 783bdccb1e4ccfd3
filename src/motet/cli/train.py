"""`motet train TARGET`: every set of weights that ships, from a folder of data."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import tyro

from motet.cli.paths import check_files, check_folder
from motet.errors import ConfigError, nearest
from motet.methods import find_methods
from motet.training.settings import ComputeConfig, TrainConfig
from motet.training.target_names import OTHERS, RENAMED


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a set of weights. The same command resumes a run that was stopped or
    killed.

    Each stage has a folder RUNS/TARGET-STAGE with its log (log.jsonl, and TensorBoard: `tensorboard
    --logdir RUNS`), its state and the checkpoint with the smallest validation loss
    (best.safetensors).
    """

    target: tyro.conf.Positional[str]
    """What to train: a method (`artalk`, `diffposetalk`, `kmtalk`, `mospa`, `speech2lip`), the
    audio encoder `phonetic`, its heads `closure-head` and `lip-aperture-head`, `speech-heads` and
    `lips` (on Whisper's features), or `sync-expert`."""
    data: Path
    """Corpus folder, as `motet data synth` and `track` write one (mospa: `motet data sam`).
    speech2lip: a person captured by `motet fit`. phonetic, speech-heads: the folder with `grid_s1`
    and `speech`.
    sync-expert: the folder with `people` and `tracked`. Published presets of kmtalk and
    diffposetalk: VOCASET or BIWI, HDTF-TFHP, in their own layouts."""
    stage: str = ""
    """Stage by name; all stages in order when left out."""
    preset: str = "default"
    """Preset of the method's configuration."""
    start: Path | None = None
    """Weights of the same preset to begin with, for example the shipped ones; the new ones name
    their digest."""
    encoder: Path | None = None
    """Presets with an audio encoder of their own: its pretrained weights (wav2vec 2.0, HuBERT or
    XLS-R), as a folder of the package transformers or a file of its tensors."""
    runs: Path = Path("runs")
    """Where runs are kept; each stage has a folder there."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """File of the finished weights; RUNS/TARGET.safetensors when left out."""
    threads: int = 0
    """Processor threads; 0 leaves the choice to PyTorch."""
    compute: tyro.conf.OmitArgPrefixes[ComputeConfig] = dataclasses.field(
        default_factory=ComputeConfig
    )
    """Device, number of processes and precision."""
    optim: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    """Length, batch, rates and seed. Presets of papers follow the paper's recipe in everything that
    is left at its default."""

    def execute(self) -> int:
        """Train and write the weights."""
        self._check()
        import torch

        if self.threads > 0:
            torch.set_num_threads(self.threads)
        if self.target == "speech2lip":
            return self._person()
        return self._weights()

    def _check(self) -> None:
        """Everything that can be known before torch is imported."""
        name = RENAMED.get(self.target, self.target)
        methods = find_methods()
        known = [*(each for each, spec in methods.items() if spec.stages), *OTHERS]
        if name not in known:
            raise ConfigError(f"nothing to train is called {name!r}; {nearest(name, known)}")
        presets = methods[name].architectures() if name in methods else {"default": None}
        if self.preset not in presets:
            raise ConfigError(
                f"{name} has no preset {self.preset!r}; {nearest(self.preset, presets)}"
            )
        check_folder("--data", self.data, "with the training data")
        check_files({"--start": self.start, "--encoder": self.encoder})

    def _weights(self) -> int:
        from motet.training.target import TrainingJob, train_target
        from motet.training.targets import find_target

        if self.target in RENAMED:
            print(f"motet: {self.target!r} is now called {RENAMED[self.target]!r}", file=sys.stderr)
        target = find_target(self.target, self.preset)
        out = self.out or self.runs / f"{target.name}.safetensors"
        job = TrainingJob(
            self.runs,
            target.defaults if self.optim == TrainConfig() else self.optim,
            self.compute,
            self.stage,
            self.start,
            self.encoder,
            tensorboard=True,
        )
        print(f"{out}  digest {train_target(target, self.data, out, job, _report)}")
        return 0

    def _person(self) -> int:
        """A person keeps runs and weights in their own folder, as `motet fit` does."""
        from motet.methods.speech2lip.person.folder import Person
        from motet.training.person import LearningConfig, learn_person

        own = self.stage or self.start or self.encoder or self.out
        if own or self.preset != "default":
            raise ConfigError(
                "a person trains in their own folder, both stages in order; leave out --stage,"
                " --start, --encoder, --out and --preset"
            )
        person, optim = Person(self.data), self.optim
        learning = LearningConfig(
            minutes=optim.minutes or LearningConfig().minutes,
            steps=0 if optim.minutes or optim.steps == TrainConfig().steps else optim.steps,
            seed=optim.seed,
        )
        digest = learn_person(person, None, learning, _report, compute=self.compute)
        print(f"{person.weights}  digest {digest}")
        return 0


def _report(line: Mapping[str, float]) -> None:
    print("  ".join(f"{key} {value:.5g}" for key, value in line.items()), flush=True)


COMMAND = Train
