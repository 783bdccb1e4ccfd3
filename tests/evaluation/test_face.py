"""The evaluation as a whole: on the compact set, with subjects whose scores are known
beforehand."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError, InputError
from motet.evaluation.baselines import (
    NearestPhone,
    baselines,
    loudness_db,
    loudness_to_jaw,
    mean_face,
)
from motet.evaluation.face import GROUND_TRUTH, EvaluationConfig, Subject, evaluate, long_audio
from motet.evaluation.held_out import HeldOut, HeldOutClip, Tracked, load_held_out
from motet.evaluation.report import METRICS, Report, Score
from motet.metrics.lip_geometry import LipGeometry
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space, concatenate, frame_count

JAW = ARKIT_SHAPES.index("jawOpen")
QUICK = EvaluationConfig(takes=2, long_s=20.0)
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MOTET_DATA", ROOT.parent / "shared" / "data"))


def chirp(seconds: float) -> Audio:
    return Audio.mono(
        torch.sin(torch.linspace(0.0, 400.0 * seconds, round(16000 * seconds))), 16000
    )


def jaw(openings: torch.Tensor, fps: float = 25.0) -> Motion:
    values = torch.zeros(len(openings), 55)
    values[:, JAW] = openings
    return Motion(values, arkit_space(fps))


def oracle(audio: Audio, seed: int) -> Motion:
    """Opens the jaw by a curve of time alone."""
    del seed
    return jaw(0.5 + 0.4 * torch.sin(torch.arange(frame_count(audio.seconds, 25.0)) * 0.9))


def people(fps: float) -> HeldOut:
    """A person tracked at another rate whose lips move exactly like the oracle's."""
    time = torch.arange(round(4.0 * fps), dtype=torch.float64) / fps
    curve = 0.5 + 0.4 * torch.sin(time * 25.0 * 0.9)
    return HeldOut(
        (
            HeldOutClip(
                "one",
                "white house",
                chirp(4.0),
                (),
                Tracked(time, fps, curve, jaw(curve.float(), fps)),
            ),
        ),
        "made up",
    )


def test_a_subject_that_does_what_people_do_is_perfect(lip_geometry: LipGeometry) -> None:
    report = evaluate([Subject("oracle", oracle)], people(25.0), lip_geometry, QUICK)
    assert report.value("oracle", "lip_correlation", "white house") == pytest.approx(1.0, abs=1e-6)
    assert report.value("oracle", "lip_lag", "white house") == 0.0
    assert report.value("oracle", "lip_vertex_error", "white house") == pytest.approx(0.0, abs=1e-4)
    assert report.value(GROUND_TRUTH, "lip_correlation", "white house") == pytest.approx(
        1.0, abs=1e-6
    )
    other_rate = evaluate([Subject("oracle", oracle)], people(29.97), lip_geometry, QUICK)
    assert other_rate.value("oracle", "lip_correlation", "white house") > 0.99


def test_a_late_subject_is_found_late(lip_geometry: LipGeometry) -> None:
    def late(audio: Audio, seed: int) -> Motion:
        motion = oracle(audio, seed)
        return concatenate([motion.slice(0, 3), motion.slice(0, -3)])

    report = evaluate([Subject("late", late)], people(25.0), lip_geometry, QUICK)
    assert report.value("late", "lip_lag", "white house") == pytest.approx(0.12)


