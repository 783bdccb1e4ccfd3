"""Viseme and vowel weights from ARKit weights: shapes of lips, one winner, no flicker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from motet.export.gltf.visemes import fit_visemes
from motet.face.visemes import PHONES, VISEMES, face_pose
from motet.types import ARKIT_SHAPES
from tests.golden import store

VOWELS = ("aa", "E", "I", "O", "U")


def named(values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(ARKIT_SHAPES, values.T, strict=True))


def fitted(
    poses: Sequence[dict[str, float]], visemes: tuple[str, ...], fps: float = 1.0
) -> np.ndarray:
    """Weights (poses, visemes); at one frame a second nothing is averaged."""
    values = np.stack([face_pose(pose) for pose in poses])
    return np.stack(list(fit_visemes(named(values), visemes, fps).values()), axis=1)


@pytest.mark.parametrize("visemes", [VOWELS, tuple(VISEMES)], ids=["vowels", "oculus"])
@pytest.mark.parametrize("amount", [1.0, 0.5])
def test_the_pose_of_a_viseme_is_that_viseme_alone(visemes: tuple[str, ...], amount: float) -> None:
    poses = [{n: amount * w for n, w in VISEMES[viseme].items()} for viseme in visemes]
    assert fitted(poses, visemes) == pytest.approx(amount * np.eye(len(visemes)), abs=0.02)


SPOKEN = {
    "I": [
        {"jawOpen": 0.10, "mouthStretch": 0.30},
        {"jawOpen": 0.08, "mouthSmile": 0.30},
        {"jawOpen": 0.15, "mouthDimple": 0.30, "mouthLowerDown": 0.10},
        {"jawOpen": 0.10, "mouthSmile": 0.15, "mouthStretch": 0.15, "mouthUpperUp": 0.10},
    ],
    "E": [
        {"jawOpen": 0.28, "mouthStretch": 0.22},
        {"jawOpen": 0.30, "mouthSmile": 0.18},
        {"jawOpen": 0.30, "mouthDimple": 0.20, "mouthLowerDown": 0.20},
    ],
    "aa": [
        {"jawOpen": 0.50},
        {"jawOpen": 0.40, "mouthLowerDown": 0.20},
        {"jawOpen": 0.60, "mouthUpperUp": 0.10, "mouthStretch": 0.05},
    ],
    "O": [
        {"jawOpen": 0.35, "mouthFunnel": 0.40},
        {"jawOpen": 0.25, "mouthFunnel": 0.30, "mouthPucker": 0.30},
        {"jawOpen": 0.40, "mouthPucker": 0.40},
    ],
    "U": [
        {"jawOpen": 0.10, "mouthPucker": 0.70},
        {"jawOpen": 0.12, "mouthFunnel": 0.20, "mouthPucker": 0.60},
        {"jawOpen": 0.05, "mouthPucker": 0.50},
        {"jawOpen": 0.20, "mouthPucker": 0.80, "mouthClose": 0.05},
    ],
}
"""Sustained vowels as different riggers and performers make them."""


@pytest.mark.parametrize("vowel", SPOKEN)
@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_sustained_vowels_are_told_apart(vowel: str, amount: float) -> None:
    poses = [{n: amount * w for n, w in pose.items()} for pose in SPOKEN[vowel]]
    weights = fitted(poses, VOWELS)
    assert [VOWELS[index] for index in weights.argmax(axis=1)] == [vowel] * len(poses)


def test_every_vowel_is_the_strongest_somewhere_in_speech() -> None:
    take = store.read()["artalk_demo"]
    curves = take.arrays["values"][:, : len(ARKIT_SHAPES)].astype(np.float64)
    fps = 25.0 * len(curves) / take.facts["shape"][0]  # the net keeps every third frame
    weights = np.stack(list(fit_visemes(named(curves), VOWELS, fps).values()), axis=1)
    spoken = weights[weights.max(axis=1) > 0.05]
    assert len(spoken) > 40
    assert set(spoken.argmax(axis=1)) == set(range(5))


def test_weights_do_not_flicker() -> None:
    """A slow glide from /a/ to /i/ with the tremor of a generator: each vowel wins once."""
    share = np.linspace(0, 1, 50)[:, None]
    glide = (1 - share) * face_pose(SPOKEN["aa"][0]) + share * face_pose(SPOKEN["I"][0])
    tremor = np.random.default_rng(0).normal(0, 0.01, glide.shape) * (glide > 0)
    curves = np.clip(glide + tremor, 0, 1)
    weights = np.stack(list(fit_visemes(named(curves), VOWELS, 25.0).values()), axis=1)
    winners = weights.argmax(axis=1)
    assert [VOWELS[index] for index in winners[[0, -1]]] == ["aa", "I"]
    assert np.count_nonzero(np.diff(winners)) <= 2
    assert np.abs(np.diff(weights, axis=0)).max() < 0.15


def test_a_closure_of_one_frame_stays_closed() -> None:
    speaking, closed = {"jawOpen": 0.3}, {"jawOpen": 0.3, "mouthClose": 0.3}
    weights = fitted([speaking] * 6 + [closed] + [speaking] * 6, VOWELS, 25.0)
    assert weights[6].max() < 0.05 < weights[5].max()


def test_every_phone_belongs_to_one_viseme() -> None:
    phones = " ".join(PHONES.values()).split()
    assert len(phones) == len(set(phones)) and set(PHONES) == set(VISEMES)
