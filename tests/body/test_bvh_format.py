"""BVH as text: trees, channel orders, damage."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from motet.body.bvh_format import Bvh, BvhJoint, read_bvh, write_text
from motet.errors import AssetError

SMALL = """HIERARCHY
ROOT hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT arm
  {
    OFFSET 10 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333333
0 90 0 90 0 0 0 0 0
1 90 0 0 0 90 0 0 0
"""


def test_a_tree_is_read_and_stands_where_it_says(tmp_path) -> None:
    for path, text in (
        (tmp_path / "a.bvh", SMALL.encode()),
        (tmp_path / "a.bvh.gz", gzip.compress(SMALL.encode())),
    ):
        path.write_bytes(text)
        bvh = read_bvh(path)
        assert bvh.names == ("hips", "arm") and bvh.parents == (-1, 0)
        _, places = bvh.world()
        # A quarter turn about Z takes the arm from +X to +Y; about Y to -Z.
        np.testing.assert_allclose(
            places, [[[0, 90, 0], [0, 100, 0]], [[1, 90, 0], [1, 90, -10]]], atol=1e-9
        )


def test_what_is_written_is_read_back(tmp_path) -> None:
    random = np.random.default_rng(0)
    joints = (
        BvhJoint(
            "a",
            -1,
            (0.0, 0, 0),
            ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation"),
        ),
        BvhJoint("b", 0, (1.0, 2, 3), ("Yrotation", "Xrotation", "Zrotation"), (0.0, 1, 0)),
    )
    bvh = Bvh(joints, random.normal(size=(7, 9)) * 50, 1 / 30)
    (tmp_path / "b.bvh").write_text(write_text(bvh))
    back = read_bvh(tmp_path / "b.bvh")
    assert back.joints == joints and abs(back.frame_time_s - 1 / 30) < 1e-10
    np.testing.assert_allclose(back.frames, bvh.frames, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("HIERARCHY", ""),
        ("MOTION", ""),
        ("Frames: 2", "Frames: 3"),
        ("Frames: 2", "Frames: -1"),
        ("0.0333333333", "0"),
        ("Zrotation Xrotation", "Zrotation Wrotation"),
        ("1 90 0 0", "nan 90 0 0"),
        ("}\nMOTION", "MOTION"),
        ("OFFSET 10 0 0", "OFFSET 10 x 0"),
        ("OFFSET 10 0 0", "OFFSET 10 1e999 0"),
        ("ROOT", "JOINT x\n{\n}\nROOT"),
    ],
)
def test_damage_is_told(tmp_path, old: str, new: str) -> None:
    (tmp_path / "c.bvh").write_text(SMALL.replace(old, new, 1))
    with pytest.raises(AssetError, match=r"c\.bvh"):
        read_bvh(tmp_path / "c.bvh")


def test_broken_and_endless_archives_are_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "d.bvh.gz").write_bytes(gzip.compress(SMALL.encode())[:-20])
    with pytest.raises(AssetError, match="cannot be read"):
        read_bvh(tmp_path / "d.bvh.gz")
    monkeypatch.setattr("motet.body.bvh_format.MAX_CHARACTERS", 100)
    (tmp_path / "e.bvh.gz").write_bytes(gzip.compress(SMALL.encode()))
    with pytest.raises(AssetError, match="refused"):
        read_bvh(tmp_path / "e.bvh.gz")


def test_a_missing_file_is_told(tmp_path) -> None:
    with pytest.raises(AssetError, match="cannot be read"):
        read_bvh(tmp_path / "no.bvh")
