"""One face is followed through footage, whatever else is in the picture; what cannot be used is
skipped, and it is said where and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motet.errors import InputError
from motet.methods.speech2lip.person.folder import Skip
from motet.tracking.capture.describe import skipped_in_words
from motet.tracking.capture.faces import (
    Faces,
    _check_faces,
    box_of,
    own_face,
    painted_over,
    watch,
)
from motet.tracking.capture.shots import Shot, open_shots
from motet.tracking.capture.usable import cuts_of, mouth_thumb, usable
from tests.tracking.capture.footage import film

FACE = np.random.default_rng(0).uniform(80, 160, (478, 2))
FACE[10], FACE[152], FACE[2], FACE[61], FACE[291] = (
    (120, 60),
    (120, 160),
    (120, 120),
    (90, 140),
    (150, 140),
)
MOUTH = np.random.default_rng(1).integers(0, 255, (12, 12, 3)).astype(np.uint8)


def row(frames: int = 100) -> dict[str, np.ndarray]:
    """What is seen of a face that stands still, 100 pixels high."""
    return {
        "points": np.tile(FACE, (frames, 1, 1)),
        "rotation": np.tile(np.eye(3), (frames, 1, 1)),
        "change": np.full(frames, 0.004, np.float32),
        "mouth": np.tile(MOUTH, (frames, 1, 1, 1)),
        "found": np.ones(frames, bool),
    }


def judged(**changes: tuple[slice, object]) -> tuple[tuple[Skip, ...], tuple[int, ...]]:
    seen = row()
    for name, (where, value) in changes.items():
        seen[name][where] = value
    return usable([seen])


def test_good_footage_is_used_whole() -> None:
    assert judged() == ((), ())
    assert judged(found=(slice(40, 48), False)) == ((), ())  # a third of a second is bridged
    assert judged(change=(slice(0, 1), 1.0)) == ((), ())


@pytest.mark.parametrize(
    ("changes", "skip"),
    [
        ({"found": (slice(40, 60), False)}, Skip(40, 60, "no face")),
        (
            {"rotation": (slice(25, 60), np.diag([-0.2, 1.0, 0.2]))},
            Skip(22, 63, "face turned away"),
        ),
        ({"mouth": (slice(30, 50), 255 - MOUTH)}, Skip(27, 53, "mouth covered")),
        ({"found": (slice(5, 100), False)}, Skip(5, 100, "no face")),
    ],
)
def test_what_is_skipped_and_why(changes: dict, skip: Skip) -> None:
    skipped, cuts = judged(**changes)
    assert skip in skipped
    assert set(cuts) == {skip.first, skip.stop} - {100}
    assert "0:0" in skipped_in_words(skipped) and skip.reason in skipped_in_words(skipped)


def test_a_moment_too_short_to_speak_with_goes_too() -> None:
    skipped, _ = judged(found=(slice(5, 95), False))
    assert [skip.reason for skip in skipped] == ["too short", "no face", "too short"]


def test_a_cut_begins_a_shot() -> None:
    assert judged(change=(slice(50, 51), 0.3)) == ((), (50,))


def shaken(frames: int = 100) -> dict[str, np.ndarray]:
    """A face that sways as people do, seen by a camera with some noise."""
    seen, time = row(frames), np.arange(frames)
    seen["points"] = seen["points"] + (2 * np.sin(time / 6) * [[1], [0.5]]).T[:, None]
    seen["change"] = (0.005 + 0.003 * np.abs(np.cos(time / 6))).astype(np.float32)
    return seen


def test_a_cut_in_the_same_framing_begins_a_shot() -> None:
    seen = shaken()
    assert usable([seen]) == ((), ())
    # a pause was cut out: the head is 4 hundredths of its height elsewhere, nothing else changed
    seen["points"][60:] += [4.0, 1.0]
    seen["change"][60] = 0.05
    assert usable([seen]) == ((), (60,))


def test_a_light_a_flash_and_a_quick_turn_are_no_cuts() -> None:
    light, flash, turn = shaken(), shaken(), shaken()
    light["change"][60] = 0.06  # the picture changes, the head does not move
    flash["change"][60:62] = 0.06
    flash["points"][60] += [4.0, 1.0]  # and for one picture the landmarks are wrong
    for number, way in enumerate((1.5, 4.0, 4.0, 1.5)):
        turn["points"][60 + number :] += [way, 0.0]
        turn["change"][60 + number] = 0.01 * way
    assert cuts_of(light) == cuts_of(flash) == cuts_of(turn) == []


def test_another_framing_is_skipped_and_the_longer_one_kept() -> None:
    seen = row()
    seen["change"][70] = 0.3
    seen["points"][70:] *= 2
    assert usable([seen]) == ((Skip(70, 100, "another framing"),), (70,))
    assert usable([row(), seen])[0] == (Skip(170, 200, "another framing"),)


def test_files_are_shots() -> None:
    assert usable([row(30), row(40)]) == ((), (30,))
    assert cuts_of(row()) == []


def test_footage_without_a_face_or_with_a_small_one_is_refused() -> None:
    shot, nobody, small = Shot(Path("film.mp4"), "0", 100, 320, 240, 25.0), row(), row()
    nobody["found"][:] = False
    with pytest.raises(InputError, match="no face was found in any of the 100 pictures of film"):
        _check_faces([shot], [nobody])
    small["points"] = small["points"] * 0.5
    with pytest.raises(InputError, match="50 pixels high; at least 60"):
        _check_faces([shot], [small])


def test_the_largest_face_is_the_persons_and_stays_it() -> None:
    large, small = np.array([0.0, 0, 100, 100]), np.array([200.0, 0, 240, 40])
    assert own_face([small, large], None) == 1
    assert own_face([large, small], small + 3) == 1
    assert own_face([large], small) is None
    assert own_face([], large) is None


def test_other_faces_are_painted_over_and_the_persons_is_not() -> None:
    picture = np.random.default_rng(0).integers(0, 100, (100, 200, 3)).astype(np.uint8)
    own, other = np.array([10.0, 10, 60, 60]), np.array([55.0, 20, 120, 80])
    made = painted_over(picture, [other], own)
    assert (made[10:60, 10:60] == picture[10:60, 10:60]).all()
    assert (made[30:70, 90:110] == 128).all()
    assert painted_over(picture, [], own) is picture


def test_the_mouth_is_seen_upright_however_the_head_is_tilted() -> None:
    picture = np.zeros((240, 240, 3), np.uint8)
    picture[120:160] = 200
    upright = mouth_thumb(picture, FACE)
    assert (upright == 200).mean() > 0.9
    turned = FACE[:, ::-1]
    assert (mouth_thumb(picture.transpose(1, 0, 2), turned) == upright).mean() > 0.9
    assert box_of(FACE)[3] == FACE[:, 1].max()


def seen_as(path: Path, landmarker: Path, pieces: Path) -> Faces:
    return watch(open_shots([path], shortest_s=0.5), landmarker, pieces)


def test_the_face_is_seen_in_every_picture_and_not_looked_for_twice(
    footage: Path, landmarker: Path, tmp_path: Path, monkeypatch
) -> None:
    faces = seen_as(footage, landmarker, tmp_path)
    assert faces.found.all() and faces.points.shape == (60, 478, 2) and 90 < faces.height_px < 120
    assert np.std(faces.opening) > 0.005
    monkeypatch.setattr("motet.tracking.capture.faces._Watcher", None)
    assert np.array_equal(seen_as(footage, landmarker, tmp_path).points, faces.points)


def test_of_two_faces_the_larger_is_followed(
    figure: list[np.ndarray], landmarker: Path, tmp_path: Path
) -> None:
    def beside(picture: np.ndarray) -> np.ndarray:
        small = np.full_like(picture, 90)
        small[56:168, 56:168] = picture[::2, ::2]
        return np.concatenate([small, picture], axis=1)

    faces = seen_as(
        film(tmp_path / "both.mp4", list(map(beside, figure[:26]))), landmarker, tmp_path
    )
    assert faces.found.all() and not faces.skipped
    assert faces.points[:, :, 0].min() > 224 and faces.height_px > 80


def test_nobody_and_a_cut_to_something_else(
    figure: list[np.ndarray], landmarker: Path, tmp_path: Path
) -> None:
    wall = [np.full_like(figure[0], 128)] * 20
    with pytest.raises(InputError, match="no face was found in any of the 20 pictures"):
        seen_as(film(tmp_path / "wall.mp4", wall), landmarker, tmp_path / "a")
    gone = seen_as(film(tmp_path / "gone.mp4", [*figure[:20], *wall]), landmarker, tmp_path / "b")
    assert [(skip.first, skip.stop, skip.reason) for skip in gone.skipped] == [(20, 40, "no face")]
    assert not gone.found[20:].any() and gone.cuts == (20,)
    dark = [picture // 3 for picture in figure[30:50]]
    assert (
        20
        in seen_as(
            film(tmp_path / "cut.mp4", [*figure[:20], *dark]), landmarker, tmp_path / "c"
        ).cuts
    )
