"""From the authors' checkpoint to a take by commands alone: equal to their recorded motion.

The recorded features and noise take the place of the encoder and of our random numbers; what the
encoder makes of a sound is compared in `test_parts.py`.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from motet.body.skeleton import pose_body
from motet.cli import main
from motet.export import read_take
from motet.methods.mospa import generate, window_sampling
from motet.methods.mospa.config import GENRES
from tests.parity.fixture_set import numbers_in
from tests.parity.mospa.conftest import SET, close, facts, seeds_in, shape_in, tensors

FRAME_S, SOURCE_HZ = 1 / 30, 120
"""A generated frame, and rows a second of a SAM sequence."""


def test_import_and_run_give_the_recorded_motion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, stored = tensors("predict"), facts("predict")
    rule, (steps,) = stored["input_rule"], numbers_in(stored["what"], r"(\d+)-step")
    random = np.random.RandomState(seeds_in(rule)[0])
    # The order of the rule: every input is drawn from one generator.
    drawn = {
        name: random.standard_normal(shape_in(rule, name))
        for name in ("audio", "ssl", "motion", "x_T", "step noise")
    }
    offset = np.array(numbers_in(rule, r"plus \[([\d,]+)\]"), dtype=float)
    source = drawn["ssl"][0] + offset  # (240, 3)
    features = torch.from_numpy(drawn["audio"]).float()  # (1, 240, 40)
    # (1, 240, 300) of the start, then of each of the steps
    noise = [torch.from_numpy(drawn["x_T"].astype(np.float32)).mT]
    noise += list(torch.from_numpy(drawn["step noise"].astype(np.float32)).mT)
    recorded = SimpleNamespace(dim=features.shape[-1])
    monkeypatch.setattr(generate, "load_encoder", lambda name: recorded)
    monkeypatch.setattr(window_sampling, "encode", lambda encoder, samples: features)
    monkeypatch.setattr(window_sampling, "seeded_noise", lambda *_, **__: noise.__getitem__)

    options = {**facts("denoiser_weights")["options"], "diffusion_steps": steps}
    weights = {"state_dict": dict(tensors("denoiser_weights")), "config": {"model": options}}
    torch.save(weights, tmp_path / "best.pt")
    imported, take = tmp_path / "mospa.safetensors", tmp_path / "take.npz"
    command = ["weights", "import", str(tmp_path / "best.pt"), "-m", "mospa", "-o", str(imported)]
    assert main(command) == 0
    seconds = len(source) * FRAME_S
    soundfile.write(tmp_path / "a.wav", np.zeros((round(seconds * 30720), 2)), 30720)
    rows = np.repeat(source, round(SOURCE_HZ * FRAME_S), 0)
    np.savez(tmp_path / "sequence.npz", sound_source=rows)
    run = ["run", str(tmp_path / "a.wav"), "-m", "mospa", "--weights", str(imported), "--quiet"]
    run += ["--source", str(tmp_path / "sequence.npz"), "--option", "source_mode=oracle"]
    genre = GENRES[stored["state"]]
    for option in ("sampler=ancestral", "feet=false", f"genre={genre}"):
        run += ["--option", option]
    assert main([*run, "-o", str(take)]) == 0

    motion = read_take(take).motion
    assert motion is not None and motion.frames == len(source)
    positions = pose_body(motion, tensors("motion")["skeleton_offsets"]).positions
    stride = int(SET.names("predict", r"positions_every(\d+)")[0])
    close(positions[::stride], found[f"positions_every{stride}"])
    sums = torch.stack([positions.double().sum(), positions.double().abs().sum()])
    assert sums.tolist() == pytest.approx(found["checks"][:2].tolist(), rel=1e-4, abs=0.05)
