"""Tables of visemes: the numbers of an avatar with these shapes, in files that others read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError, SpaceError
from motet.export import check_spaces, read_take, write_clip
from motet.export.viseme_curves import viseme_table
from motet.face.visemes import VISEMES, face_pose
from motet.types import Clip, Motion, arkit_space
from tests.export.takes import take

OCULUS = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou"]
VRM = ["aa", "ih", "ou", "ee", "oh"]


def held(viseme: str, frames: int = 6) -> Clip:
    """A take that holds the pose of a viseme."""
    values = np.zeros((frames, 55), np.float32)
    values[:, :52] = face_pose(VISEMES[viseme]) if viseme else 0.0
    return Clip(None, Motion(torch.from_numpy(values), arkit_space(25.0)))


@pytest.mark.parametrize(("ending", "names"), [("oculus", OCULUS), ("vrm", VRM)])
def test_csv_and_json_hold_the_same_weights(tmp_path: Path, ending: str, names: list[str]) -> None:
    clip = take(20)
    text = write_clip(clip, tmp_path / f"a.{ending}.csv").read_text()
    rows = list(csv.reader(text.splitlines()))
    content = json.loads(write_clip(clip, tmp_path / f"a.{ending}.JSON").read_text())
    assert rows[0] == ["time", *names] and content["visemes"] == names and content["fps"] == 25.0
    table = np.array(rows[1:], float)
    assert table[:, 1:] == pytest.approx(np.array(content["weights"]), abs=1e-9)
    assert table[:, 0] == pytest.approx(np.arange(20) / 25)
    assert table[:, 1:].min() >= 0 and table[:, 1:].max() <= 1 and table[:, 1:].std() > 0.01


@pytest.mark.parametrize(
    ("viseme", "column"),
    [("aa", "aa"), ("E", "E"), ("I", "ih"), ("O", "oh"), ("U", "ou"), ("SS", "SS"), ("", "sil")],
)
def test_the_pose_of_a_viseme_is_its_column(viseme: str, column: str) -> None:
    motion = held(viseme).motion
    assert motion is not None
    names, table = viseme_table(motion, "oculus")
    assert names[int(table[3].argmax())] == column and table[3].max() > 0.9


def test_the_vowels_of_vrm_have_its_names() -> None:
    motion = held("E").motion
    assert motion is not None
    names, table = viseme_table(motion, "vrm")
    assert list(names) == VRM and names[int(table[3].argmax())] == "ee"


def test_another_frame_rate_is_that_of_the_table(tmp_path: Path) -> None:
    path = write_clip(take(20), tmp_path / "a.vrm.json", fps=50.0)
    content = json.loads(path.read_text())
    assert content["fps"] == 50.0 and len(content["weights"]) == 40


def test_a_table_of_visemes_is_no_take_and_holds_no_body(tmp_path: Path) -> None:
    for ending in ("csv", "json"):
        path = write_clip(take(5), tmp_path / f"a.oculus.{ending}")
        with pytest.raises(AssetError, match="is not a"):
            read_take(path)
        with pytest.raises(SpaceError, match="holds a face"):
            check_spaces(path, ["smplx25"], "mospa")
