"""Whole sampling runs of MOSPA against the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from motet.body.feature_vector import vector_positions
from motet.diffusion.schedule import strided_timesteps
from motet.methods.mospa.windows import SamplingConfig, WindowConditions, sample_window
from tests.parity.fixture_set import numbers_in
from tests.parity.mospa.conftest import (
    SET,
    close,
    facts,
    official_model,
    seeds_in,
    shape_in,
    tensors,
)


def conditions(audio: Tensor, source: Tensor, genre: Tensor) -> WindowConditions:
    return WindowConditions(audio, genre, lambda estimate: source)


@torch.no_grad()
def test_ancestral_and_ddim() -> None:
    found, said = tensors("sampling"), facts("sampling")
    schedule, steps = said["schedule"].split()
    model = official_model(diffusion_steps=int(steps), noise_schedule=schedule)
    given = conditions(found["audio"].mT, found["pred_ss"].mT, found["state"])
    start, every = found["x_T"].mT, tuple(range(int(steps), -1, -1))
    (middle,) = numbers_in(said["tensors_meaning"]["sample_mid"], r"step index (\d+)")

    def noise(move: int) -> Tensor:
        return found["step_noise"][move].mT

    # x after the k-th step stands on the k+1-th entry of the descending steps.
    for kept, name in ((len(every), "final"), (2, "first"), (middle + 2, "mid")):
        draw = SamplingConfig("ancestral", every[:kept])
        close(sample_window(model, given, draw, start, noise).mT, found[f"sample_{name}"])
    batch = len(found["state"])
    source = F.normalize(given.source(None), dim=1)
    embedded = model.embed_conditions(given.audio, source, given.genre)
    estimate = model.estimate(start, torch.full((batch,), int(steps)), embedded)
    close(estimate.mT, found["pred_xstart_first"])
    close(
        sample_window(model, given, SamplingConfig("ddim", every), start, noise).mT,
        found["ddim_final"],
    )


@pytest.mark.parametrize("name", SET.names("sampling", r"(ddim\d+_of_\d+)_final"))
@torch.no_grad()
def test_strided_ddim(name: str) -> None:
    found = tensors("sampling")
    kept, of = numbers_in(name, r"ddim(\d+)_of_(\d+)")
    model = official_model(diffusion_steps=of)
    steps = tuple(strided_timesteps(model.schedule, kept))
    assert [step - 1 for step in steps[:-1]] == list(range(0, of, of // kept))[::-1]
    given = conditions(found["audio"].mT, found["pred_ss"].mT, found["state"])
    draw, start = SamplingConfig("ddim", steps), found["x_T"].mT
    made = sample_window(model, given, draw, start, lambda move: torch.zeros(0)).mT
    close(made, found[f"{name}_final"])


@torch.no_grad()
def test_the_published_evaluation() -> None:
    found, said = tensors("predict"), facts("predict")
    rule, (steps,) = said["input_rule"], numbers_in(said["what"], r"(\d+)-step")
    model = official_model(diffusion_steps=steps)
    random = np.random.RandomState(seeds_in(rule)[0])

    def drawn(name: str) -> np.ndarray:
        return random.standard_normal(shape_in(rule, name))

    audio = torch.from_numpy(drawn("audio")).float()
    offset = np.array(numbers_in(rule, r"plus \[([\d,]+)\]"), dtype=float)
    source = torch.from_numpy(drawn("ssl") + offset).float()
    drawn("motion")
    start, noise = (
        torch.from_numpy(drawn(name).astype(np.float32)).mT for name in ("x_T", "step noise")
    )
    probe = found["xT_probe"]
    close(start.mT[0, : len(probe), : probe.shape[1]], probe, 1e-6)
    given = conditions(audio, F.normalize(source, dim=-1), torch.tensor([said["state"]]))
    draw = SamplingConfig("ancestral", tuple(range(steps, -1, -1)))
    vector = sample_window(model, given, draw, start, lambda move: noise[move])
    positions = vector_positions(vector, tensors("motion")["skeleton_offsets"])[0]
    for name, values in (("vector", vector[0]), ("positions", positions)):
        stride = int(SET.names("predict", rf"{name}_every(\d+)")[0])
        kept = values[::stride].mT if name == "vector" else values[::stride]
        close(kept, found[f"{name}_every{stride}"])
    sums = [part.double() for part in (positions, vector)]
    checks = [value for part in sums for value in (part.sum(), part.abs().sum())]
    assert torch.stack(checks).tolist() == pytest.approx(
        found["checks"].tolist(), rel=1e-4, abs=0.05
    )
