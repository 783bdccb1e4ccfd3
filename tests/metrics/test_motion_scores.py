"""Seams, head, blinks, diversity and jitter on motions whose scores are known by construction."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import InputError
from motet.metrics import blink, diversity, head, jitter, seam
from motet.metrics.lip_geometry import LipGeometry
from motet.types import ARKIT_SHAPES, Motion, arkit_space
from tests.parity.fixture_set import FixtureSet


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_noise_has_no_seams() -> None:
    scores = seam.evaluate(noise(4000, 3), list(range(20, 4000, 20)))
    assert 0.8 < scores["seam_ratio"] < 1.25
    assert scores["seam_borders"] == 199


@given(height=st.floats(5.0, 100.0), border=st.integers(10, 190))
@settings(max_examples=30, deadline=None)
def test_a_step_at_a_border_is_a_seam(height: float, border: int) -> None:
    smooth = torch.sin(torch.arange(200.0, dtype=torch.float64) * 0.3).unsqueeze(-1)
    broken = smooth.clone()
    broken[border:] += height
    assert seam.evaluate(broken, [border])["seam_worst_ratio"] > 10.0
    assert seam.evaluate(smooth, [border])["seam_worst_ratio"] <= 1.01
    elsewhere = [border + 7 if border < 100 else border - 7]
    assert seam.evaluate(broken, elsewhere)["seam_worst_ratio"] < 1.01


def test_a_still_motion_has_no_seam() -> None:
    assert seam.evaluate(torch.ones(50, 2), [25])["seam_ratio"] == 0.0


@pytest.mark.parametrize(
    ("frames", "borders"), [(50, []), (50, [0]), (50, [99, 20]), (2, [1]), (50, list(range(1, 50)))]
)
def test_seams_need_windows(frames: int, borders: list[int]) -> None:
    with pytest.raises(InputError):
        seam.evaluate(noise(frames, 2), borders)


def test_head_range_and_speed_in_degrees() -> None:
    turned = torch.zeros(101, 3)
    turned[:, 1] = torch.linspace(0.0, math.radians(20.0), 101)
    scores = head.evaluate(turned, 25.0)
    assert scores["head_range"] == scores["head_range_turn"] == pytest.approx(18.0, abs=1e-4)
    assert scores["head_range_nod"] == scores["head_range_tilt"] == 0.0
    assert scores["head_speed"] == pytest.approx(20.0 / 100 * 25.0, rel=1e-4)


@given(st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_angles_are_measured_along_the_shortest_way(seed: int) -> None:
    one, other = noise(5, 3, seed=seed), noise(5, 3, seed=seed + 1000)
    assert torch.allclose(head.angular_distance(one, other), head.angular_distance(other, one))
    assert float(head.angular_distance(one, one).max()) < 1e-5
    whole_turn = one * (1 + 2 * math.pi / one.norm(dim=-1, keepdim=True))
    assert float(head.angular_distance(one, whole_turn).max()) < 1e-4


def test_blinks_are_counted_and_timed() -> None:
    lids = torch.zeros(1500)
    for start in range(40, 1500, 75):
        lids[start : start + 7] = torch.tensor([0.3, 0.8, 1.0, 1.0, 0.8, 0.5, 0.2])
    scores = blink.evaluate(lids, 25.0)
    assert scores["blink_rate"] == pytest.approx(20.0)
    assert scores["blink_depth"] == 1.0
    assert scores["blink_duration"] == pytest.approx((5.0 - 0.4) / 25.0)


def test_eyes_that_stay_open_or_shut_do_not_blink() -> None:
    assert blink.evaluate(torch.full((100,), 0.3), 25.0) == {"blink_rate": 0.0}
    assert blink.evaluate(torch.full((100,), 0.9), 25.0) == {"blink_rate": 0.0}


def test_a_trembling_lid_is_one_blink() -> None:
    lids = torch.tensor([0.0, 0.6, 0.4, 0.6, 0.4, 0.7, 0.1, 0.0])
    assert len(blink.blinks(lids, 25.0)) == 1


def test_identical_takes_have_no_diversity(lip_geometry: LipGeometry) -> None:
    takes = Motion(noise(30, 55).float().abs().expand(4, 30, 55), arkit_space())
    assert all(
        value == pytest.approx(0.0, abs=1e-4)
        for value in diversity.evaluate(takes, lip_geometry).values()
    )


def test_diversity_lies_in_its_region(lip_geometry: LipGeometry) -> None:
    values = torch.zeros(3, 20, 55)
    for take in range(3):
        values[take, :, ARKIT_SHAPES.index("browInnerUp")] = 0.3 * take
    scores = diversity.evaluate(Motion(values, arkit_space()), lip_geometry)
    assert scores["diversity_lips"] == scores["diversity_mouth"] == scores["diversity_head"] == 0.0
    assert scores["diversity_upper_face"] == pytest.approx(
        (0.3 + 0.3 + 0.6) / 3 / len(diversity.UPPER_FACE), rel=1e-5
    )


@pytest.mark.parametrize(
    "takes", [torch.zeros(1, 5, 2, 3), torch.zeros(2, 0, 2, 3), torch.zeros(2, 5, 3)]
)
def test_diversity_needs_takes(takes: torch.Tensor) -> None:
    with pytest.raises(InputError):
        diversity.pairwise_distance(takes)


def test_diversity_is_that_of_the_released_programs() -> None:
    released = FixtureSet("face_metrics")
    tensors, expected = released.tensors("metrics"), released.facts("metrics_expected")
    clips: dict[str, list[torch.Tensor]] = {}
    for name in sorted(key for key in tensors if key.startswith("div.")):
        clips.setdefault(name.rpartition(".")[0], []).append(tensors[name])
    found = [diversity.pairwise_distance(torch.stack(takes)) for takes in clips.values()]
    assert sum(found) / len(found) == pytest.approx(expected["facediffuser.diversity"], rel=1e-5)
    halves = diversity.paired_halves_distance(tensors["multi.samples"])
    assert halves == pytest.approx(expected["probtalk3d.diversity_pairs_i_with_i_plus_5"], rel=1e-5)


def test_jerk_of_a_cubic_is_its_third_derivative() -> None:
    time = torch.arange(50, dtype=torch.float64) / 25.0
    points = torch.zeros(50, 2, 3, dtype=torch.float64)
    points[..., 0] = (time**3).unsqueeze(-1)
    assert jitter.jerk(points, 25.0) == pytest.approx(6.0, rel=1e-6)
    scores = jitter.evaluate(points, 25.0, points)
    assert scores["jerk_ratio"] == 1.0
    assert scores["acceleration_error"] == 0.0


@pytest.mark.parametrize("call", [
    lambda: jitter.jerk(torch.zeros(3, 1, 3), 25.0),
    lambda: jitter.acceleration_error(torch.zeros(5, 1, 3), torch.zeros(6, 1, 3), 25.0),
    lambda: head.evaluate(torch.zeros(1, 3), 25.0),
    lambda: head.evaluate(torch.zeros(5, 4), 25.0),
    lambda: blink.evaluate(torch.full((10,), 7.0), 25.0),
    lambda: blink.evaluate(torch.zeros(10), -1.0),
    lambda: diversity.paired_halves_distance(torch.zeros(3, 4, 2, 3)),
])  # fmt: skip
def test_unusable_input_is_refused(call) -> None:
    with pytest.raises(InputError):
        call()
