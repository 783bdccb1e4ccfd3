"""Squares of the lip picture meet without steps, and a new model begins with the mean mouth."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.errors import ConfigError
from motet.methods.speech2lip.config import PRESETS, LipConfig
from motet.methods.speech2lip.lip_model import overlap_add
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.stages import begun, example

TINY = PRESETS["tiny"]
SIDE, OVERLAP = 8, 4


def squares(values: torch.Tensor) -> torch.Tensor:
    """Each square of one brightness."""
    return values.flatten()[None, None].expand(1, 3 * (SIDE + 2 * OVERLAP) ** 2, -1)


def test_equal_squares_make_an_even_picture_up_to_its_edges() -> None:
    found = overlap_add(squares(torch.full((3, 4), 0.7)), 24, 32, SIDE, OVERLAP)
    assert found.shape == (1, 3, 24, 32)
    assert float((found - 0.7).abs().max()) < 1e-6


def test_squares_that_differ_meet_without_a_step() -> None:
    values = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    steps = [
        overlap_add(squares(values), 24, 32, SIDE, OVERLAP).diff(dim=axis).abs().max()
        for axis in (-1, -2)
    ]
    cut = values.repeat_interleave(SIDE, 0).repeat_interleave(SIDE, 1)
    sharp = [cut.diff(dim=axis).abs().max() for axis in (1, 0)]
    for step, border in zip(steps, sharp, strict=True):
        assert float(step) < 0.25 * float(border)


def test_squares_overlap_by_half_at_most() -> None:
    with pytest.raises(ConfigError, match="at most 4"):
        LipConfig(96, 96, patch=8, overlap=5)


def test_a_new_model_draws_the_mean_mouth_and_keeps_it_in_its_weights() -> None:
    config = dataclasses.replace(
        TINY, lip=dataclasses.replace(TINY.lip, on_canonical=False, on_mean=True)
    )
    examples = example(config)
    tensors = begun(config, examples)
    wanted = (examples.lips.float() / 255 / examples.tone[..., None, None]).mean(0)
    assert torch.allclose(tensors["mean"], wanted, atol=1e-6)
    model = Speech2LipModel(config)
    model.load_state_dict(tensors)
    torch.nn.init.zeros_(model.lip.out.weight)
    torch.nn.init.zeros_(model.lip.out.bias)
    drawn = model.lips(
        model.lip.prepare(),
        torch.randn(1, config.hearing.out),
        examples.moment[:1],
        examples.canonical,
    )
    assert torch.allclose(drawn[0], wanted, atol=1e-6)
    assert "mean" not in begun(TINY, example(TINY))
