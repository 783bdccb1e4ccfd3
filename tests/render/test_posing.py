import numpy as np
import pytest
import torch

from motet.render.posing import Poser
from motet.rigs.house import load_house
from motet.types import Motion, arkit_space


@pytest.mark.parametrize("identity", [None, 0.5])
def test_vertices_equal_those_of_the_figure(identity):
    rig = load_house()
    shaped = (
        rig.shaped()
        if identity is None
        else rig.shaped(torch.full((len(rig.identity_names),), identity))
    )
    values = torch.rand(5, 55, generator=torch.Generator().manual_seed(3))
    values[:, 52:] = values[:, 52:] * 0.8 - 0.4
    values[1, :30] = 0
    motion = Motion(values, arkit_space())
    poser, expected = Poser(shaped), shaped.posed(motion).vertices.numpy()
    vertices = shaped.relaxed_vertices.numpy().copy()
    for (weights, transforms), target in zip(poser.poses(motion), expected, strict=True):
        # The frame before leaves no trace.
        poser.pose(weights, transforms, vertices)
        assert np.abs(vertices - target).max() < 2e-6
