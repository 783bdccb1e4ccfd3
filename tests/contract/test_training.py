"""A tiny training of every method and every shipped head from data to weights that load."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import InputError
from motet.method import MethodSpec
from motet.training.closure_head import closure_examples
from motet.training.settings import TrainConfig
from motet.training.target import TrainingData, TrainingJob, hold_out_validation, train_target
from motet.training.targets import find_target, method_target
from motet.types import arkit_space
from tests.contract.conftest import ALL

SHORT = TrainConfig(steps=3, batch=2, warmup=1, log_every=1, validate_every=2, validation=0.5)


def about() -> dict[str, str]:
    return {"licence": "CC0-1.0"}


def test_every_method_trains_to_weights_that_generate(
    spec: MethodSpec, config: object, training_set: object, tmp_path: Path
) -> None:
    target = dataclasses.replace(
        method_target(spec, "tiny"),
        read=lambda folder, share: hold_out_validation(training_set, about, share),
    )
    out = tmp_path / "weights.safetensors"
    digest = train_target(target, tmp_path, out, TrainingJob(tmp_path, SHORT))
    stored = read_checkpoint(out)
    assert stored.digest == digest
    assert stored.facts["licence"] == "CC0-1.0"
    spec.build(config, stored.tensors, stored.facts)
    held_out = hold_out_validation(training_set, about, SHORT.validation).validation is not None
    for stage in target.stages(None):
        run = tmp_path / f"{spec.name}-{stage.name}"
        log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in log] == [1, 2, 3]
        assert ("validation" in log[1]) == held_out
        assert (run / "best.safetensors").exists() == held_out
        if held_out:
            best = read_checkpoint(run / "best.safetensors")
            spec.build(config, best.tensors, best.facts)


def closures(dim: int = 256) -> TrainingSet:
    noise = torch.Generator().manual_seed(0)
    items = [
        TrainingItem(
            torch.rand(60, 55, generator=noise),
            torch.randn(120, dim, generator=noise),
            torch.ones(55, dtype=torch.bool),
            phones=tuple((0.2 * n, 0.2 * n + 0.08, "m") for n in range(1, 10)),
            recording=f"clip{number}",
        )
        for number in range(4)
    ]
    return TrainingSet(arkit_space(), items)


@pytest.mark.parametrize("name", ["closure-head", "lip-aperture-head"])
def test_heads_train_to_weights_that_load(name: str, tmp_path: Path) -> None:
    from motet.encoders.phonetic.closure_head import load_closing
    from motet.encoders.phonetic.lip_aperture_head import load_opening

    target, corpus = find_target(name), closures()
    examples = closure_examples(corpus) if name == "closure-head" else corpus
    target = dataclasses.replace(
        target, read=lambda folder, share: TrainingData(examples, None, about)
    )
    out = tmp_path / "head.safetensors"
    train_target(target, tmp_path, out, TrainingJob(tmp_path, SHORT))
    encoder = target.architecture.front_end
    load = load_closing if name == "closure-head" else load_opening
    assert load(encoder, out) is not None
    assert read_checkpoint(out).facts["licence"] == "CC0-1.0"


def test_a_validation_part_that_is_too_small_shows_at_the_start(tmp_path: Path) -> None:
    (spec,) = (spec for spec in ALL if spec.name == "diffposetalk")
    target = dataclasses.replace(
        method_target(spec, "tiny"),
        read=lambda folder, share: hold_out_validation(closures(8), about, 0.25),
    )
    with pytest.raises(InputError, match="--optim.validation"):
        train_target(target, tmp_path, tmp_path / "out", TrainingJob(tmp_path, SHORT))
    assert not list(tmp_path.glob("*/state.safetensors"))
