"""A fit that is killed or stopped loses next to nothing and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.folder import TRAINING, WEIGHTS, Person, write_features
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
import motet.cli.fit as fit
from motet.methods.speech2lip.person.folder import Person
import motet.tracking.capture.capture as capture
fit.SAVE_EVERY_S = 2.0
capture.capture = lambda videos, folder, options, report: Person(folder)
from motet.cli import main
folder, minutes = sys.argv[1:]
line = ["fit", "film.mp4", "-o", folder, "--consent", "none", "--renderer", "implicit"]
sys.exit(main([*line, "--minutes", minutes]))
"""
"""`motet fit` on a person who is captured already, saving every two seconds instead of every
thirty."""


def fit(folder: Path, minutes: float) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(minutes)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(path: Path, since: float, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and path.stat().st_mtime > since:
            return
        time.sleep(0.2)
    raise AssertionError(f"{path.name} did not appear")


def step_of(folder: Path) -> int:
    with safe_open(str(folder / TRAINING / "lips" / "state.safetensors"), framework="pt") as file:
        return int(file.metadata()["step"])


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    import torch

    folder = SyntheticPerson(PRESETS["default"]).write(tmp_path / "person")
    write_features(folder, torch.randn(80, 256, generator=torch.Generator().manual_seed(0)))
    return folder


@pytest.mark.slow
def test_killed_and_stopped(captured: Path) -> None:
    began = time.time()
    running = fit(captured, 30)
    wait_for(captured / WEIGHTS, began)
    running.kill()
    running.communicate()
    saved = step_of(captured)
    assert saved > 0

    began = time.time()
    running = fit(captured, 30)
    wait_for(captured / TRAINING / "lips" / "state.safetensors", began)
    assert step_of(captured) > saved  # it went on, it did not begin again
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=240)
    assert running.returncode == 0 and b"stopped; the best so far is kept" in said
    assert Person(captured).weights.exists()

    running = fit(captured, 0.001)  # the time is over long ago: both stages end at once
    said, complaint = running.communicate(timeout=240)
    assert running.returncode == 0 and b"done: mean colour error" in said, complaint
