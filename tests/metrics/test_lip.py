"""Lips: the ideal score for identical inputs, known lags and closures found, degenerate inputs
answered."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import InputError, SpaceError
from motet.metrics import lip
from motet.metrics.lip_geometry import LipGeometry, LipMotion
from motet.phonetics.alignment import Phone
from motet.types import ARKIT_SHAPES, Motion, MotionSpace, Track, arkit_space
from tests.parity.fixture_set import FixtureSet


def wave(frames: int = 100, seed: int = 0) -> torch.Tensor:
    return torch.randn(frames, generator=torch.Generator().manual_seed(seed)).cumsum(0).double()


def mouth(opening_mm: torch.Tensor, fps: float = 25.0) -> LipMotion:
    lips = torch.zeros(len(opening_mm), 2, 3, dtype=torch.float64)
    lips[:, 1, 1] = -opening_mm / 1000.0
    return LipMotion(opening_mm.double() / 1000.0, fps, lips)


def test_identical_lips_are_perfect() -> None:
    opening = wave().abs() + 2.0
    opening[25:30] = 0.0
    same = mouth(opening)
    phones = [Phone("AA", 0.2, 0.9), Phone("M", 1.0, 1.1), Phone("AA", 1.3, 2.0)]
    scores = lip.evaluate(same, same, phones, max_lag_s=0.2)
    assert scores["lip_correlation"] == pytest.approx(1.0, abs=1e-12)
    assert (scores["lip_lag"], scores["lip_vertex_error"]) == (0.0, 0.0)
    assert scores["closure_recall"] == scores["closure_recall_relative"] == 1.0
    assert scores["closure_contrast"] > 0
    assert list(scores) == [metric.id for metric in lip.METRICS if metric.id in scores]


@given(
    lag=st.integers(-5, 5),
    seed=st.integers(0, 99),
    gain=st.floats(0.01, 50.0),
    offset=st.floats(-10.0, 10.0),
)
@settings(max_examples=40, deadline=None)
def test_a_known_lag_is_found_whatever_the_scale(
    lag: int, seed: int, gain: float, offset: float
) -> None:
    long = wave(220, seed)
    reference, predicted = long[60:160], gain * long[60 - lag : 160 - lag] + offset
    found = lip.opening_correlation(predicted, reference, 25.0, 0.2)
    assert found.correlation == pytest.approx(1.0, abs=1e-6)
    assert found.lag_s == pytest.approx(lag / 25.0)


def test_a_lag_beyond_the_range_is_not_found() -> None:
    long = wave(220)
    assert lip.opening_correlation(long[50:150], long[60:160], 25.0, 0.2).correlation < 0.999


def test_a_still_mouth_correlates_with_nothing() -> None:
    assert lip.opening_correlation(torch.full((50,), 0.3), wave(50), 25.0) == lip.Lagged(0.0, 0.0)


@given(st.lists(st.floats(-1.0, 1.0), min_size=20, max_size=60), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_correlation_stays_in_its_bounds(values: list[float], lag: int) -> None:
    found = lip.opening_correlation(
        torch.tensor(values), wave(len(values)).float(), 25.0, lag / 25.0
    )
    assert -1.0 <= found.correlation <= 1.0
    assert abs(found.lag_s) <= lag / 25.0 + 1e-9


def test_lip_vertex_error_is_the_worst_vertex_of_each_frame() -> None:
    predicted, reference = torch.zeros(2, 3, 3), torch.zeros(2, 3, 3)
    reference[0, 1] = torch.tensor([0.003, 0.004, 0.0])
    reference[0, 2, 0] = reference[1, 0, 2] = 0.001
    assert lip.lip_vertex_error(predicted, reference) == pytest.approx((5.0 + 1.0) / 2)


def test_lip_vertex_error_is_the_lvd_of_unitalker() -> None:
    released = FixtureSet("face_metrics")
    tensors, expected = released.tensors("metrics"), released.facts("metrics_expected")
    index = tensors["lip_index"].long()
    found = lip.lip_vertex_error(
        tensors["multi.samples"][0][:, index], tensors["multi.gt"][:, index]
    )
    assert found / 1000.0 == pytest.approx(expected["unitalker.lvd"], rel=1e-5)


@pytest.mark.parametrize(
    ("dip", "realised"), [(25, True), (30, True), (24, True), (31, True), (23, False), (32, False)]
)
def test_a_closure_counts_within_a_frame_of_its_phone(dip: int, realised: bool) -> None:
    opening = torch.full((60,), 0.01)
    opening[dip] = 0.0005
    assert lip.realised_closures(opening, 25.0, [(1.0, 1.2)], lip.CLOSED_M) == [realised]


def test_closures_shorter_than_a_frame_are_looked_for_too() -> None:
    opening = torch.full((60,), 0.01)
    opening[26] = 0.0
    assert lip.realised_closures(opening, 25.0, [(1.005, 1.03)], 0.001) == [True]


def test_an_open_mouth_realises_nothing_and_a_shut_one_everything_without_contrast() -> None:
    phones = [Phone("P", 0.2, 0.3), Phone("AA", 0.4, 0.6), Phone("B", 0.8, 0.9)]
    wide, shut = (
        lip.evaluate(mouth(torch.full((50,), 8.0)), phones=phones),
        lip.evaluate(mouth(torch.zeros(50)), phones=phones),
    )
    assert (wide["closure_recall"], shut["closure_recall"]) == (0.0, 1.0)
    assert shut["closure_contrast"] == wide["closure_contrast"] == 0.0


def test_speed_and_stillness_have_their_unit() -> None:
    opening = torch.arange(50.0, dtype=torch.float64) * 0.1
    scores = lip.evaluate(mouth(opening), silences=[(0.0, 2.0)])
    assert scores["stillness"] == pytest.approx(0.1 * 25 / 2)
    assert scores["stillness_peak"] == pytest.approx(0.1 * 25 / 2)


def test_only_what_the_material_allows_is_scored() -> None:
    tracked = LipMotion(wave(50), 25.0)
    assert set(lip.evaluate(mouth(wave(50)), tracked)) == {"lip_correlation", "lip_lag"}
    assert lip.evaluate(tracked, silences=[(0.0, 1.0)]) == {}


@pytest.mark.parametrize("call", [
    lambda: LipMotion(torch.zeros(0), 25.0),
    lambda: LipMotion(torch.zeros(5), 0.0),
    lambda: LipMotion(torch.full((5,), float("nan")), 25.0),
    lambda: lip.evaluate(mouth(wave(50)), mouth(wave(49))),
    lambda: lip.evaluate(mouth(wave(50)), mouth(wave(50), fps=30.0)),
    lambda: lip.opening_correlation(wave(8), wave(8), 25.0),
    lambda: lip.opening_correlation(wave(40), wave(40), 25.0, 2.0),
    lambda: lip.realised_closures(wave(50), 25.0, [(3.0, 3.1)], 0.001),
    lambda: lip.realised_closures(wave(50), 25.0, [(1.0, 0.5)], 0.001),
    lambda: lip.lip_speed(torch.zeros(1, 2, 3), 25.0),
    lambda: lip.lip_vertex_error(torch.zeros(3, 2, 3), torch.zeros(3, 4, 3)),
])  # fmt: skip
def test_unusable_input_is_refused(call) -> None:
    with pytest.raises(InputError):
        call()


def test_a_typing_error_in_a_keyword_is_an_error() -> None:
    with pytest.raises(TypeError):
        lip.evaluate(mouth(wave(50)), max_lags=0.2)  # type: ignore[call-arg]


def test_the_gauge_is_linear_and_measures_millimetres(lip_geometry: LipGeometry) -> None:
    values = torch.zeros(3, 55)
    values[1, ARKIT_SHAPES.index("jawOpen")] = 0.5
    values[2, ARKIT_SHAPES.index("mouthSmileLeft")] = 1.0
    motion = Motion(values, arkit_space())
    assert lip_geometry.opening(motion).tolist() == pytest.approx([0.0, 0.01, 0.0])
    assert lip_geometry.width(motion).tolist() == pytest.approx([0.04, 0.04, 0.045])
    batch = Motion(values.expand(2, 3, 55), arkit_space())
    assert torch.equal(lip_geometry.lips(batch)[1], lip_geometry.measure(motion).lips)


def test_motion_without_blendshapes_cannot_be_gauged(lip_geometry: LipGeometry) -> None:
    with pytest.raises(SpaceError, match="jaw"):
        lip_geometry.opening(
            Motion(torch.zeros(4, 3), MotionSpace("other", (Track("jaw", (3,), "rad"),), 25.0))
        )
