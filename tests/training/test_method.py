"""All stages of a method from one call: material by the specification's reader, weights that say
how they came about."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.errors import CheckpointError, ConfigError
from motet.training.method import train_method
from motet.training.settings import TrainConfig
from tests.toy_method import SPEC

SHORT = TrainConfig(steps=6, batch=4, learning_rate=0.02, warmup=1)


def nothing(architecture: Any, folder: Path) -> tuple[None, Any]:
    """Material of the toy method, which makes its own batches."""
    return None, lambda: {"data": folder.name}


TOY = dataclasses.replace(SPEC, corpus="tests.training.test_method:nothing")


def test_weights_say_what_they_were_made_of(tmp_path: Path) -> None:
    digest = train_method(
        TOY, "default", tmp_path / "corpus", tmp_path / "runs", tmp_path / "toy.safetensors", SHORT
    )
    found = read_checkpoint(tmp_path / "toy.safetensors")
    assert found.digest == digest
    assert (
        found.facts["data"] == "corpus"
        and found.facts["training"]["steps"] == 6
        and "began_with" not in found.facts
    )


def test_a_training_may_begin_with_earlier_weights(tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    digest = train_method(
        TOY, "default", tmp_path, tmp_path / "one", first, dataclasses.replace(SHORT, steps=60)
    )
    still = dataclasses.replace(SHORT, steps=1, learning_rate=0.0)
    train_method(TOY, "default", tmp_path, tmp_path / "two", second, still, start=first)
    begun, gone_on = read_checkpoint(first), read_checkpoint(second)
    assert gone_on.facts["began_with"] == digest
    assert all(torch.equal(begun.tensors[name], gone_on.tensors[name]) for name in begun.tensors)


def test_weights_of_another_size_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        train_method(
            TOY,
            "default",
            tmp_path,
            tmp_path,
            tmp_path / "out",
            SHORT,
            start=tmp_path / "missing.safetensors",
        )
    train_method(TOY, "tiny", tmp_path, tmp_path / "runs", tmp_path / "tiny.safetensors", SHORT)
    with pytest.raises(ConfigError, match="another architecture"):
        train_method(
            TOY,
            "default",
            tmp_path,
            tmp_path,
            tmp_path / "out",
            SHORT,
            start=tmp_path / "tiny.safetensors",
        )
    assert not (tmp_path / "out").exists()
