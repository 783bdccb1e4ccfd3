"""Every set of weights from one call: data by its reader, stages in order, weights that say how
they came about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.errors import CheckpointError, ConfigError
from motet.training.settings import TrainConfig
from motet.training.target import TrainingJob, train_target
from motet.training.targets import OTHERS, find_target, method_target, target_names
from tests.toy_method import SPEC

SHORT = TrainConfig(steps=6, batch=4, learning_rate=0.02, warmup=1)


def train_toy(folder: Path, out: Path, config: TrainConfig = SHORT, preset: str = "default", **job):
    data = folder / "corpus"
    data.mkdir(parents=True, exist_ok=True)
    (data / "loudness.txt").write_text("-4\n-3\n-1\n0\n")
    target = method_target(SPEC, preset)
    return train_target(target, data, out, TrainingJob(folder, config, **job))


def test_every_shipped_weight_is_a_target() -> None:
    assert set(OTHERS) < set(target_names())
    assert {"artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip"} < set(target_names())
    for name in ("closure-head", "lip-aperture-head", "sync-expert", "phonetic"):
        assert find_target(name).name == name
    assert find_target("opening").name == "lip-aperture-head"
    with pytest.raises(ConfigError, match="closure-head"):
        find_target("closure-heat")


def test_weights_say_what_they_were_made_of(tmp_path: Path) -> None:
    digest = train_toy(tmp_path, tmp_path / "toy.safetensors")
    stored = read_checkpoint(tmp_path / "toy.safetensors")
    assert stored.digest == digest
    assert stored.facts["data"] == "4 values"
    assert stored.facts["training"]["steps"] == 6
    assert stored.facts["training"]["shards"] == 1
    assert "began_with" not in stored.facts


def test_a_training_may_begin_with_earlier_weights(tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    digest = train_toy(tmp_path / "one", first, dataclasses.replace(SHORT, steps=60))
    still = dataclasses.replace(SHORT, steps=1, learning_rate=0.0)
    train_toy(tmp_path / "two", second, still, start=first)
    begun, continued = read_checkpoint(first), read_checkpoint(second)
    assert continued.facts["began_with"] == digest
    assert all(torch.equal(begun.tensors[n], continued.tensors[n]) for n in begun.tensors)


def test_weights_of_another_size_or_none_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(CheckpointError):
        train_toy(tmp_path, out, start=tmp_path / "missing.safetensors")
    train_toy(tmp_path, tmp_path / "tiny.safetensors", preset="tiny")
    with pytest.raises(ConfigError, match="another architecture"):
        train_toy(tmp_path, out, start=tmp_path / "tiny.safetensors")
    with pytest.raises(ConfigError, match="no stage 'lips'"):
        train_toy(tmp_path, out, stage="lips")
    assert not out.exists()
