"""Every benchmark at its smallest setting: equal numbers in both forms, one JSON file.

ARTalk's and DiffPoseTalk's comparisons stand beside their methods' speed tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import mospa, speech2lip
from benchmarks.report import run
from motet.methods.mospa.config import MospaConfig


def test_mospa_compares_equal_numbers() -> None:
    report = mospa.measure(MospaConfig(width=32, heads=2, inner=32, layers=1), 0.5, 0.5)
    assert report["published size"]["largest difference"] < 1e-5
    assert all(value >= 0 for value in report["default"].values())


def test_speech2lip_measures_each_form() -> None:
    report = speech2lip.report(160, (64,), repeats=1)
    assert next(iter(report["times_faster"].values())) == 1.0
    assert all(value > 0 for value in report["cpu_ms"].values())


def test_results_are_one_file_with_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.json"
    monkeypatch.setattr(sys, "argv", ["x", "-o", str(out)])
    run("x", lambda: {"cpu_s": 1.0})
    report = json.loads(out.read_text())
    assert report["results"] == {"cpu_s": 1.0} and report["threads"] == 1
    assert {"processor", "load", "packages"} <= set(report["machine"])
