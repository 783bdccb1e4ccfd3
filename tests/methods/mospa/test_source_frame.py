"""Axes of the source: a turn there and back changes nothing, and agrees with turning the body
itself."""

from __future__ import annotations

import math

import pytest
import torch

from motet.body.feature_vector import JOINTS, POSITIONS, VELOCITIES, body_vector, turned
from motet.errors import ConfigError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import PRESETS, MospaConfig
from motet.methods.mospa.source_frame import (
    ROOT_ROWS,
    from_source_axes,
    in_source_axes,
    source_direction,
)


def body(frames: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors and the pelvis' rotations."""
    random = torch.Generator().manual_seed(3)
    rotations = matrix_from_axis_angle(torch.randn(1, frames, JOINTS, 3, generator=random))
    return (
        body_vector(torch.randn(1, frames, JOINTS, 3, generator=random), rotations),
        rotations[:, :, 0],
    )


@pytest.mark.parametrize("azimuth", [0.0, 0.7, -2.5, math.pi])
def test_what_is_told_towards_the_source_is_the_turned_body(azimuth: float) -> None:
    vector, root = body()
    source = torch.tensor([math.sin(azimuth) * 2, 0.4, math.cos(azimuth) * 2, 1.0]).expand(1, 6, 4)
    direction = source_direction(source)
    told = vector.clone()
    told[..., ROOT_ROWS] = torch.cat([root[..., 0, :], root[..., 2, :]], -1)
    expected = turned(vector, torch.tensor([azimuth]), torch.zeros(1, 3))
    found = from_source_axes(told, direction)
    torch.testing.assert_close(found[..., POSITIONS], expected[..., POSITIONS])
    torch.testing.assert_close(found[..., VELOCITIES], expected[..., VELOCITIES])
    torch.testing.assert_close(found[..., ROOT_ROWS][..., :3], expected[..., ROOT_ROWS][..., :3])
    torch.testing.assert_close(
        in_source_axes(found, direction),
        torch.cat([told[..., POSITIONS], told[..., VELOCITIES]], -1),
    )


def test_without_a_source_there_is_no_way_to_it() -> None:
    vector, _ = body()
    silent = from_source_axes(vector, source_direction(torch.zeros(1, 6, 4)))
    assert (
        not silent[..., POSITIONS].unflatten(-1, (JOINTS, 3))[..., [0, 2]].any()
        and not silent[..., ROOT_ROWS].any()
    )


def test_the_axes_need_a_direction() -> None:
    with pytest.raises(ConfigError, match="source_axes"):
        MospaConfig(source_axes=True)
    assert PRESETS["default"].source_axes
