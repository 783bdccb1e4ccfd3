"""The bench measures what it says; no number of time is asserted here, only that they are there and
add up."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from motet.config import to_json
from motet.errors import ConfigError, MotetError
from motet.evaluation.bench import child
from motet.evaluation.bench.machine import describe_machine
from motet.evaluation.bench.measure import (
    BenchConfig,
    BenchSubject,
    _pulled,
    _streaming,
    measure,
    peak_memory_mb,
)
from motet.evaluation.bench.process import bench, read_result, weigh
from motet.evaluation.bench.report import BenchReport, Result, Stage
from motet.types import Audio, Motion, arkit_space

SOUND = Audio.mono(torch.sin(torch.linspace(0.0, 900.0, 32000)), 16000)


def test_a_baseline_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    seen: list[str] = []
    config = BenchConfig(threads=1, repeats=1)
    report = bench(
        [BenchSubject("loudness to jaw", "baseline")],
        SOUND,
        config,
        reference="loudness to jaw",
        on_progress=lambda name, *_: seen.append(name),
    )
    (result,) = report.results
    assert (result.frames, result.threads, result.sound_s) == (50, 1, 2.0)
    assert [stage.name for stage in result.stages] == ["load", "first run, 1 s of sound", "curves"]
    assert all(
        stage.wall_s >= 0 and stage.cpu_s >= 0 and stage.peak_mb > 1 for stage in result.stages
    )
    assert report.ratio(result) == 1.0
    assert seen == ["loudness to jaw"]
    read = json.loads(report.save(tmp_path / "bench.json").read_text())
    assert read["results"][0]["real_time_factor"] == result.real_time_factor
    assert read["machine"]["cores"] >= 1
    assert report.table().row_count >= 8


def test_errors_come_back_from_the_other_process_as_themselves(tmp_path: Path) -> None:
    task = {
        "subject": to_json(BenchSubject("loudness to jew", "baseline")),
        "config": to_json(BenchConfig()),
        "sound": "nowhere.wav",
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    child.main(tmp_path / "task.json", tmp_path / "result.json")
    with pytest.raises(ConfigError, match="loudness to jaw"):
        read_result(tmp_path / "result.json")


def test_an_unknown_method_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="artalc"):
        bench([BenchSubject("artalc")], SOUND)


@pytest.mark.parametrize("subjects", [[], [BenchSubject("mean face", "baseline")]])
def test_the_reference_must_be_there(subjects: list[BenchSubject]) -> None:
    with pytest.raises(ConfigError, match="reference"):
        bench(subjects, SOUND, reference="artalk")


@pytest.mark.parametrize("wrong", [{"threads": -1}, {"repeats": 0}, {"chunk_ms": 0.1}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        BenchConfig(**wrong)  # type: ignore[arg-type]


def test_streaming_counts_sound_and_frames() -> None:
    """Frames 0-4 come with the third piece of 100 ms, the rest at the end: the first frame waited
    for 0.3 s of sound."""

    def pieces() -> Iterator[list[Motion]]:
        for count in (0, 0, 5, 0, 5):
            yield [Motion(torch.zeros(count, 55), arkit_space())] if count else []

    found = _streaming(pieces(), 25.0, 100.0, 0.4)
    assert found.first_frame_sound_s == pytest.approx(0.3)
    assert found.latency_p50_s == pytest.approx(0.2, abs=0.05)
    assert found.latency_p95_s == pytest.approx(0.3, abs=0.05)
    assert 0 <= found.chunk_p50_ms <= found.chunk_p95_ms <= found.chunk_max_ms


def test_measuring_here_gives_the_same_fields(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", SOUND.samples[0].numpy(), 16000)
    result = measure(
        BenchSubject("mean face", "baseline"), tmp_path / "a.wav", BenchConfig(repeats=2)
    )
    assert result.stage("curves") is not None
    assert result.stage("mp4") is None
    assert result.precision == "none"


@pytest.mark.slow
def test_a_method_that_answers_pictures_is_measured_by_its_pictures(tmp_path: Path) -> None:
    report = bench(
        [BenchSubject("speech2lip"), BenchSubject("mean face", "baseline")],
        SOUND,
        BenchConfig(threads=1, repeats=1, chunk_ms=200),
        reference="mean face",
    )
    found = json.loads(report.save(tmp_path / "bench.json").read_text())["results"][0]
    assert found["frames"] == 50
    # The shipped person is filmed frames and two small maps; no network draws it.
    assert found["precision"] == "none" and found["parameters"] < 1e5
    assert [stage["name"] for stage in found["stages"]] == [
        "load",
        "first run, 1 s of sound",
        "pictures",
    ]
    pictures = report.results[0].stage("pictures")
    drawing = report.results[0].drawing
    assert pictures is not None and drawing is not None
    assert (drawing.width, drawing.height) == (512, 512)
    assert drawing.frames_per_s == pytest.approx(50 / pictures.wall_s)
    assert drawing.cpu_ms == pytest.approx(1000 * pictures.cpu_s / 50)
    assert 0 < drawing.first_frame_s < pictures.wall_s
    assert found["drawing"]["frames_per_s"] == drawing.frames_per_s
    assert 0.1 < found["streaming"]["first_frame_sound_s"] <= 2.0
    assert found["real_time_factor"] == pytest.approx(pictures.wall_s / 2)
    assert "first picture" in [str(cell) for cell in report.table().columns[0].cells]


def test_a_method_that_draws_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no picture"):
        _pulled(iter([]))


def test_a_program_is_weighed_alone() -> None:
    """Its memory is its own, not that of the large process which starts it."""
    ballast = torch.ones(100_000_000, dtype=torch.uint8)
    assert peak_memory_mb() > 100
    small = weigh("small", [sys.executable, "-S", "-c", "pass"])
    large = weigh("large", [sys.executable, "-S", "-c", "x = bytearray(b'1') * 200_000_000"])
    assert small.peak_mb < 60 < 190 < large.peak_mb
    assert int(ballast[0]) == 1


@pytest.mark.parametrize(
    "command", [[sys.executable, "-c", "import sys; sys.exit('went wrong')"], ["/nowhere/program"]]
)
def test_a_program_that_fails_is_an_error(command: list[str]) -> None:
    with pytest.raises(MotetError, match="went wrong|No such file"):
        weigh("program", command)


def test_ratios_need_a_reference() -> None:
    stages = (Stage("curves", 2.0, 3.0, 1.0),)
    one, two = (
        Result("a", 10.0, 250, 1, "float32", 5, stages),
        Result("b", 10.0, 250, 1, "float32", 5, (Stage("curves", 2.0, 1.5, 1.0),)),
    )
    machine = describe_machine()
    assert BenchReport(machine, (one, two), "b").ratio(one) == 2.0
    assert BenchReport(machine, (one, two)).ratio(one) is None
    assert one.real_time_factor == 0.2
    assert math.isnan(Result("c", 1.0, 1, 1, "", 0, ()).real_time_factor)
