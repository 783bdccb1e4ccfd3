"""Every method, found by folder, and the documented toy one; each with its `tiny` preset and random
weights."""

from __future__ import annotations

import pytest
import torch

from motet.body.feature_vector import encode_body
from motet.data.training_set import SpatialItem, SpatialSet, TrainingItem, TrainingSet
from motet.geometry.rotation import matrix_from_axis_angle
from motet.method import MethodSpec
from motet.methods import find_methods
from motet.types import arkit_space
from tests.toy_method import SPEC as TOY

ALL = [*find_methods().values(), TOY]


@pytest.fixture(params=ALL, ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> MethodSpec:
    return request.param


@pytest.fixture
def config(spec: MethodSpec) -> object:
    return spec.architectures()["tiny"]


@pytest.fixture
def method(spec: MethodSpec, config: object) -> object:
    torch.manual_seed(0)
    return spec.build(config, None, {})


@pytest.fixture
def training_set(spec: MethodSpec, config: object) -> object:
    """Random smooth performances in the method's space with features of the width the tiny preset
    takes, or the method's own example."""
    if spec.example:
        return spec.example_training_set(config)
    noise = torch.Generator().manual_seed(1)
    width = getattr(config, "audio_dim", 8)
    if spec.space == "smplx25":
        return SpatialSet([_moving_body(number, width, noise) for number in range(4)])
    items = []
    for _ in range(4):
        motion = torch.randn(120, 55, generator=noise).cumsum(0).mul(0.05).sigmoid()
        items.append(
            TrainingItem(
                motion, torch.randn(240, width, generator=noise), torch.ones(55, dtype=torch.bool)
            )
        )
    return TrainingSet(arkit_space(), items)


def _moving_body(number: int, width: int, noise: torch.Generator) -> SpatialItem:
    turns = matrix_from_axis_angle(torch.randn(120, 25, 3, generator=noise).cumsum(0) * 0.01)
    root = torch.randn(120, 3, generator=noise).cumsum(0) * 0.01 + torch.tensor([0.0, 0.9, 0.0])
    source = torch.randn(3, generator=noise).expand(120, 3)
    return SpatialItem(
        f"body{number}",
        encode_body(root, turns),
        torch.randn(120, width, generator=noise),
        source,
        number % 3,
    )
