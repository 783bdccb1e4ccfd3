"""Lips between two opinions: the gap is what was asked for, and nothing else moves."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.face.lip_aperture import REST, blend_aperture
from motet.face.lip_shapes import SOLVED, measure, sides
from motet.types import ARKIT_SHAPES

MOUTH = [ARKIT_SHAPES.index(side) for name in SOLVED for side in sides(name)]


def random_motion(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    motion = torch.zeros(2, 5, 55)
    motion[..., MOUTH] = 0.3 * torch.rand(2, 5, len(MOUTH), generator=random)
    motion[..., 52:] = torch.randn(2, 5, 3, generator=random)
    return motion


def gap(motion: torch.Tensor) -> np.ndarray:
    return np.maximum(measure(motion[..., :52].reshape(-1, 52).double().numpy())[:, 0], 0.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), wanted=st.floats(0.05, 0.4))
def test_the_gap_moves_towards_the_opinion_and_never_past_it(seed: int, wanted: float) -> None:
    motion = random_motion(seed)
    moved = blend_aperture(motion, torch.full((2, 5), wanted), 0.5)
    before, after, goal = gap(motion), gap(moved), (wanted - REST) * (1 + REST)
    # Shapes that are not scaled (pressed or rolled lips) count a little in the gap: half a
    # thousandth of the mouth's width.
    assert (np.abs(after - goal) <= np.abs(before - goal) + 5e-4).all()
    assert ((after - goal) * (before - goal) >= -1e-3).all()
    assert float(moved[..., :52].min()) >= 0 and float(moved[..., :52].max()) <= 1
    torch.testing.assert_close(moved[..., 52:], motion[..., 52:])


def test_without_a_share_nothing_changes() -> None:
    motion = random_motion(1)
    torch.testing.assert_close(
        blend_aperture(motion, torch.full((2, 5), 0.3), 0.0), motion, atol=1e-6, rtol=0
    )


def test_a_reader_that_hardly_hears_anything_opens_no_lips() -> None:
    silent = torch.zeros(1, 4, 55)
    assert not blend_aperture(silent, torch.full((1, 4), REST), 1.0).any()
