"""Quality against steps of bodies: the energy distance tells sets of movements apart, and the curve
asks for what it says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from motet.body.skeleton import STANDING_HEIGHT_M, body_motion
from motet.evaluation.body_step_curve import body_curve_table, body_step_curve, energy
from motet.types import Motion

TRUTH = {
    "policy": "approach",
    "travel_deg": 0.0,
    "looks": True,
    "source": [0.0, 1.5, 3.0],
    "start_s": 0.5,
    "onset_s": 0.3,
    "beats_s": [],
    "covers": False,
}


def test_equal_sets_are_at_no_distance_and_shifted_ones_at_theirs() -> None:
    takes = torch.randn(6, 10, 25, 3, generator=torch.Generator().manual_seed(0))
    again = torch.randn(6, 10, 25, 3, generator=torch.Generator().manual_seed(1))
    near, far = energy(takes, again), energy(takes, again + 5.0)
    assert abs(near) < 0.1
    assert far > 10


def walk(speed: float, seeds: tuple[int, ...]) -> Motion:
    """Bodies that glide ahead, each a little to the side."""
    time = torch.arange(60) / 30
    roots = torch.stack(
        [
            torch.stack([0.01 * seed + 0 * time, STANDING_HEIGHT_M + 0 * time, speed * time], 1)
            for seed in seeds
        ]
    )
    return body_motion(roots, torch.eye(3).expand(len(seeds), 60, 25, 3, 3))


def test_ways_that_move_like_the_reference_are_near_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        "motet.metrics.body_reaction.evaluate",
        lambda body, classifier=None: {"heading_error": 1.0, "gaze_error": 2.0, "foot_skate": 3.0},
    )

    def draw(case, seeds, options):
        asked.append((options["sampler"], options["steps"]))
        return walk(1.0 if options["sampler"] != "ddim" else 0.2, seeds)

    rows = body_step_curve(draw, [SimpleNamespace(truth=TRUTH)], [("dpm++2m", 12), ("ddim", 5)], 3)
    assert asked == [("ancestral", 1000), ("ancestral", 1000), ("dpm++2m", 12), ("ddim", 5)]
    assert [row.steps for row in rows] == [1000, 12, 5]
    assert rows[1].distance_m < 0.1 < 0.5 < rows[2].distance_m
    assert rows[1].scores == {"heading_error": 1.0, "gaze_error": 2.0, "foot_skate": 3.0}
    assert body_curve_table(rows).row_count == 3
