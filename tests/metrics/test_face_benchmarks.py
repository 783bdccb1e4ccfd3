"""Benchmark scores on sequences whose scores are known, and the regions they are taken on."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError, InputError
from motet.metrics import face_benchmarks as benchmark
from motet.metrics import synchrony
from motet.metrics.regions import Region, read_region


def test_the_same_is_perfect() -> None:
    same = torch.randn(6, 8, 3)
    pairs = [(same, same)]
    for score in (
        benchmark.lip_vertex_error_squared(pairs, [1, 2]),
        benchmark.lip_vertex_distance(pairs, [1]),
        benchmark.mean_vertex_error(pairs),
    ):
        assert score == 0
    assert benchmark.dynamics_deviation(pairs, [torch.zeros(8, 3)], [3, 4]) == 0
    assert benchmark.sample_diversity(same.expand(4, -1, -1, -1)) == 0


def test_known_distances() -> None:
    truth, moved = torch.zeros(4, 6, 3), torch.zeros(5, 6, 3)
    moved[:, 0, 0], moved[:, 1, 1] = 3.0, 4.0
    pairs = [(moved, truth)]  # one frame too many is cut
    assert benchmark.lip_vertex_error_squared(pairs, [0, 1, 2]) == pytest.approx(16.0)
    assert benchmark.lip_vertex_distance(pairs, [0, 1, 2]) == pytest.approx(4.0)
    assert benchmark.mean_vertex_error(pairs) == pytest.approx(7 / 6)


def test_a_still_prediction_has_positive_dynamics_deviation_and_signs_cancel() -> None:
    lively, still = torch.randn(30, 5, 3), torch.zeros(30, 5, 3)
    templates = [torch.zeros(5, 3)] * 2
    one = benchmark.dynamics_deviations([(still, lively), (lively, still)], templates, [0, 1])
    assert one[0] > 0 > one[1]
    both = [(still, lively), (lively, still)]
    assert benchmark.dynamics_deviation(both, templates, [0, 1]) == pytest.approx(0.0, abs=1e-9)
    assert benchmark.dynamics_deviation(both, templates, [0, 1], absolute=True) == pytest.approx(
        float(one[0])
    )


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="cover"):
        benchmark.mean_vertex_error([(torch.zeros(3, 6, 3), torch.zeros(4, 6, 3))])
    with pytest.raises(InputError, match="finite"):
        benchmark.mean_vertex_error([(torch.full((4, 6, 3), torch.nan), torch.zeros(4, 6, 3))])
    with pytest.raises(InputError, match="templates"):
        benchmark.dynamics_deviation([], [torch.zeros(5, 3)], [0])
    with pytest.raises(InputError, match="even"):
        benchmark.sample_diversity(torch.zeros(3, 2, 4, 3))


def test_beats_and_offsets_that_are_known() -> None:
    assert synchrony.beat_alignment(np.array([10, 20]), np.array([10, 20])) == 1.0
    assert synchrony.beat_alignment(np.array([10]), np.array([], dtype=int)) == 0.0
    with pytest.raises(InputError, match="no beats"):
        synchrony.beat_alignment(np.array([], dtype=int), np.array([3]))
    features = torch.randn(60, 8)
    late = torch.cat([torch.zeros(4, 8), features[:-4]])
    found = synchrony.lip_sync(features, late)
    assert abs(found.offset) == 4
    assert synchrony.lip_sync(features, features).offset == 0


def test_regions_from_all_files(tmp_path: Path) -> None:
    (tmp_path / "lve.txt").write_text("3, 5, 7\n11 13\n")
    np.save(tmp_path / "a.npy", np.array([3, 5]))
    (tmp_path / "b.json").write_text(json.dumps({"lips": [1, 2], "more": [2, 9]}))
    (tmp_path / "c.pkl").write_bytes(
        pickle.dumps({"forehead": np.arange(3), "eye_region": np.arange(2, 5)}, 2)
    )
    assert read_region(tmp_path / "lve.txt", "mine").indices == (3, 5, 7, 11, 13)
    assert read_region(tmp_path / "a.npy", "mine").indices == (3, 5)
    assert read_region(tmp_path / "b.json", "mine", ("lips", "more")).indices == (1, 2, 9)
    assert read_region(tmp_path / "c.pkl", "upper", ("forehead", "eye_region")).indices == (
        0,
        1,
        2,
        3,
        4,
    )
    assert Region("x", (1, 2)).label.startswith("x_2 #")
    assert Region("x", (1, 2)).digest != Region("x", (2, 1)).digest


def test_regions_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "lve.txt").write_text("3, 5, x")
    (tmp_path / "ok.txt").write_text("3, 5, 7")
    (tmp_path / "b.json").write_text("{}")
    for path, more in (
        (tmp_path / "lve.txt", {}),
        (tmp_path / "none.txt", {}),
        (tmp_path / "ok.txt", {"verts": 6}),
        (tmp_path / "b.json", {"part": "lips"}),
    ):
        with pytest.raises(AssetError):
            read_region(path, "mine", **more)
    with pytest.raises(AssetError, match="254"):
        read_region(tmp_path / "ok.txt", "flame_lips")
