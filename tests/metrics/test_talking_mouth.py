"""Ranges, teeth, sharpness and motion on mouths whose numbers are known."""

from __future__ import annotations

import pytest
import torch

from motet.errors import InputError
from motet.metrics import talking_mouth
from motet.metrics.picture import METRICS as PICTURE_METRICS


def lips(gap: torch.Tensor, half: float = 20.0) -> torch.Tensor:
    """Lips around (32, 32): an inner ring that is as high as the gap, an outer one beside it."""
    turn = torch.linspace(torch.pi, 3 * torch.pi, 21)[:-1]
    ring = torch.stack([turn.cos(), turn.sin()], -1)
    inner = 32 + ring * torch.stack([torch.full_like(gap, half), gap / 2], -1).unsqueeze(1)
    outer = 32 + ring * torch.stack([torch.full_like(gap, half), gap / 2 + 5], -1).unsqueeze(1)
    return torch.cat([outer, inner], 1)


def test_half_as_open_lips_have_half_the_range_and_full_correlation() -> None:
    gap = torch.linspace(0, 20, 50)
    scores = talking_mouth.lip_scores(lips(gap / 2), lips(gap))
    assert scores["opening_range"] == pytest.approx(0.5, abs=1e-3)
    assert scores["opening_correlation"] == pytest.approx(1, abs=1e-6)


def test_too_few_or_unequal_lips_are_refused() -> None:
    with pytest.raises(InputError, match="three frames"):
        talking_mouth.lip_scores(lips(torch.ones(2)), lips(torch.ones(2)))


def test_pixels_between_the_lips() -> None:
    inside = talking_mouth.between_lips(lips(torch.tensor([20.0]))[:, 20:], 64, 64)[0]
    assert bool(inside[32, 32]) and not bool(inside[32, 60]) and not bool(inside[45, 32])
    # An ellipse of half axes 20 and 10, drawn as a polygon of 20 corners.
    assert float(inside.sum()) == pytest.approx(torch.pi * 200, rel=0.06)


def test_teeth_are_bright_and_not_redder_than_the_skin() -> None:
    points, skin = lips(torch.tensor([20.0])), torch.tensor([[0.8, 0.6, 0.5]])
    for colour, seen in (
        ((0.7, 0.65, 0.6), True),
        ((0.1, 0.1, 0.1), False),  # the dark of the mouth
        ((0.8, 0.4, 0.4), False),  # tongue
    ):
        picture = torch.tensor(colour)[None, :, None, None].expand(1, 3, 64, 64)
        assert (float(talking_mouth.teeth(picture, points, skin)) > 0.2) is seen


def test_a_blurred_picture_is_less_sharp_and_a_still_one_does_not_move() -> None:
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    share = torch.ones(3, 1, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(pictures, 3, 1, 1)
    assert talking_mouth.sharpness(blurred, share) < 0.5 * talking_mouth.sharpness(pictures, share)
    assert talking_mouth.change(pictures[:1].expand(3, -1, -1, -1), share) == 0
    assert talking_mouth.change(pictures, share) > 0.2


def test_names_are_those_of_no_other_metric() -> None:
    names = [metric.id for metric in (*talking_mouth.METRICS, *PICTURE_METRICS)]
    assert len(names) == len(set(names))
