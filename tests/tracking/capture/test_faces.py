"""Footage that cannot be used is refused with what and where; footage that can is seen in every
picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motet.errors import InputError
from motet.tracking.capture.faces import _judge, watch
from motet.tracking.capture.shots import Shot, open_shots
from tests.tracking.capture.footage import film


def row(frames: int = 100) -> dict[str, np.ndarray]:
    """What is seen of a face that stands still, 100 pixels high."""
    points = np.tile(np.random.default_rng(0).uniform(80, 160, (478, 2)), (frames, 1, 1))
    points[:, 10], points[:, 152] = (120, 60), (120, 160)
    return {
        "points": points,
        "rotation": np.tile(np.eye(3), (frames, 1, 1)),
        "change": np.full(frames, 0.004, np.float32),
        "faces": np.ones(frames, np.int16),
        "found": np.ones(frames, bool),
    }


def judged(**changes: tuple[slice, object]) -> None:
    seen = row()
    for name, (where, value) in changes.items():
        seen[name][where] = value
    _judge(Shot(Path("film.mp4"), "0", 100, 320, 240, 25.0), seen)


def test_good_footage_passes() -> None:
    judged()
    judged(found=(slice(40, 48), False))  # a third of a second behind a hand
    judged(change=(slice(0, 1), 1.0))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"found": (slice(None), False)},
            "no face was found in any of the 100 pictures of film.mp4",
        ),
        ({"found": (slice(40, 60), False)}, r"no face is seen in film.mp4 from 0:01\.6 to 0:02\.4"),
        ({"faces": (slice(36, 100, 12), 2)}, r"film.mp4 shows two faces at 0:01\.4"),
        ({"change": (slice(50, 51), 0.3)}, r"film.mp4 has a cut at 0:02\.0"),
        (
            {"rotation": (slice(25, 60), np.diag([-0.2, 1.0, 0.2]))},
            r"turned away by 78 degrees from 0:01\.0 on",
        ),
    ],
)
def test_what_is_wrong_and_where(changes: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        judged(**changes)


def test_a_face_too_small() -> None:
    seen = row()
    seen["points"] = seen["points"] * 0.5
    with pytest.raises(InputError, match="50 pixels high; at least 60"):
        _judge(Shot(Path("film.mp4"), "0", 100, 320, 240, 25.0), seen)


def seen_as(path: Path, landmarker: Path, pieces: Path) -> object:
    return watch(open_shots([path], shortest_s=0.5), landmarker, pieces)


def test_the_face_is_seen_in_every_picture_and_not_looked_for_twice(
    footage: Path, landmarker: Path, tmp_path: Path, monkeypatch
) -> None:
    faces = seen_as(footage, landmarker, tmp_path)
    assert faces.found.all() and faces.points.shape == (60, 478, 2) and 90 < faces.height_px < 120
    assert np.std(faces.opening) > 0.005
    monkeypatch.setattr("motet.tracking.capture.faces._Watcher", None)
    assert np.array_equal(seen_as(footage, landmarker, tmp_path).points, faces.points)


def test_two_faces_in_one_picture(
    figure: list[np.ndarray], landmarker: Path, tmp_path: Path
) -> None:
    both = [np.concatenate([picture, picture[:, ::-1]], axis=1) for picture in figure[:14]]
    with pytest.raises(InputError, match="two faces at 0:00.0"):
        seen_as(film(tmp_path / "both.mp4", both), landmarker, tmp_path)


def test_nobody_and_a_cut_to_something_else(
    figure: list[np.ndarray], landmarker: Path, tmp_path: Path
) -> None:
    wall = [np.full_like(figure[0], 128)] * 20
    with pytest.raises(InputError, match="no face was found in any of the 20 pictures"):
        seen_as(film(tmp_path / "wall.mp4", wall), landmarker, tmp_path / "a")
    with pytest.raises(InputError, match="no face is seen in .* from 0:00.8"):
        seen_as(film(tmp_path / "gone.mp4", [*figure[:20], *wall]), landmarker, tmp_path / "b")
    dark = [picture // 3 for picture in figure[30:50]]
    with pytest.raises(InputError, match="has a cut at 0:00.8"):
        seen_as(film(tmp_path / "cut.mp4", [*figure[:20], *dark]), landmarker, tmp_path / "c")
