"""From a folder of data to finished weights: the stages of a target in order, each resumable.

A target is one set of weights that `motet train` makes: a method, the phonetic encoder, one of its
heads, the sync expert. `motet.training.targets` lists them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

import motet
from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.data.corpus import PRIVATE
from motet.encoders.hubert import Hubert
from motet.encoders.pretrained import load_pretrained
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import ConfigError, nearest
from motet.stage import ClosedFormStage, ExamplesT, Stage
from motet.training.compute import launch
from motet.training.loop import train
from motet.training.run_folder import Report
from motet.training.settings import ComputeConfig, TrainConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Tensors = Mapping[str, Tensor]
Metadata = dict[str, Any]
AnyStage = Stage[ExamplesT] | ClosedFormStage[ExamplesT]


@runtime_checkable
class Splittable(Protocol):
    """A training set that can hold out a validation part."""

    def hold_out(self, share: float) -> tuple[Self, Self | None]:
        """Training part, and validation part where there is enough."""
        ...


@dataclasses.dataclass(frozen=True)
class TrainingData(Generic[ExamplesT]):
    """What the stages of a target learn from."""

    train: ExamplesT
    validation: ExamplesT | None
    metadata: Callable[[], Metadata]
    """What the checkpoint says about the data; a function because it may take a moment."""


def hold_out_validation(
    examples: ExamplesT, about: Callable[[], Metadata], share: float
) -> TrainingData[ExamplesT]:
    """A training set without its validation part; sets that make their own batches have none."""
    validation = None
    if share and isinstance(examples, Splittable):
        examples, validation = examples.hold_out(share)
    return TrainingData(examples, validation, about)


def _same(stage: str, config: TrainConfig) -> TrainConfig:
    del stage
    return config


@dataclasses.dataclass(frozen=True)
class Target(Generic[ExamplesT]):
    """One set of weights that can be trained."""

    name: str
    architecture: Any
    """Configuration of the model, a frozen dataclass."""
    stages: Callable[[Tensors | None], Sequence[AnyStage[ExamplesT]]]
    """(tensors to begin with) -> the stages in order."""
    read: Callable[[Path, float], TrainingData[ExamplesT]]
    """(folder, share of validation) -> training data."""
    defaults: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    """Settings when the user gives none."""
    schedule: Callable[[str, TrainConfig], TrainConfig] = _same
    """(stage, settings) -> settings of that stage."""
    export: Callable[[Mapping[str, Tensors]], tuple[Tensors, Any]] | None = None
    """(tensors of the finished stages by name) -> tensors and configuration of the weights; the
    last stage's own when left out."""
    half: bool = True
    """Whether the weights are stored in float16."""


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """How a target is trained."""

    runs: Path
    """Each stage has a folder there, `TARGET-STAGE`."""
    config: TrainConfig
    compute: ComputeConfig = dataclasses.field(default_factory=lambda: ComputeConfig("cpu"))
    stage: str = ""
    """One stage by name; all stages in order when empty."""
    start: Path | None = None
    """Weights of the same architecture that the first trained stage begins with, instead of random
    ones or those of an earlier stage."""
    encoder: Path | None = None
    """Pretrained weights of the model's own audio encoder (HuBERT, wav2vec 2.0, XLS-R)."""
    tensorboard: bool = False
    """Write TensorBoard event files beside the logs."""


def train_target(
    target: Target[ExamplesT],
    data: Path,
    out: Path,
    job: TrainingJob,
    report: Report | None = None,
) -> str:
    """Train and write the weights; returns their digest.

    A finished stage leaves `RUNS/TARGET-STAGE/finished.safetensors`, from which the next one
    starts, and `best.safetensors` with the smallest validation loss.

    Raises:
        ConfigError: no such stage, an earlier stage is missing, `start` has another architecture,
            or the model's own audio encoder would be trained from random weights.
        CheckpointError: `start` is missing or damaged.
        InputError: the data has nothing to train on.
    """
    torch.manual_seed(job.config.seed)
    names = [stage.name for stage in target.stages(None)]
    if job.stage and job.stage not in names:
        raise ConfigError(f"{target.name} has no stage {job.stage!r}; {nearest(job.stage, names)}")
    # Digest of the weights to begin with, for the record.
    tensors, began = _initial(target, job)
    if tensors is None and job.stage in ("", names[0]):
        tensors = with_encoder(target, job.encoder)
    elif job.encoder is not None:
        raise ConfigError(
            "the audio encoder is in the weights that this training starts with; leave --encoder"
            " out"
        )
    fabric = launch(job.compute)
    source = target.read(data, job.config.validation)
    _refuse_private(out, source.metadata)
    finished: dict[str, Tensors] = {}
    for name in names:
        run = _StageRun(target, name, source, job, fabric, began, report)
        if job.stage and name != job.stage:
            # A stage before the wanted one is taken from its folder.
            if job.start is None and names.index(name) < names.index(job.stage):
                tensors = finished[name] = run.earlier()
            continue
        tensors = finished[name] = run.train(tensors)
        run.export(out, finished)
    return read_checkpoint(out).digest


