"""The Khronos validator and Blender on bodies: every joint where it should be, every rotation
compared as a number."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motet.body.skeleton import pose_body
from motet.export import write_clip
from motet.rigs.house.body import load_house_body
from motet.rigs.house.face_body import join
from motet.types import SMPLX25_JOINTS, Clip
from tests.clients.programs import blender_python
from tests.clients.test_glb_clients import report
from tests.export.takes import take
from tests.export.test_body import body

pytestmark = [pytest.mark.clients, pytest.mark.slow]
TO_BLENDER = Rotation.from_euler("x", 90, degrees=True)
"""Blender's up is Z: our (x, y, z) stands at (x, -z, y)."""
FRAMES = [0, 5, 11]


def blender(path: Path) -> list[dict[str, Any]]:
    script = str(Path(__file__).with_name("blender_read_body.py"))
    run = subprocess.run(
        [blender_python(), script, str(path), "30", ",".join(map(str, FRAMES))],
        capture_output=True,
        text=True,
        timeout=400,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, run.stderr[-2000:]
    return json.loads(lines[0].removeprefix("FOUND "))["poses"]


def differences(found: dict[str, Any], place: np.ndarray, turn: np.ndarray) -> tuple[float, float]:
    """Metres, degrees."""
    far = np.linalg.norm(np.array(found["place"]) - TO_BLENDER.apply(place))
    expected = TO_BLENDER * Rotation.from_matrix(turn) * TO_BLENDER.inv()
    return float(far), float(
        np.degrees((Rotation.from_quat(found["turn"]).inv() * expected).magnitude())
    )


def test_khronos_finds_nothing_to_say_about_a_body(tmp_path: Path) -> None:
    talk = take(10, 25.0).motion
    assert talk is not None
    for number, motion in enumerate((body(), join(talk, body()))):
        issues = report(write_clip(Clip(None, motion), tmp_path / f"{number}.glb"))["issues"]
        assert [issues[kind] for kind in ("numErrors", "numWarnings", "numInfos")] == [
            0,
            0,
            0,
        ], issues["messages"]


def test_blender_reads_the_bvh_as_it_is_meant(tmp_path: Path) -> None:
    motion = body()
    pose = pose_body(motion)
    for frame, found in zip(
        FRAMES, blender(write_clip(Clip(None, motion), tmp_path / "a.bvh")), strict=True
    ):
        for joint, name in enumerate(SMPLX25_JOINTS):
            far, turned = differences(
                found[name],
                pose.positions[frame, joint].numpy(),
                pose.rotations[frame, joint].numpy(),
            )
            assert far < 1e-4 and turned < 0.05, (name, frame, far, turned)


def test_blender_reads_the_skeleton_of_the_glb_as_it_is_meant(tmp_path: Path) -> None:
    motion = body(size=0.4)
    figure = load_house_body()
    transforms = figure.transforms(motion).numpy()
    for frame, found in zip(
        FRAMES, blender(write_clip(Clip(None, motion), tmp_path / "a.glb")), strict=True
    ):
        for joint, name in enumerate(figure.rig.joint_names):
            place = (
                transforms[frame, joint, :, :3] @ figure.shaped.joints[joint].numpy()
                + transforms[frame, joint, :, 3]
            )
            far, turned = differences(found[name], place, transforms[frame, joint, :, :3])
            assert far < 1e-3 and turned < 0.1, (name, frame, far, turned)
