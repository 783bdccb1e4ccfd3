"""Costs of a bench go where they are stated."""

from __future__ import annotations

import copy

import pytest

from motet.errors import ConfigError
from recipes.speed_page import METHODS, ROOT, costs, written

REPORT = {
    "machine": {"load": 0.3, "cores": 2, "processor": "Test 9000"},
    "results": [
        {
            "subject": name,
            "sound_s": 10.0,
            "stages": [
                {"name": "load", "cpu_s": 99.0},
                {"name": "pictures" if name == "speech2lip" else "curves", "cpu_s": 11.04 + at},
            ],
        }
        for at, name in enumerate(METHODS)
    ],
}


def test_both_pages_get_the_same_figures() -> None:
    files = ROOT / "README.md", ROOT / "docs" / "benchmarks" / "speed.md"
    readme, page = written(*(file.read_text() for file in files), REPORT)
    for at, name in enumerate(METHODS):
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| [`{name}`]")]
        assert f"| {11 + at}.0" in row
    assert "| curves or pictures, CPU-s | 11.0 | 12.0 | 13.0 | 14.0 | 15.0 |" in page
    assert "2 cores of Test 9000, load 0.3" in page


def test_a_busy_machine_and_missing_methods_are_refused() -> None:
    busy, few = copy.deepcopy(REPORT), copy.deepcopy(REPORT)
    busy["machine"]["load"] = 8.0
    few["results"].pop()
    with pytest.raises(ConfigError, match="busy"):
        costs(busy)
    with pytest.raises(ConfigError, match="speech2lip"):
        costs(few)