def test_windows_that_do_not_fit_together_are_seen(lip_geometry: LipGeometry) -> None:
    def stream(audio: Audio, seed: int) -> Iterator[Motion]:
        motion = oracle(audio, seed)
        for start in range(0, motion.frames, 10):
            step = 0.3 * (start // 10 % 2)
            yield Motion(motion.values[start : start + 10] * (1 - step), motion.space)

    report = evaluate(
        [Subject("seams", oracle, stream), Subject("whole", oracle)],
        people(25.0),
        lip_geometry,
        QUICK,
    )
    assert report.value("seams", "seam_ratio", "long file, lips") > 1.15
    assert report.value("whole", "seam_ratio", "long file, lips") is None


def test_the_wrong_length_is_reported(lip_geometry: LipGeometry) -> None:
    report = evaluate(
        [Subject("short", lambda audio, seed: oracle(audio, seed).slice(0, -2))],
        people(25.0),
        lip_geometry,
        QUICK,
    )
    assert report.value("short", "length_error", "all clips") == 2.0


def test_the_compact_set_needs_no_folder(lip_geometry: LipGeometry, tmp_path: Path) -> None:
    material = load_held_out(tmp_path / "absent")
    assert (material.name, material.groups, len(material.clips)) == ("compact", ["librivox"], 5)
    assert sum(phone.label in "PBM" for clip in material.clips for phone in clip.phones) >= 25
    report = evaluate(
        [Subject("mean", mean_face), Subject("loudness", loudness_to_jaw)],
        material,
        lip_geometry,
        QUICK,
    )
    assert report.value("mean", "closure_recall", "librivox") == 0.0
    assert report.value("loudness", "closure_contrast", "librivox") > 0.2
    assert report.value("loudness", "stillness_peak", "silence") == 0.0
    assert GROUND_TRUTH not in report.subjects


def test_reports_can_be_written_read_and_shown(tmp_path: Path) -> None:
    report = Report(
        {"a": (Score("jerk_ratio", "x", 0.5, 2), Score("lip_lag", "x", float("nan"), 1))},
        {"material": "made up"},
    )
    read = json.loads(report.save(tmp_path / "deep" / "report.json").read_text())
    assert read["subjects"]["a"]["x"]["jerk_ratio"] == {
        "value": 0.5,
        "unit": "1",
        "region": "points as given",
        "better": "like ground truth",
        "clips": 2,
    }
    assert read["subjects"]["a"]["x"]["lip_lag"]["value"] is None
    assert [row[0] for row in report.rows()] == ["lip_lag", "jerk_ratio"]
    assert report.table().row_count == 2
    assert not list(tmp_path.rglob("*.part"))
    assert len(METRICS) == len(set(METRICS))


@pytest.mark.parametrize("names", [[], ["a", "a"], [GROUND_TRUTH]])
def test_subjects_need_names_of_their_own(lip_geometry: LipGeometry, names: list[str]) -> None:
    with pytest.raises(InputError, match="names"):
        evaluate([Subject(name, mean_face) for name in names], people(25.0), lip_geometry, QUICK)


@pytest.mark.parametrize(
    "wrong", [{"takes": 1}, {"silence_s": 0.1}, {"long_s": 0.0}, {"settle_s": 3.0}]
)
def test_impossible_amounts_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        EvaluationConfig(**wrong)  # type: ignore[arg-type]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="other_speakers"):
        load_held_out(tmp_path)
    (tmp_path / "other_speakers").mkdir()
    (tmp_path / "other_speakers" / "grid_abcdef.npz").write_bytes(b"not an archive")
    with pytest.raises(AssetError, match="cannot be read"):
        load_held_out(tmp_path)


@pytest.mark.parametrize("seconds", [0.001, 0.02, 1.0, 2.53])
def test_baselines_answer_every_length_exactly(seconds: float) -> None:
    for predict in (mean_face, loudness_to_jaw):
        motion = predict(chirp(seconds), 0)
        assert motion.frames == frame_count(seconds, 25.0)
        assert (
            0.0 <= float(motion["blendshapes"].min()) <= float(motion["blendshapes"].max()) <= 1.0
        )


def test_the_jaw_follows_loudness() -> None:
    sound = torch.cat([torch.zeros(16000), chirp(1.0).samples[0], torch.zeros(16000)])
    opening = loudness_to_jaw(Audio.mono(sound, 16000)).channel("blendshapes", "jawOpen")
    assert float(opening[:20].max()) == float(opening[-20:].max()) == 0.0
    assert float(opening[30:45].min()) == pytest.approx(0.3, abs=0.01)


def test_loudness_of_a_full_sine_is_minus_three_decibels() -> None:
    assert loudness_db(chirp(1.0), 25.0)[5:20].tolist() == pytest.approx([-3.01] * 15, abs=0.1)


def test_the_nearest_phone_shuts_the_mouth_at_some_closures() -> None:
    pytest.importorskip("pocketsphinx")
    clip = load_held_out().clips[0]
    motion = NearestPhone()(clip.audio, 0)
    assert motion.frames == frame_count(clip.audio.seconds, 25.0)
    opening = motion.channel("blendshapes", "jawOpen")
    assert float(opening.max()) > 0.3
    assert float(opening[:4].max()) < 0.05
    assert set(baselines()) == {"mean face", "loudness to jaw", "nearest phone"}


def test_the_long_file_has_its_length() -> None:
    assert long_audio(load_held_out().clips, 61.3).seconds == pytest.approx(61.3)


@pytest.mark.skipif(not (DATA / "other_speakers").is_dir(), reason="no tracked recordings")
def test_the_tracked_recordings_are_read(tmp_path: Path) -> None:
    (tmp_path / "other_speakers").symlink_to((DATA / "other_speakers").resolve())
    material = load_held_out(tmp_path)
    assert (material.name, material.groups) == (
        "only other_speakers",
        ["grid people", "web", "white house", "librivox"],
    )
    people = material.group("grid people")
    assert (len(people), len(material.group("white house"))) == (5, 4)
    for clip in (*people, *material.group("web"), *material.group("white house")):
        assert clip.tracked is not None
        assert (
            np.corrcoef(
                clip.tracked.motion.channel("blendshapes", "jawOpen"), clip.tracked.opening
            )[0, 1]
            > 0.7
        )
        assert float(clip.tracked.motion["head"].norm(dim=-1).max()) < 0.6
    assert all(clip.phones for clip in people)


def test_a_subject_is_told_the_text_where_it_is_known() -> None:
    known: list[str] = []

    def read(audio: Audio, seed: int, text: str) -> Motion:
        known.append(text)
        return mean_face(audio, seed)

    subject = Subject("with text", mean_face, predict_with_text=read)
    clip = load_held_out().clips[0]
    assert clip.text.startswith("and mister john")
    subject.motion_of(clip, 0)
    subject.motion_of(dataclasses.replace(clip, text=""), 0)
    Subject("without text", mean_face).motion_of(clip, 0)
    assert known == [clip.text]