@dataclasses.dataclass(frozen=True)
class _StageRun(Generic[ExamplesT]):
    """One stage of a job with its folder."""

    target: Target[ExamplesT]
    name: str
    data: TrainingData[ExamplesT]
    job: TrainingJob
    fabric: Fabric
    began: Metadata
    report: Report | None

    @property
    def folder(self) -> Path:
        return self.job.runs / f"{self.target.name}-{self.name}"

    @property
    def finished(self) -> Path:
        return self.folder / "finished.safetensors"

    @functools.cached_property
    def about(self) -> Metadata:
        return self.data.metadata()

    @property
    def config(self) -> TrainConfig:
        return self.target.schedule(self.name, self.job.config)

    def earlier(self) -> Tensors:
        """Tensors of this stage from an earlier call."""
        if not self.finished.exists():
            raise ConfigError(
                f"the stage {self.name!r} comes first and has not been trained"
                f" ({self.finished} is missing)"
            )
        return read_checkpoint(self.finished).tensors

    def train(self, tensors: Tensors | None) -> Tensors:
        """Train (or go on) and write `finished.safetensors`."""
        # Built anew from the tensors so far: a stage owns its model.
        stage = next(s for s in self.target.stages(tensors) if s.name == self.name)
        if isinstance(stage, ClosedFormStage):
            tensors, own = stage.fit(self.data.train), {}
        else:
            tensors = self._descend(stage)
            with torch.no_grad():
                own = stage.metadata(self.data.train)
        # one writer; the others wait at the barrier before they read
        if self.fabric.global_rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            facts = {**self._facts(), **own}
            save_checkpoint(self.finished, tensors, self.target.architecture, facts)
        self.fabric.barrier()
        return tensors

    def _descend(self, stage: Stage[ExamplesT]) -> Tensors:
        def export(path: Path, tensors: Tensors) -> None:
            save_checkpoint(path, tensors, self.target.architecture, self._facts())

        return train(
            stage,
            self.data.train,
            self.config,
            self.folder,
            self.report,
            fabric=self.fabric,
            accumulate=self.job.compute.accumulate,
            validation=self.data.validation,
            export=export,
            tensorboard=self.job.tensorboard,
        )

    def _facts(self) -> Metadata:
        training = {**dataclasses.asdict(self.config), "shards": self.job.compute.shards}
        return {**self.about, "stage": self.name, "training": training, **self.began}

    def export(self, out: Path, finished: Mapping[str, Tensors]) -> None:
        """Write the weights as they are after this stage."""
        if self.fabric.global_rank == 0:
            facts = read_checkpoint(self.finished).facts
            tensors, architecture = finished[self.name], self.target.architecture
            if self.target.export is not None:
                tensors, architecture = self.target.export(finished)
            save_checkpoint(out, tensors, architecture, facts, half=self.target.half)
        self.fabric.barrier()


def with_encoder(target: Target[ExamplesT], encoder: Path | None) -> Tensors | None:
    """Random tensors to begin with, in which the model's own audio encoder is a pretrained one;
    None for a model without one.

    Raises:
        ConfigError: the model has such an encoder and no weights for it are given, or has none and
            weights are given.
    """
    stages = [stage for stage in target.stages(None) if isinstance(stage, Stage)]
    # All stages share one model, so the first tells.
    inner = [m for stage in stages[:1] for m in stage.model.modules()]
    own = [module for module in inner if isinstance(module, Hubert | Wav2Vec2)]
    if own and encoder is None:
        raise ConfigError(
            f"this preset of {target.name} has an audio encoder of its own, which is not trained"
            " from random weights; give pretrained ones with --encoder (a file or folder of the"
            " package transformers), or complete weights with --start"
        )
    if not own:
        if encoder is not None:
            raise ConfigError(
                f"this preset of {target.name} has no audio encoder of its own; leave --encoder out"
            )
        return None
    assert encoder is not None
    for module in own:
        load_pretrained(module, encoder)
    return {name: value.clone() for name, value in stages[0].model.state_dict().items()}


def _refuse_private(out: Path, about: Callable[[], Metadata]) -> None:
    """Weights from private recordings are never written into the package, which others get."""
    in_package = out.resolve().is_relative_to(Path(motet.__file__).resolve().parent)
    if in_package and about().get("licence") == PRIVATE:
        raise ConfigError(
            f"{out} is inside the package, where weights trained on private recordings must not"
            " be; choose another file"
        )


def _initial(target: Target[ExamplesT], job: TrainingJob) -> tuple[Tensors | None, Metadata]:
    """Tensors of the weights to begin with, and their digest for the metadata of the new ones."""
    if job.start is None:
        return None, {}
    checkpoint = read_checkpoint(job.start)
    if from_json(type(target.architecture), checkpoint.config) != target.architecture:
        raise ConfigError(
            f"{job.start} holds another architecture than the preset of {target.name} to be"
            " trained; choose the preset it was made with"
        )
    return checkpoint.tensors, {"began_with": checkpoint.digest}
