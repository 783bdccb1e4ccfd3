"""Pictures of the whole figure: it is in the frame, it stands on its shadow, the camera follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.body.skeleton import STANDING_HEIGHT_M, body_motion
from motet.errors import InputError, SpaceError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.render.body import BodyRenderer
from motet.types import Motion, arkit_space

SIZE = 128


def standing(frames: int = 2, way: tuple[float, float] = (0.0, 0.0)) -> Motion:
    turns = torch.zeros(frames, 25, 3)
    turns[:, 16, 2], turns[:, 17, 2] = -1.25, 1.25
    along = torch.linspace(0, 1, frames)[:, None]
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]) + along * torch.tensor([way[0], 0.0, way[1]])
    return body_motion(root, matrix_from_axis_angle(turns))


@pytest.fixture(scope="module")
def renderer() -> BodyRenderer:
    return BodyRenderer(SIZE, SIZE)


@pytest.fixture(scope="module")
def empty(renderer: BodyRenderer) -> np.ndarray:
    """The set with the figure far below the floor."""
    motion = standing(1)
    motion.values[:, 1] -= 50
    return next(renderer.frames(motion)).astype(int)


def test_the_whole_figure_is_in_the_picture(renderer: BodyRenderer, empty: np.ndarray) -> None:
    picture = next(renderer.frames(standing(1))).astype(int)
    assert picture.shape == (SIZE, SIZE, 3)
    changed = np.abs(picture - empty).sum(2) > 60
    rows, columns = np.nonzero(changed)
    assert 4 < rows.min() < 0.27 * SIZE and 0.82 * SIZE < rows.max() < SIZE - 3
    assert columns.min() > 0.15 * SIZE and columns.max() < 0.95 * SIZE
    assert 0.05 < changed.mean() < 0.25


def test_it_throws_a_shadow_to_the_side_away_from_the_light(
    renderer: BodyRenderer, empty: np.ndarray
) -> None:
    picture = next(renderer.frames(standing(1))).astype(int)
    darker = (empty - picture).min(2)[int(0.72 * SIZE) : int(0.95 * SIZE)]
    assert (darker[:, SIZE // 2 + 12 :] > 8).sum() > 4 * max(
        1, (darker[:, : SIZE // 2 - 22] > 8).sum()
    )


def test_the_camera_follows(renderer: BodyRenderer) -> None:
    pictures = [picture.astype(int) for picture in renderer.frames(standing(61, (0.0, -3.0)))]
    skin = [np.nonzero((p[..., 0] - p[..., 2] > 25).any(1))[0] for p in (pictures[0], pictures[-1])]
    assert abs(skin[0].min() - skin[1].min()) < 0.12 * SIZE


def test_a_face_blinks_where_the_body_has_none(renderer: BodyRenderer) -> None:
    from motet.render.body import waiting_face

    lids = waiting_face(standing(900)).channel("blendshapes", "eyeBlinkLeft")
    assert 0.8 < float(lids.max()) <= 1.0 and float(lids.mean()) < 0.2


def test_what_cannot_be_drawn_is_refused(renderer: BodyRenderer) -> None:
    with pytest.raises(SpaceError, match="smplx25"):
        renderer.frames(Motion(torch.zeros(2, 55), arkit_space()))
    broken = standing()
    broken.values[0, 0] = torch.nan
    with pytest.raises(InputError, match="finite"):
        renderer.frames(broken)
    with pytest.raises(InputError, match="one motion"):
        renderer.frames(Motion(standing().values[None], standing().space))


def test_a_source_outside_the_picture_is_marked_at_its_edge() -> None:
    renderer = BodyRenderer(160, 160, workers=1)
    plain = next(renderer.frames(standing(1))).astype(int)
    for source, is_left in (
        ([6.0, 1.2, 1.0], False),
        ([-6.0, 1.2, 1.0], True),
        ([3.0, 2.0, 9.0], None),
    ):
        picture = next(renderer.frames(standing(1), source=np.array(source))).astype(int)
        rows, columns = np.nonzero(np.abs(picture - plain).max(2) > 60)
        assert len(rows) > 10
        if is_left is not None:
            assert (columns.mean() < 30) if is_left else (columns.mean() > 130)
