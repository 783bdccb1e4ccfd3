"""Gaze: saccades, targets that are held while the head moves, lids that follow."""

from __future__ import annotations

import numpy as np
import torch

from motet.face.gaze import FULL_DEG, Gaze, fixation_course
from motet.face.operator import FaceCues
from motet.types import ARKIT_SHAPES, arkit_space

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
    assert float((result["eyeLookInLeft"] + result["eyeLookInRight"]).mean()) > 0.1


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
