"""Whole sampling runs of MOSPA against the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from motet.body.feature_vector import vector_places
from motet.diffusion.schedule import descend_stride
from motet.methods.mospa.windows import SamplingConfig, WindowConditions, sample_window
from tests.parity.mospa.conftest import close, official_model, tensors


def heard(audio: Tensor, source: Tensor, genre: Tensor) -> WindowConditions:
    return WindowConditions(audio, genre, lambda estimate: source)


@torch.no_grad()
def test_ancestral_and_ddim() -> None:
    found, model = tensors("sampling"), official_model(diffusion_steps=20)
    given = heard(found["audio"].mT, found["pred_ss"].mT, found["state"])
    start, every = found["x_T"].mT, tuple(range(20, -1, -1))
    trail: list[Tensor] = []

    def noise(move: int) -> Tensor:
        return found["step_noise"][move].mT

    close(
        sample_window(model, given, SamplingConfig("ancestral", every), start, noise).mT,
        found["sample_final"],
    )
    for stop, name in ((19, "sample_first"), (9, "sample_mid")):
        trail.append(
            sample_window(
                model,
                given,
                SamplingConfig("ancestral", tuple(range(20, stop - 1, -1))),
                start,
                noise,
            ).mT
        )
        close(trail[-1], found[name])
    close(
        model.estimate(
            start,
            torch.tensor([20, 20]),
            model.embed_conditions(
                given.audio, F.normalize(given.source(None), dim=1), given.genre
            ),
        ).mT,
        found["pred_xstart_first"],
    )
    close(
        sample_window(model, given, SamplingConfig("ddim", every), start, noise).mT,
        found["ddim_final"],
    )


@torch.no_grad()
def test_strided_ddim() -> None:
    found, model = tensors("sampling"), official_model()
    steps = tuple(descend_stride(model.schedule, 10))
    assert [step - 1 for step in steps[:-1]] == list(range(900, -1, -100))
    given = heard(found["audio"].mT, found["pred_ss"].mT, found["state"])
    close(
        sample_window(
            model,
            given,
            SamplingConfig("ddim", steps),
            found["x_T"].mT,
            lambda move: torch.zeros(0),
        ).mT,
        found["ddim10_of_1000_final"],
    )


@torch.no_grad()
def test_the_published_evaluation() -> None:
    found, model = tensors("predict"), official_model(diffusion_steps=4)
    random = np.random.RandomState(1040)
    audio = torch.from_numpy(random.standard_normal((1, 240, 40))).float()
    source = torch.from_numpy(
        random.standard_normal((1, 240, 3)) + np.array([0.0, 1.0, 2.0])
    ).float()
    random.standard_normal((1, 240, 300))
    start = torch.from_numpy(random.standard_normal((1, 300, 240)).astype(np.float32)).mT
    noise = torch.from_numpy(random.standard_normal((4, 1, 300, 240)).astype(np.float32)).mT
    close(start.mT[0, :4, :6], found["xT_probe"], 1e-6)
    given = heard(audio, F.normalize(source, dim=-1), torch.tensor([1]))
    vector = sample_window(
        model, given, SamplingConfig("ancestral", (4, 3, 2, 1, 0)), start, lambda move: noise[move]
    )
    close(vector[0, ::10].mT, found["vector_every10"])
    places = vector_places(vector, tensors("motion")["skeleton_offsets"])[0]
    close(places[::10], found["positions_every10"])
    sums = [
        places.double().sum(),
        places.double().abs().sum(),
        vector.double().sum(),
        vector.double().abs().sum(),
    ]
    assert torch.stack(sums).tolist() == pytest.approx(found["checks"].tolist(), rel=1e-4, abs=0.05)
