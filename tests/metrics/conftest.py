"""A mouth of four vertices: jawOpen at 1 lowers the lower lip by 20 mm, mouthSmile widens it."""

from __future__ import annotations

import pytest
import torch

from motet.metrics.lip_geometry import LipGeometry
from motet.types import ARKIT_SHAPES


@pytest.fixture
def lip_geometry() -> LipGeometry:
    rest = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, 0.1], [0.02, 0.0, 0.09], [-0.02, 0.0, 0.09]])
    shapes = torch.zeros(52, 4, 3)
    shapes[ARKIT_SHAPES.index("jawOpen"), 1, 1] = -0.02
    shapes[ARKIT_SHAPES.index("mouthSmileLeft"), 2, 0] = 0.005
    return LipGeometry(rest, shapes, (0,), (1,), (2, 3))
