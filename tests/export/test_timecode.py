from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import AssetError
from motet.export import read_take, write_clip
from motet.export.timecode import DAY_SECONDS, counting_rate, parse_timecode, seconds_of, timecode
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space
from tests.export.takes import take

JAW = ARKIT_SHAPES.index("jawOpen")


def smpte(index: int, rate: int, drop_frame: bool, start: int) -> str:
    """The timecode of a frame, counted one by one as the standard says."""
    if drop_frame:
        per_minute, dropped = rate * 60, rate // 15
        per_ten = 10 * per_minute - 9 * dropped
        clock = start // 60
        index += clock * per_minute - dropped * (clock - clock // 10) + start % 60 * rate
        tens, rest = divmod(index, per_ten)
        index += 9 * dropped * tens
        if rest >= per_minute:
            index += dropped * ((rest - dropped) // (per_minute - dropped))
    else:
        index += start * rate
    seconds, frame = divmod(index, rate)
    clock_text = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock_text}{';' if drop_frame else ':'}{frame:02d}.000"


def recording(
    path: Path, codes: list[str], jaw: np.ndarray, edit: Callable[[list[list[str]]], object] = len
) -> Path:
    """A Live Link Face file with those timecodes and that opening of the jaw."""
    values = torch.zeros(len(codes), 55)
    values[:, JAW] = torch.from_numpy(jaw).float()
    write_clip(Clip(None, Motion(values, arkit_space(60.0))), path)
    rows = list(csv.reader(path.read_text().splitlines()))
    for row, code in zip(rows[1:], codes, strict=True):
        row[0] = code
    edit(rows)
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


def test_timecode_counts_sixtieths_and_carries() -> None:
    assert timecode(0.999999) == "00:00:01:00.000"
    assert timecode(3723.5 + 1 / 25) == "01:02:03:32.400"


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60])
@pytest.mark.parametrize("start", [37_230, 86_399, 59])
def test_frames_of_any_project_rate(tmp_path: Path, rate: int, start: int) -> None:
    codes = [smpte(index, rate, False, start) for index in range(2 * rate + 3)]
    jaw = np.linspace(0, 1, len(codes))
    motion = read_take(recording(tmp_path / "a.csv", codes, jaw)).motion
    assert motion is not None and motion.space.fps == rate and motion.frames == len(codes)
    assert np.allclose(motion.channel("blendshapes", "jawOpen"), jaw, atol=1e-6)


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("start", [36_030, 36_059, 36_599, 86_399])
def test_drop_frame_runs_evenly_over_minutes_and_midnight(
    tmp_path: Path, rate: int, start: int
) -> None:
    codes = [smpte(index, rate, True, start) for index in range(2 * rate)]
    jaw = np.linspace(0, 1, len(codes))
    motion = read_take(recording(tmp_path / "a.csv", codes, jaw)).motion
    assert motion is not None and motion.frames == len(codes)
    assert motion.space.fps == pytest.approx(rate / 1.001)
    assert np.allclose(motion.channel("blendshapes", "jawOpen"), jaw, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([24, 25, 30, 48, 50, 60]),
    lost=st.sets(st.integers(1, 118), max_size=20),
    start=st.integers(0, 86_399),
)
def test_the_counting_rate_survives_missing_frames(rate: int, lost: set[int], start: int) -> None:
    kept = [index for index in range(5 * rate) if index not in lost]
    codes = [parse_timecode(smpte(index, rate, False, start), Path("a")) for index in kept]
    assert counting_rate(codes) == rate
    times = seconds_of(codes)
    assert np.allclose(times - times[0], np.array(kept) / rate, atol=1e-6)


def test_a_recording_within_one_second_counts_sixtieths() -> None:
    codes = [parse_timecode(timecode(index / 60), Path("a")) for index in range(40)]
    assert counting_rate(codes) == 60 and DAY_SECONDS == 24 * 3600


def test_live_link_files_have_sixty_rows_a_second(tmp_path: Path) -> None:
    clip = take(50, 25.0, sound=False)
    path = write_clip(clip, tmp_path / "a.csv")
    assert len(path.read_text().splitlines()) == 1 + 120
    motion = read_take(path).motion
    assert motion is not None and clip.motion is not None and motion.space.fps == 60
    assert torch.allclose(motion.values, clip.motion.at(60.0).values, atol=2e-6)
    asked = write_clip(clip, tmp_path / "b.csv", fps=25.0)
    assert len(asked.read_text().splitlines()) == 1 + 50
    npz = read_take(write_clip(clip, tmp_path / "a.npz")).motion
    assert npz is not None and npz.space.fps == 25


def note_of(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "\n" not in record.getMessage()
    caplog.clear()
    return record.getMessage()


def test_percentages_are_scaled_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    codes = [timecode(index / 60) for index in range(80)]
    jaw = np.linspace(0, 1, 80)
    motion = read_take(recording(tmp_path / "a.csv", codes, 45 * jaw)).motion
    assert motion is not None and "percent" in note_of(caplog)
    assert np.allclose(motion.channel("blendshapes", "jawOpen"), 0.45 * jaw, atol=1e-6)
    read_take(recording(tmp_path / "b.csv", codes, 1.5 * jaw))
    assert not caplog.records
    with pytest.raises(AssetError, match="weight of 1000"):
        read_take(recording(tmp_path / "c.csv", codes, 1000 * jaw))


def test_unknown_columns_are_skipped_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def with_tongue(rows: list[list[str]]) -> None:
        for number, row in enumerate(rows):
            row.append("TongueTipUp" if number == 0 else "0.7")

    codes = [timecode(index / 60) for index in range(8)]
    jaw = np.linspace(0, 1, 8)
    motion = read_take(recording(tmp_path / "a.csv", codes, jaw, with_tongue)).motion
    assert motion is not None and "'TongueTipUp'" in note_of(caplog)
    assert np.allclose(motion.channel("blendshapes", "jawOpen"), jaw, atol=1e-6)


@pytest.mark.parametrize("extra", ["tongueTipUp", "sil", "viseme_aa"])
def test_audio2face_names_beyond_arkit_are_skipped_with_a_note(
    tmp_path: Path, extra: str, caplog: pytest.LogCaptureFixture
) -> None:
    clip = take(4, 30.0, sound=False)
    content = json.loads(write_clip(clip, tmp_path / "a.json").read_text())
    content["facsNames"].insert(3, extra)
    content["weightMat"] = [[*row[:3], 0.9, *row[3:]] for row in content["weightMat"]]
    (tmp_path / "b.json").write_text(json.dumps(content))
    motion = read_take(tmp_path / "b.json").motion
    assert motion is not None and clip.motion is not None and repr(extra) in note_of(caplog)
    assert torch.allclose(motion.values, clip.motion.values, atol=2e-6)


@pytest.mark.parametrize(
    "code", ["", "1:2", "aa:bb:cc:dd", "00:00:00:-1", "00:00:00:nan", "1" * 60]
)
def test_cells_without_a_timecode(code: str) -> None:
    with pytest.raises(AssetError, match="HH:MM:SS"):
        parse_timecode(code, Path("a.csv"))
