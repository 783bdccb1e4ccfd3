"""Costs of a bench go where they are stated."""

from __future__ import annotations

import copy

import pytest

from motet.errors import ConfigError
from recipes.speed_page import METHODS, ROOT, costs, method_line, with_line, written

REPORT = {
    "machine": {"load": 0.3, "cores": 2, "processor": "Test 9000"},
    "results": [
        {
            "subject": name,
            "sound_s": 10.0,
            "threads": 1,
            "streaming": {"chunk_ms": 20.0, "real_time_factor": 0.25} if name == "artalk" else None,
            "stages": [
                {"name": "load", "cpu_s": 99.0, "peak_mb": 300.0},
                {
                    "name": "pictures" if name == "speech2lip" else "curves",
                    "cpu_s": 11.04 + at,
                    "peak_mb": 400.0,
                },
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


def test_the_pages_of_the_methods_get_one_line_that_is_replaced() -> None:
    line = method_line("artalk", REPORT)
    assert "11.0 CPU-s for 10 s" in line and "0.25 s of wall time" in line and "400 MB" in line
    assert "wall" not in method_line("kmtalk", REPORT)
    for name in METHODS:
        page = (ROOT / "src" / "motet" / "methods" / name / "README.md").read_text()
        once = with_line(page, method_line(name, REPORT))
        assert once.count("Speed of today's weights") == 1
        assert with_line(once, method_line(name, REPORT)) == once
