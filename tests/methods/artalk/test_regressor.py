"""The mouth regressor: its closed form, unknown steps, and its place in the generator."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import InputError
from motet.face.lip_shapes import SOLVED
from motet.methods.artalk.config import TINY
from motet.methods.artalk.streaming.loss import streaming_stages
from motet.methods.artalk.streaming.model import StreamingModel
from motet.methods.artalk.streaming.regressor import MouthRegressor, fit_regressor, mouth_shapes
from motet.stage import ClosedFormStage
from motet.types import ARKIT_SHAPES, arkit_space

DIM, JAW = 8, ARKIT_SHAPES.index("jawOpen")


def corpus(observed: bool = True) -> TrainingSet:
    """Jaws that are a linear function of one feature, 0.16 s later."""
    noise, items = torch.Generator().manual_seed(0), []
    for _ in range(6):
        features = torch.randn(400, DIM, generator=noise)
        motion = torch.zeros(200, 55)
        motion[:-4, JAW] = 0.5 + 0.1 * features[8::2, 3]
        items.append(
            TrainingItem(motion[:-4], features, torch.full((55,), observed, dtype=torch.bool))
        )
    return TrainingSet(arkit_space(), items)


def fitted() -> MouthRegressor:
    regressor = MouthRegressor(DIM, 2)
    fit_regressor(regressor, corpus())
    return regressor


def test_the_closed_form_finds_a_linear_mouth():
    regressor, item = fitted(), corpus().items[0]
    known = torch.ones(1, 400, dtype=torch.bool)
    shapes = regressor(item.features[None], known, 0, len(item.motion))[0]
    truth = mouth_shapes(item.motion)
    column = SOLVED.index("jawOpen")
    found = torch.corrcoef(torch.stack([shapes[4:-4, column], truth[4:-4, column]]))[0, 1]
    assert found > 0.99
    assert torch.allclose(regressor.mean[column], torch.tensor(0.5), atol=0.03)
    wider = regressor.spread(shapes, 1.5, 1.0)
    assert float(wider[:, column].std()) > 1.3 * float(shapes[:, column].std())
    assert float(wider.min()) >= 0 and float(wider.max()) <= 1


def test_steps_that_are_not_known_are_the_nearest_known_ones():
    regressor, features = fitted(), torch.randn(1, 60, DIM)
    known = torch.zeros(1, 60, dtype=torch.bool)
    known[:, 10:40] = True
    repeated = features.clone()
    repeated[:, :10], repeated[:, 40:] = features[:, 10:11], features[:, 39:40]
    whole = regressor(repeated, torch.ones_like(known), 12, 20)
    assert torch.allclose(regressor(features, known, 12, 20), whole)
    nothing = regressor(features, torch.zeros_like(known), 12, 20)
    assert torch.isfinite(nothing).all()


def test_the_generator_has_the_regressed_mouth_as_input():
    torch.manual_seed(0)
    model = StreamingModel(dataclasses.replace(TINY, regressor=True))
    steps = model.config.audio_steps
    features, known = torch.randn(1, steps, DIM), torch.ones(1, steps, dtype=torch.bool)
    before = model.audio(features, known)
    assert model.audio.regressor is not None
    model.audio.regressor.bias += 1.0
    assert not torch.allclose(model.audio(features, known), before)


def test_the_regressor_is_fitted_before_anything_is_trained():
    stages = streaming_stages(dataclasses.replace(TINY, regressor=True))
    assert [stage.name for stage in stages] == ["regressor", "codec", "generator"]
    first = stages[0]
    assert isinstance(first, ClosedFormStage)
    tensors = first.fit(corpus())
    assert float(tensors["audio.regressor.weight"].abs().max()) > 0
    again = streaming_stages(dataclasses.replace(TINY, regressor=True), tensors)
    assert again[-1].model.state_dict()["audio.regressor.weight"].abs().max() > 0
    with pytest.raises(InputError, match="observed"):
        fit_regressor(MouthRegressor(DIM, 2), corpus(observed=False))
