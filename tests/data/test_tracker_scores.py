"""Cleaning of tracker scores: blinks, neutral, head."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from motet.data.readers.tracked import facegood_weights, grid_split
from motet.data.tracker_scores import blinks, clean_weights, head_rotation, neutral_of
from motet.tracking.audio_lag import loudness_course, measure_lag
from motet.types import ARKIT_SHAPES


def test_blinks_are_found_and_slow_lids_are_not():
    score = np.full(150, 0.10)
    score[20:27] = [0.24, 0.73, 0.70, 0.55, 0.40, 0.25, 0.15]
    score[60:120] = 0.45
    clean = blinks(score, 25.0)
    assert clean[21:23].max() > 0.95
    assert clean[:18].max() == 0 and clean[70:110].max() == 0


def test_head_is_relative_to_the_resting_pose_in_the_face_frame():
    rest = Rotation.from_euler("yx", [25, -8], degrees=True)
    turned = rest * Rotation.from_euler("x", 10, degrees=True)
    turn = head_rotation(np.repeat(turned.as_matrix()[None], 20, 0), rest.as_matrix(), 25.0)
    assert np.allclose(turn, [np.radians(10), 0, 0], atol=1e-9)


def test_neutral_takes_a_persons_offsets_off():
    random = np.random.default_rng(0)
    scores, lip = np.zeros((100, 52)), np.tile([0.0, 0.28, 0.11, 0.4], (100, 1))
    smile, jaw = ARKIT_SHAPES.index("mouthSmileLeft"), ARKIT_SHAPES.index("jawOpen")
    scores[:, smile] = 0.4
    scores[:, ARKIT_SHAPES.index("eyeSquintLeft")] = 0.5
    lip[40:80, 0] = 0.08
    lip[40:80, 2:] += [0.07, 0.03]
    scores[40:80, jaw] = 0.4
    neutral = neutral_of(
        scores + random.normal(0, 1e-3, scores.shape).clip(0),
        lip,
        np.repeat(np.eye(3)[None], 100, 0),
    )
    weights = clean_weights(scores, lip, neutral, 25.0)
    assert weights[:, smile].max() < 0.15
    assert weights[:35, jaw].max() < 0.03 < 0.2 < weights[45:75, jaw].min()
    assert weights.min() >= 0 and weights.max() <= 1


def test_lag_is_found_to_a_fraction_of_a_frame():
    random = np.random.default_rng(1)
    fine = np.convolve(random.standard_normal(4000), np.hanning(60), "same")
    seen, received = fine[::10][:300], fine[np.clip(np.arange(0, 4000, 10) - 25, 0, None)][:300]
    lag = measure_lag(seen, received, 25.0)
    assert lag.certain and abs(lag.seconds - 2.5 / 25) < 0.012


def test_noise_has_no_lag():
    random = np.random.default_rng(2)
    lag = measure_lag(random.standard_normal(300), random.standard_normal(300), 25.0)
    assert not lag.certain and lag.seconds == 0
    assert not measure_lag(np.zeros(50), np.zeros(50), 25.0).certain


def test_short_material_is_not_judged_by_loudness():
    random = np.random.default_rng(1)
    course = np.convolve(random.standard_normal(75), np.hanning(9), "same")
    assert measure_lag(course, course, 25.0).certain
    assert not measure_lag(course, course, 25.0, "loudness").certain
    tone = np.concatenate([np.zeros(8000), np.sin(np.arange(8000))]).astype(np.float32)
    level = loudness_course(tone, 16_000, 25, 25.0)
    assert level[:10].max() < 1 < 20 < level[16:].min()


def test_facegood_channels_go_by_name():
    names = ["mouth_stretch_c", "mouth_oh_c", "mouth_oo_c"]
    names += [f"mouth_funnel_{s}" for s in ("dl", "dr", "ul", "ur")] + [
        f"mouth_pucker_{s}" for s in "lr"
    ]
    names += [
        f"mouth_{n}_{s}"
        for n in ("lowerLipDepress", "upperLipRaise", "lipCornerPull", "press", "lipStretch")
        for s in "lr"
    ]
    names += [
        "mouth_suck_dl",
        "mouth_suck_dr",
        "mouth_suck_ul",
        "mouth_suck_ur",
        "mouth_chinRaise_u",
    ]
    weights = np.zeros((2, len(names)))
    (
        weights[0, names.index("mouth_stretch_c")],
        weights[0, names.index("mouth_oh_c")],
        weights[0, names.index("mouth_funnel_ur")],
    ) = (0.4, 0.6, 0.2)
    mapped = facegood_weights(weights, names)
    assert mapped[0, ARKIT_SHAPES.index("jawOpen")] == 0.4
    assert abs(mapped[0, ARKIT_SHAPES.index("mouthFunnel")] - 0.5) < 1e-12
    assert mapped[1].max() == 0


def test_the_split_is_by_place():
    assert [grid_split(i) for i in (0, 1, 2, 19, 20, 21)] == [
        "test",
        "val",
        "train",
        "train",
        "test",
        "val",
    ]
