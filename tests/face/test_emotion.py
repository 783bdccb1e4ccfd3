"""Emotions: monotone response, key times, closures that stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.acting import ALIASES, EMOTIONS, emotion_keys
from motet.face.emotion import PATTERNS, Emotion, emotion_course
from motet.face.lip_shapes import measure
from motet.face.operator import FaceCues
from motet.face.postprocess import finish_motion
from motet.face.visemes import face_pose
from motet.options import Postprocess
from motet.types import ARKIT_SHAPES, Motion, arkit_space

SPACE = arkit_space()


def speaking() -> torch.Tensor:
    """A mouth that opens and closes for b, over a face at rest."""
    motion = torch.zeros(1, 50, SPACE.dim)
    opening = 0.15 + 0.15 * torch.sin(torch.arange(50) * 0.5)
    motion[0, :, ARKIT_SHAPES.index("jawOpen")] = opening
    motion[0, 20:24, ARKIT_SHAPES.index("mouthClose")] = opening[20:24]
    return motion


def acted(text: str, motion: torch.Tensor) -> torch.Tensor:
    return Emotion(emotion_keys(text), SPACE.range("head"), 25.0).apply(motion, FaceCues())


def test_every_name_has_a_pattern() -> None:
    assert set(PATTERNS) == set(EMOTIONS)
    assert set(ALIASES.values()) <= set(EMOTIONS)
    assert len({tuple(face_pose(p.shapes)) for p in PATTERNS.values()}) == len(PATTERNS)


@pytest.mark.parametrize("name", EMOTIONS)
def test_the_response_is_monotone(name: str) -> None:
    pattern = torch.from_numpy(face_pose(PATTERNS[name].shapes)).float()
    sizes = []
    for weight in (0.0, 0.25, 0.5, 0.75, 1.0):
        face = acted(f"{name}={weight}", speaking())[0, :, : len(ARKIT_SHAPES)]
        sizes.append(float(face.mean(0) @ pattern / pattern.norm()))
    assert (np.diff(sizes) > 0.02).all(), sizes


@pytest.mark.parametrize("name", EMOTIONS)
def test_closed_lips_stay_closed(name: str) -> None:
    face = acted(f"{name}=1", speaking())[0, :, : len(ARKIT_SHAPES)].double().numpy()
    gap = measure(face)[:, 0]
    assert gap[20:24].max() < 0.02
    assert gap[:20].max() > 0.08


def test_an_emotion_is_there_at_its_time_and_goes_at_neutral() -> None:
    time = np.arange(250) / 25
    joy = emotion_course(emotion_keys("joy=0.8@3,neutral=1@7"), time)["joy"]
    assert joy[: int(2.4 * 25)].max() == 0
    assert joy[75] == pytest.approx(0.8)
    assert joy[100] == pytest.approx(0.8)
    assert joy[176:].max() == pytest.approx(0.0, abs=1e-9)
    assert np.abs(np.diff(joy)).max() < 0.12


def test_blends_and_streams() -> None:
    motion = Motion(speaking().repeat(1, 4, 1), SPACE)
    options = Postprocess(emotion="joy=0.5,surprise=0.7@2,neutral=1@5")
    whole = finish_motion(motion, options, (1,), 0)
    parts = [
        finish_motion(motion.slice(0, 63), options, (1,), 0),
        finish_motion(motion.slice(63), options, (1,), 63),
    ]
    assert torch.equal(torch.cat([part.values for part in parts], 1), whole.values)
