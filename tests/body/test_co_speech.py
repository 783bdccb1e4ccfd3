"""Hands of a speaker come up with phrases, beat on emphasis, and rest in pauses."""

from __future__ import annotations

import numpy as np
import torch

from motet.body.co_speech import emphasis, gesture_along, phrases
from motet.body.skeleton import house_offsets
from motet.body.standing_pose import standing_root, standing_rotations
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

FPS, FRAMES = 30.0, 300


def voice() -> torch.Tensor:
    """Syllables four times a second from 1 to 4 s and from 6 to 9 s, silence between."""
    time = np.arange(FRAMES) / FPS
    speaks = ((time >= 1) & (time < 4)) | ((time >= 6) & (time < 9))
    syllables = 0.1 + 0.9 * np.sin(np.pi * 2 * time) ** 4
    return torch.from_numpy(0.2 * speaks * syllables).float()


def wrists(loudness: torch.Tensor, first: int = 0, seed: int = 3) -> np.ndarray:
    root = standing_root().expand(len(loudness), 3)
    rotations = standing_rotations().expand(len(loudness), 25, 3, 3)
    moved = gesture_along(root, rotations, loudness, FPS, first, seed)
    positions = forward_kinematics(moved, root, house_offsets(), SMPLX25_PARENTS)[1]
    numbers = [SMPLX25_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]
    return positions[:, numbers].double().numpy()  # (frames, sides, 3)


def test_phrases_are_runs_of_voice() -> None:
    first, second = phrases(voice().double().numpy(), FPS)
    assert abs(first.start - 30) <= 2 and abs(first.stop - 120) <= 3
    assert abs(second.start - 180) <= 2 and abs(second.stop - 270) <= 3
    long = np.full(FRAMES, 0.2)
    assert len(phrases(long, FPS)) >= 3, "long phrases have several gestures"
    assert phrases(np.zeros(FRAMES), FPS) == []


def test_emphasis_is_just_before_the_loud_moments() -> None:
    beats = emphasis(voice().double().numpy(), FPS)
    peaks = [k for k in range(1, FRAMES - 1) if beats[k - 1] < beats[k] >= beats[k + 1] > 0.2]
    loud = 7.5 + 15 * np.arange(20)  # frames of the syllables' middles
    assert len(peaks) >= 8
    assert max(float(np.abs(loud - (peak + 1.5)).min()) for peak in peaks) <= 2.5


def test_hands_rise_with_the_voice_and_rest_without() -> None:
    height = wrists(voice())[..., 1].max(1)
    rest = wrists(torch.zeros(FRAMES))[..., 1].max(1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-6)
    assert height[40:110].max() > rest[0] + 0.1
    # A second and a half after a phrase both hands hang again.
    np.testing.assert_allclose(height[165:170], rest[0], atol=0.005)
    steps = np.linalg.norm(np.diff(wrists(voice()), axis=0), axis=-1)
    assert steps.max() < 0.12  # metres a frame


def test_windows_that_overlap_choose_the_same_gestures() -> None:
    whole, later = wrists(voice()), wrists(voice()[150:], first=150)
    np.testing.assert_allclose(later[30:110], whole[180:260], atol=0.01)
    assert not np.allclose(wrists(voice(), seed=4)[40:110], whole[40:110], atol=0.02)
