"""The loop learns, resumes exactly, and refuses a folder of another run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from motet.errors import ConfigError
from motet.training.loop import train
from motet.training.settings import TrainConfig
from tests.toy_method import SPEC

EXAMPLES = SPEC.example_training_set(SPEC.architectures()["default"])


def fresh_stage():
    torch.manual_seed(7)
    return SPEC.build_stages(SPEC.architectures()["default"])[0]


def test_loss_falls_and_is_logged(tmp_path: Path) -> None:
    train(
        fresh_stage(),
        EXAMPLES,
        TrainConfig(steps=120, batch=16, learning_rate=0.02, warmup=5, log_every=20),
        tmp_path,
    )
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 120
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]


def test_a_stopped_run_continues_as_the_uninterrupted_one(tmp_path: Path) -> None:
    whole = TrainConfig(steps=40, batch=4, warmup=3, save_every_s=0)
    expected = train(fresh_stage(), EXAMPLES, whole, tmp_path / "whole")

    class Killed(Exception):
        pass

    def killer(line) -> None:
        if line["step"] == 20:
            raise Killed

    stopped = TrainConfig(steps=40, batch=4, warmup=3, save_every_s=0, log_every=10)
    with pytest.raises(Killed):
        train(fresh_stage(), EXAMPLES, stopped, tmp_path / "cut", killer)
    torch.manual_seed(12345)
    found = train(
        SPEC.build_stages(SPEC.architectures()["default"])[0], EXAMPLES, stopped, tmp_path / "cut"
    )
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    train(fresh_stage(), EXAMPLES, TrainConfig(steps=2), tmp_path)
    with pytest.raises(ConfigError, match=r"learning_rate 0.0003 \(now 1.0\)"):
        train(fresh_stage(), EXAMPLES, TrainConfig(steps=2, learning_rate=1.0), tmp_path)


def test_the_best_model_is_exported_with_the_validation_loss(tmp_path: Path) -> None:
    exported: list[float] = []
    stage = fresh_stage()
    validation = EXAMPLES.roll(1)

    def export(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
        assert path == tmp_path / "best.safetensors"
        model = fresh_stage()
        model.model.load_state_dict(dict(tensors))
        rows = model.batch(validation, 200, torch.Generator().manual_seed(0))
        exported.append(float(model.loss(rows, torch.Generator())["jaw"].detach()))

    config = TrainConfig(
        steps=60, batch=8, learning_rate=0.02, warmup=1, average=0.5, validate_every=10
    )
    train(stage, EXAMPLES, config, tmp_path, validation=validation, export=export)
    losses = [
        line["validation"]
        for line in map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
        if "validation" in line
    ]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert len(exported) == sum(loss < min([*losses[:n], 9.9]) for n, loss in enumerate(losses))
    assert exported[-1] == min(exported)


def test_tensorboard_gets_every_report(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    config = TrainConfig(steps=4, batch=2, log_every=2)
    train(fresh_stage(), EXAMPLES, config, tmp_path, tensorboard=True)
    (path,) = tmp_path.glob("events.out.tfevents.*")
    values = [
        (event.step, value.tag)
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    ]
    assert {(2, "loss"), (4, "loss"), (4, "jaw"), (4, "rate")} <= set(values)


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    config = TrainConfig(steps=3, batch=2, validation=0.0)
    train(fresh_stage(), EXAMPLES, config, tmp_path)
    written = json.loads((tmp_path / "run.json").read_text())
    del written["shards"], written["validation"]
    (tmp_path / "run.json").write_text(json.dumps(written))
    with pytest.raises(ConfigError, match=r"validation 0.0 \(now 0.05\)"):
        train(fresh_stage(), EXAMPLES, TrainConfig(steps=4, batch=2), tmp_path)
    longer = dataclasses.replace(config, steps=5, log_every=1)
    train(fresh_stage(), EXAMPLES, longer, tmp_path)
    log = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log == [4, 5]
