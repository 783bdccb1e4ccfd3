"""From a corpus folder to the finished weights of a method: every stage in order, each
resumable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motet.checkpoint import load_strict, read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.data.training_set import TrainingSet
from motet.errors import ConfigError, nearest
from motet.method import MethodSpec, Stage
from motet.training.loop import train
from motet.training.settings import TrainConfig

Report = Callable[[Mapping[str, float]], None]


def train_method(
    spec: MethodSpec,
    preset: str,
    data: Path,
    runs: Path,
    out: Path,
    config: TrainConfig,
    stage: str = "",
    report: Report | None = None,
    start: Path | None = None,
) -> str:
    """Train all stages of a method in order, or one by name, and write the weights; answers their
    digest.

    A finished stage leaves `RUNS/METHOD-STAGE/finished.safetensors`, from which the next one
    starts.

    Args:
        start: weights of the same architecture that the first trained stage begins with instead of
            chance or an earlier stage.

    Raises:
        ConfigError: no such preset or stage, an earlier stage has not been trained, or `start` is
            of another architecture.
        CheckpointError: `start` is missing or damaged.
        InputError: the corpus has nothing to train on.
    """
    presets = spec.architectures()
    if preset not in presets:
        raise ConfigError(f"{spec.name} has no preset {preset!r}; {nearest(preset, presets)}")
    architecture = presets[preset]
    torch.manual_seed(config.seed)
    names = [s.name for s in spec.build_stages(architecture)]
    if stage and stage not in names:
        raise ConfigError(f"{spec.name} has no stage {stage!r}; {nearest(stage, names)}")
    tensors, began = (None, {}) if start is None else _beginning(start, spec.name, architecture)
    examples, about = spec.read_training_set(architecture, data)
    digest = ""
    for name in names:
        finished = runs / f"{spec.name}-{name}" / "finished.safetensors"
        if stage and name != stage:
            if start is None and names.index(name) < names.index(stage):
                tensors = _earlier(finished, name)
            continue
        part = next(s for s in spec.build_stages(architecture, tensors) if s.name == name)
        tensors = _completed(part, train(part, examples, config, finished.parent, report), examples)
        facts = (
            {**about(), "stage": name, "training": dataclasses.asdict(config)}
            | began
            | _own_facts(part, examples)
        )
        save_checkpoint(finished, tensors, architecture, facts)
        digest = save_checkpoint(out, tensors, architecture, facts, half=True)
    return digest


def _completed(
    stage: Stage, tensors: dict[str, Tensor], examples: TrainingSet
) -> dict[str, Tensor]:
    load_strict(stage.model, tensors)
    stage.model.eval()
    if stage.complete is None:
        return tensors
    with torch.no_grad():
        stage.complete(examples)
    return {name: tensor.detach().clone() for name, tensor in stage.model.state_dict().items()}


def _own_facts(stage: Stage, examples: TrainingSet) -> dict[str, Any]:
    """What the stage says of its finished model (the averaged parameters are in place since
    `_completed`).
    """
    if stage.facts is None:
        return {}
    with torch.no_grad():
        return stage.facts(examples)


def _beginning(
    start: Path, method: str, architecture: Any
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of the weights to go on from, and the word about them that goes into the new ones."""
    checkpoint = read_checkpoint(start)
    if from_json(type(architecture), checkpoint.config) != architecture:
        raise ConfigError(
            f"{start} holds another architecture than the preset of {method} to be trained; choose"
            " the preset it was made with"
        )
    return checkpoint.tensors, {"began_with": checkpoint.digest}


def _earlier(path: Path, name: str) -> dict[str, Tensor]:
    if not path.exists():
        raise ConfigError(
            f"the stage {name!r} comes first and has not been trained ({path} is missing)"
        )
    return read_checkpoint(path).tensors
