"""Several processes, accumulation and sudden death: always the run that one process would make."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from motet.training import loop
from motet.training.loop import train
from tests.training.driver import CONFIG, EXAMPLES, toy_stage

ROOT = Path(__file__).parents[2]
STEPS = 12
TOLERANCE = 1e-6
"""Sums of gradients differ in the order of their terms."""


def start(folder: Path, steps: int, devices: int = 1, accumulate: int = 1) -> subprocess.Popen:
    """The driver as a program."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    arguments = [str(folder), str(steps), str(devices), str(accumulate)]
    program = [sys.executable, "-m", "tests.training.driver", *arguments]
    with (folder / "errors.txt").open("w") as errors:
        return subprocess.Popen(program, cwd=ROOT, env=environment, stderr=errors)


@pytest.fixture(scope="module")
def double_batch(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tensor]:
    """One process whose every batch is that of two shards, one after the other."""
    stage, steps = toy_stage(), iter(range(STEPS))

    def batch(examples: object, size: int, randomness: torch.Generator) -> Mapping[str, Tensor]:
        del randomness
        step = next(steps)
        shards = [
            stage.batch(examples, size, loop.shard_generator(CONFIG.seed, step, shard))
            for shard in (0, 1)
        ]
        return {name: torch.cat([shard[name] for shard in shards]) for name in shards[0]}

    config = dataclasses.replace(CONFIG, steps=STEPS)
    folder = tmp_path_factory.mktemp("double")
    return train(dataclasses.replace(stage, batch=batch), EXAMPLES, config, folder)


def test_two_processes_equal_one_with_the_double_batch(
    tmp_path: Path, double_batch: Mapping[str, Tensor]
) -> None:
    process = start(tmp_path, STEPS, devices=2)
    assert process.wait(timeout=300) == 0, (tmp_path / "errors.txt").read_text()
    result = load_file(tmp_path / "result.safetensors")
    for name, tensor in double_batch.items():
        torch.testing.assert_close(result[name], tensor, rtol=0, atol=TOLERANCE)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == STEPS


def test_accumulation_equals_the_double_batch(
    tmp_path: Path, double_batch: Mapping[str, Tensor]
) -> None:
    config = dataclasses.replace(CONFIG, steps=STEPS)
    result = train(toy_stage(), EXAMPLES, config, tmp_path, accumulate=2)
    for name, tensor in double_batch.items():
        torch.testing.assert_close(result[name], tensor, rtol=0, atol=TOLERANCE)


def test_a_killed_run_continues_as_the_uninterrupted_one(tmp_path: Path) -> None:
    steps = 5000
    process = start(tmp_path / "killed", steps)
    log = tmp_path / "killed" / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") > 20):
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = log.read_text().count("\n")
    config = dataclasses.replace(CONFIG, steps=reached + 20)
    longer = dataclasses.replace(config, steps=steps)
    assert reached < steps, "the run ended before it was killed"

    def stop(line: Mapping[str, float]) -> None:
        if line["step"] == reached + 20:
            raise InterruptedError

    for folder in ("killed", "whole"):
        with pytest.raises(InterruptedError):
            train(toy_stage(), EXAMPLES, longer, tmp_path / folder, stop)
    killed, whole = (load_file(tmp_path / f / "state.safetensors") for f in ("killed", "whole"))
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
