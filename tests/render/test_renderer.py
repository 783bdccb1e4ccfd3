import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import InputError, SpaceError
from motet.render.renderer import Renderer, Stage
from motet.rigs.house import load_house
from motet.types import Motion, MotionSpace, Track, arkit_space

HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("poses", HERE / "poses.py")
poses = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(poses)


@pytest.fixture(scope="module")
def renderer():
    return Renderer(load_house(), 96, 96)


@pytest.fixture(scope="module")
def pictures(renderer):
    return np.stack(list(renderer.frames(poses.motion(list(poses.GOLDEN.values())))))


@pytest.fixture(scope="module")
def golden():
    with np.load(HERE / "golden.npz", allow_pickle=False) as archive:
        return {name: archive[name].astype(int) for name in archive.files}


@pytest.mark.parametrize("index", range(len(poses.GOLDEN)), ids=list(poses.GOLDEN))
def test_pictures_look_as_they_did(pictures, golden, index):
    difference = np.abs(pictures[index].astype(int) - golden["head"][index])
    assert difference.mean() < 1.0 and (difference > 24).mean() < 0.01


def test_the_whole_body_looks_as_it_did(golden):
    picture = next(iter(Renderer(load_house(), 48, 96, "body").frames(poses.motion([{}]))))
    difference = np.abs(picture.astype(int) - golden["body"][0])
    assert difference.mean() < 1.0 and (difference > 24).mean() < 0.01


def test_poses_differ_where_they_should(pictures):
    neutral = pictures[0].astype(int)
    for name, (rows, columns) in {
        "open": (slice(50, 68), slice(38, 58)),
        "blink": (slice(34, 46), slice(34, 62)),
    }.items():
        change = np.abs(pictures[list(poses.GOLDEN).index(name)].astype(int) - neutral).max(axis=2)
        assert change[rows, columns].mean() > 4 * change[:30].mean() + 2


def test_the_same_motion_gives_the_same_bytes_for_any_number_of_workers(renderer, pictures):
    again = list(renderer.frames(poses.motion(list(poses.GOLDEN.values()))))
    alone = list(
        Renderer(load_house().shaped(), 96, 96, workers=1).frames(
            poses.motion(list(poses.GOLDEN.values()))
        )
    )
    assert np.array_equal(np.stack(again), pictures) and np.array_equal(np.stack(alone), pictures)


def test_frames_do_not_depend_on_their_neighbours(renderer, pictures):
    single = next(renderer.frames(poses.motion([poses.GOLDEN["turned"]])))
    assert np.array_equal(single, pictures[-1])


def test_frames_come_one_by_one_in_order(renderer):
    values = torch.zeros(40, 55)
    values[:, 24] = torch.linspace(0, 1, 40)
    stream = renderer.frames(Motion(values, arkit_space()))
    first = next(stream)
    assert first.shape == (96, 96, 3) and first.dtype == np.uint8
    rest = list(stream)
    assert len(rest) == 39
    dark = [int(frame[50:68, 38:58].astype(int).sum()) for frame in (first, rest[18], rest[38])]
    assert dark[0] > dark[1] > dark[2], "the opening mouth shows more and more of its dark inside"


def visible_regions(renderer: Renderer, shapes: dict) -> dict[str, int]:
    """Samples in which each region of the figure is seen."""
    neutral, posed = renderer._pose(poses.motion([{}, shapes]))
    stage = Stage(renderer, neutral)
    stage.draw(*posed)
    scene, rig = renderer._scene, renderer._shaped.rig
    seen = stage._depth.seen
    seen = seen[seen >= 0]
    counts = np.bincount(scene.group[seen], minlength=256)
    return {name: int(counts[number]) for number, name in enumerate(rig.region_names)}


@pytest.mark.parametrize("shapes", poses.CLOSED)
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.4, 0.0), (-0.2, -0.4, 0.0)])
def test_no_tooth_comes_through_closed_lips(shapes, turn):
    seen = visible_regions(Renderer(load_house(), 256, 256), {**shapes, "head": turn})
    # Three pixels' worth of samples: corners of the mouth seen from the side, where pressed lips
    # leave a hairline.
    assert seen["teeth"] + seen["gums"] + seen["tongue"] <= 13, seen


def test_teeth_are_seen_when_the_mouth_is_open_and_eyes_are_not_when_closed():
    renderer = Renderer(load_house(), 256, 256)
    assert visible_regions(renderer, {"jawOpen": 0.6})["teeth"] > 60
    eyes = visible_regions(renderer, {})
    shut = visible_regions(renderer, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})
    assert eyes["eye_left"] > 300 and shut["eye_left"] + shut["eye_right"] <= 0.02 * (
        eyes["eye_left"] + eyes["eye_right"]
    )


def test_the_background_is_neutral_and_the_figure_is_in_the_middle(pictures):
    corners = pictures[0][[0, 0], [0, -1]].astype(int)
    assert (np.ptp(corners, axis=1) < 25).all()
    assert np.abs(pictures[0][40, 48].astype(int) - corners[0]).max() > 40


def test_refusals(renderer):
    for size in ((0, 96), (96, 100_000)):
        with pytest.raises(InputError, match="between 16 and 8192"):
            Renderer(load_house(), *size)
    with pytest.raises(InputError, match="framing"):
        Renderer(load_house(), 96, 96, "feet")
    with pytest.raises(InputError, match="one motion at a time"):
        renderer.frames(Motion(torch.zeros(2, 3, 55), arkit_space()))
    with pytest.raises(InputError, match="finite"):
        renderer.frames(Motion(torch.full((2, 55), torch.nan), arkit_space()))
    with pytest.raises(SpaceError):
        renderer.frames(
            Motion(
                torch.zeros(2, 3), MotionSpace("jaw", (Track("jaw", (3,), "axis-angle rad"),), 25.0)
            )
        )
