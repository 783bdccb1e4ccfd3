"""The published model, quick: the same colours as whole frames wherever the mouth is drawn, the
filmed pixels elsewhere."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.methods.speech2lip.blend_net import fold_normalisation
from motet.methods.speech2lip.composition import Scene, redrawn
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Box
from motet.methods.speech2lip.published import QuickFrames, cropped_blend, whole_frames


def model(widths: tuple[int, int, int] = (8, 12, 12)) -> Speech2LipModel:
    torch.manual_seed(0)
    published = PRESETS["published"]
    made = Speech2LipModel(
        dataclasses.replace(
            published,
            lip=dataclasses.replace(published.lip, width=30, height=20),
            blend=dataclasses.replace(published.blend, widths=widths),
            canonical_depth=(150, 170),
        )
    )
    made.train()
    with torch.no_grad():
        made.blend(torch.rand(2, 3, 64, 64))  # so that there are statistics to fold
    return made.eval().requires_grad_(False)


def scene(height: int = 150, width: int = 170) -> Scene:
    noise = torch.Generator().manual_seed(1)
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    grid = torch.stack([columns * 0.98 + 0.03, rows * 1.01 - 0.02], -1)[None].clamp(-1, 1)
    return Scene(
        torch.rand(1, 3, height, width, generator=noise),
        torch.rand(1, 3, height, width, generator=noise),
        grid,
        Box(70, 70, 30, 20),
    )


def test_quick_frames_equal_whole_ones_where_the_mouth_is_drawn() -> None:
    net, where = model(), scene()
    windows, frame = torch.randn(1, 16, 29), torch.tensor([3])
    whole, quick = (
        whole_frames(net, windows, frame, where),
        QuickFrames(net).frames(windows, frame, where),
    )
    drawn = redrawn(where) > 0
    assert 0.02 < float(drawn.float().mean()) < 0.3
    assert float(((whole - quick).abs() * drawn).max()) < 1e-4
    assert torch.equal(quick[~drawn.expand_as(quick)], where.observed[~drawn.expand_as(quick)])


@pytest.mark.parametrize("size", [(96, 120), (97, 122), (98, 119)])
def test_a_part_is_blended_as_in_the_whole_picture(size: tuple[int, int]) -> None:
    net, picture = model().blend, torch.rand(1, 3, *size)
    whole = net(picture)
    part = cropped_blend(net, picture[..., 8:88, 20:], (8, 20), size)
    assert float((part - whole[..., 8:88, 20:])[..., 24:-24, 24:].abs().max()) < 1e-5


def test_folding_keeps_the_numbers() -> None:
    net, picture = model().blend, torch.rand(1, 3, 40, 44)
    assert float((fold_normalisation(net)(picture) - net(picture)).abs().max()) < 1e-5


def test_a_mouth_outside_the_picture_changes_nothing() -> None:
    where = dataclasses.replace(scene(), grid=torch.full((1, 150, 170, 2), -1.0))
    quick = QuickFrames(model()).frames(torch.randn(1, 16, 29), torch.tensor([0]), where)
    assert torch.equal(quick, where.observed)
