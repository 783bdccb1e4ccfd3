"""Lips on the figure: the table of responses, the fit to measured lips, and closing for certain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import InputError
from motet.face.lip_shapes import (
    RESPONSE,
    SOLVED,
    LipRest,
    close_lips,
    fit_mouth,
    joined,
    lip_changes,
    measure,
    sides,
    solve_mouth,
    spread,
)
from motet.types import ARKIT_SHAPES

JAW, CLOSE = ARKIT_SHAPES.index("jawOpen"), ARKIT_SHAPES.index("mouthClose")


def mouths(frames: int, seed: int, top: float = 0.6) -> np.ndarray:
    random = np.random.default_rng(seed)
    mouth = random.uniform(0, top, (frames, len(SOLVED))) * (
        random.random((frames, len(SOLVED))) < 0.4
    )
    mouth[:, SOLVED.index("mouthClose")] = np.minimum(
        mouth[:, SOLVED.index("mouthClose")], mouth[:, SOLVED.index("jawOpen")]
    )
    return mouth


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), amount=st.floats(0, 1))
def test_lips_close_by_what_was_asked(seed, amount):
    weights = spread(mouths(20, seed))
    closed = close_lips(weights, np.full(20, amount))
    before, after = np.maximum(measure(weights)[:, 0], 0), np.maximum(measure(closed)[:, 0], 0)
    assert (after <= (1 - amount) * before + 1e-6).all() or amount < 1
    assert (after <= before + 1e-9).all()
    assert (closed[:, CLOSE] <= closed[:, JAW] + 1e-9).all()
    assert (closed >= 0).all() and (closed <= 1).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_full_closure_leaves_no_gap(seed):
    closed = close_lips(spread(mouths(20, seed)), np.ones(20))
    assert measure(closed)[:, 0].max() < 0.005


def test_no_closure_changes_nothing():
    weights = spread(mouths(10, 3))
    assert np.array_equal(close_lips(weights, np.zeros(10)), weights)


def test_solving_reproduces_measures_that_a_mouth_can_make():
    truth = mouths(200, 5, 0.4)
    measures = truth @ np.array([RESPONSE[n] for n in SOLVED])
    found = solve_mouth(measures, truth + 0.05)
    again = found @ np.array([RESPONSE[n] for n in SOLVED])
    assert np.abs(again - measures)[:, 0].mean() < 0.01
    assert found.min() >= 0 and found.max() <= 1
    assert (found[:, SOLVED.index("mouthClose")] <= found[:, SOLVED.index("jawOpen")] + 1e-9).all()


def test_measured_opening_wins_over_the_score():
    """A jaw score that says open against lips that are measured closed gives closed lips."""
    scores = np.zeros((5, 52))
    scores[:, JAW] = 0.5
    weights = fit_mouth(np.zeros((5, 4)), scores, np.full(52, 0.5))
    assert np.abs(measure(weights)[:, 0]).max() < 0.03


def test_changes_are_put_over_the_resting_face():
    rest = LipRest(gap=0.0, width=0.28, height=0.11, chin=0.40)
    still = np.array([[0.0, 0.28, 0.11, 0.40]])
    assert np.abs(lip_changes(still, rest)).max() < 1e-12
    # The chin falls by a tenth of the face: every length measured over the longer face is smaller
    # than it is.
    fallen = np.array([[0.1 / 1.1, 0.28 / 1.1, 0.21 / 1.1, 0.5 / 1.1]])
    assert np.allclose(
        lip_changes(fallen, rest), [[0.1 / 0.28, 0.0, 0.1 / 0.28, 0.1 / 0.28]], atol=1e-9
    )


def test_arrays_must_belong_together():
    with pytest.raises(InputError, match="belong together"):
        fit_mouth(np.zeros((3, 4)), np.zeros((4, 52)), np.zeros(52))


def test_joined_and_spread_are_inverse():
    mouth = mouths(5, 1)
    assert np.allclose(joined(spread(mouth)), mouth)


def test_the_table_agrees_with_the_figure():
    """The opening that the table predicts is the opening that the house figure shows, in mouth
    widths."""
    import torch

    from motet.rigs.house import HouseRig
    from motet.types import Motion, arkit_space

    names = [
        "jawOpen",
        "mouthFunnel",
        "mouthPucker",
        "mouthLowerDown",
        "mouthUpperUp",
        "mouthSmile",
    ]
    values = torch.zeros(len(names) + 2, 55)
    for row, name in enumerate(names, start=1):
        for side in sides(name):
            values[row, ARKIT_SHAPES.index(side)] = 0.5
    values[-1, [JAW, CLOSE]] = 0.5
    figure = HouseRig().shaped()
    motion = Motion(values, arkit_space())
    width = float(figure.mouth_width_mm(motion)[0])
    opening = figure.lip_opening_mm(motion).double().numpy()
    for row, name in enumerate(names, start=1):
        predicted = max(0.5 * RESPONSE[name][0], 0.0)
        assert abs((opening[row] - opening[0]) / width - predicted) < 0.09, name
    assert opening[-1] / width < 0.05
