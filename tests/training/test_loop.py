"""The loop learns, resumes exactly, and refuses a folder of another run."""

from __future__ import annotations

import json
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
