"""Gaze: saccades, targets that are held while the head moves, lids that follow."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from motet.errors import ConfigError
from motet.export.live_link_csv import curve_table
from motet.face.gaze import FULL_DEG, Gaze, fixation_course
from motet.face.operator import FaceCues
from motet.face.postprocess import finish_motion
from motet.options import Postprocess
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Motion, arkit_space

FPS = 25.0
SPACE = arkit_space()


def acted(gaze: Gaze, motion: torch.Tensor, first: int = 0) -> dict[str, torch.Tensor]:
    values = gaze.apply(motion, FaceCues(first))
    return {name: values[0, :, k] for k, name in enumerate(ARKIT_SHAPES)}


def turned(result: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean turn of both eyes to the figure's left, degrees."""
    left = FULL_DEG["Out"] * result["eyeLookOutLeft"] - FULL_DEG["In"] * result["eyeLookInLeft"]
    right = FULL_DEG["In"] * result["eyeLookInRight"] - FULL_DEG["Out"] * result["eyeLookOutRight"]
    return (left + right) / 2


def test_eyes_turn_against_the_head() -> None:
    motion = torch.zeros(1, 100, SPACE.dim)
    yaw = torch.linspace(-10, 10, 100)
    motion[0, :, SPACE.range("head").start + 1] = torch.deg2rad(yaw)
    result = acted(Gaze((0.0, 0.0), False, SPACE.range("head"), (0,), FPS), motion)
    assert float((turned(result) + yaw).abs().max()) < 2.5
    aside = acted(Gaze((8.0, 0.0), False, SPACE.range("head"), (0,), FPS), 0 * motion)
    assert 6 < float(turned(aside).mean()) < 10


def test_both_eyes_meet_at_the_target() -> None:
    result = acted(Gaze((0.0, 0.0), False, SPACE.range("head"), (0,), FPS), torch.zeros(1, 200, 55))
    inward = FULL_DEG["In"] * (result["eyeLookInLeft"] + result["eyeLookInRight"])
    assert 1.5 < float(inward.mean()) < 3.5  # twice 1.2 degrees, at 1.5 m


def test_eye_angles_of_the_csv_hold_the_camera() -> None:
    motion = torch.zeros(1, 100, SPACE.dim)
    turn = torch.deg2rad(torch.linspace(-12, 12, 100))
    motion[0, :, SPACE.range("head").start + 1] = turn
    gaze = Gaze((0.0, 0.0), False, SPACE.range("head"), (0,), FPS)
    table = curve_table(Motion(gaze.apply(motion, FaceCues(0))[0], SPACE))
    head_yaw, left_yaw, right_yaw = table[:, 52], table[:, 55], table[:, 58]
    slope = np.polyfit(head_yaw, (left_yaw + right_yaw) / 2, 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.1)


def test_the_house_figure_turns_its_eyes_by_the_angles_of_arkit() -> None:
    turns = np.degrees(load_house().eye_turn.norm(dim=-1).amax(0).numpy())
    for name, degrees in zip(ARKIT_SHAPES, turns, strict=True):
        if name.startswith("eyeLook"):
            assert degrees == pytest.approx(
                FULL_DEG[re.split("Left|Right", name[7:])[0]], abs=0.1
            ), name


@pytest.mark.parametrize("target", [(40.0, 0.0), (-25.0, 15.0), (5.0, 5.0)])
def test_head_and_eyes_together_reach_the_target(target: tuple[float, float]) -> None:
    options = Postprocess(gaze=f"{target[0]},{target[1]}", blink=False, gestures=False)
    motion = Motion(torch.zeros(1, 200, SPACE.dim), SPACE)
    result = finish_motion(motion, options, (0,), 0)
    shaped = load_house().shaped()
    turns = shaped.joint_transforms(result)[0, :, :, :, :3]
    names = shaped.rig.joint_names
    relaxed = shaped.joint_transforms(motion)[0, :1, :, :, :3]
    ahead = torch.zeros(2)
    for eye in ("eye.L", "eye.R"):
        index = names.index(eye)
        x, y, z = (turns[:, index] @ relaxed[:, index].mT)[..., 2].unbind(-1)
        ahead += torch.rad2deg(torch.stack([torch.atan2(x, z), torch.asin(y)])).mean(1) / 2
    assert ahead.tolist() == pytest.approx(target, abs=2.5)


def test_a_still_head_refuses_what_the_eyes_do_not_reach() -> None:
    with pytest.raises(ConfigError, match="do not reach"):
        Postprocess(gaze="60,0", head=False)


def test_a_wandering_gaze_has_peoples_saccades() -> None:
    time = np.arange(int(120 * FPS)) / FPS
    course = fixation_course(0, time, True)
    speed = np.linalg.norm(np.diff(course, axis=0), axis=1) * FPS
    fast = speed > 100
    saccades = int((fast[1:] & ~fast[:-1]).sum())
    assert 1.0 <= saccades / 120 <= 3.0
    assert np.median(speed) == 0  # fixations are still
    at_camera = np.hypot(*course.T) < 3
    assert 0.25 < at_camera.mean() < 0.75
    held = fixation_course(0, time, False)
    assert np.abs(held).max() < 3


def test_lids_follow_the_gaze() -> None:
    motion = torch.zeros(1, 50, 55)
    down = acted(Gaze((0.0, -10.0), False, SPACE.range("head"), (0,), FPS), motion)
    level = acted(Gaze((0.0, 0.0), False, SPACE.range("head"), (0,), FPS), motion)
    assert float(down["eyeBlinkLeft"].mean()) > float(level["eyeBlinkLeft"].mean()) + 0.15


def test_every_cutting_gives_the_same() -> None:
    motion = torch.rand(1, 400, 55) * 0.1
    for wanders in (False, True):
        gaze = Gaze((0.0, 0.0), wanders, SPACE.range("head"), (7,), FPS)
        whole = gaze.apply(motion, FaceCues(0))
        for cut in (1, 99, 100, 250):
            parts = [
                gaze.apply(motion[:, :cut], FaceCues(0)),
                gaze.apply(motion[:, cut:], FaceCues(cut)),
            ]
            assert torch.equal(torch.cat(parts, 1), whole)
