"""The Khronos validator, three.js and Blender on the figure and on an avatar."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motet.export import write_clip
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space
from tests.clients.browser import show
from tests.clients.programs import blender_python, node, node_module
from tests.export.avatars import avatar

pytestmark = [pytest.mark.clients, pytest.mark.slow]
FPS = 25


def speaking() -> Clip:
    """Half a second: the jaw opens and shuts, one eye blinks, the head turns to its left."""
    values = torch.zeros(13, 55)
    for frame in range(13):
        values[frame, ARKIT_SHAPES.index("jawOpen")] = 0.5 - 0.5 * math.cos(
            2 * math.pi * frame / 12
        )
        values[frame, ARKIT_SHAPES.index("eyeBlinkLeft")] = frame / 12
        values[frame, 53] = 0.4 * frame / 12
    return Clip(None, Motion(values, arkit_space(FPS)))


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(speaking(), tmp_path_factory.mktemp("figure") / "figure.glb")


@pytest.fixture(scope="module")
def animated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("avatar")
    names = ["jawOpen", "eyeBlink_L", *(name for name in ARKIT_SHAPES if name.startswith("mouth"))]
    return write_clip(
        speaking(), folder / "animated.glb", avatar=avatar(folder / "avatar.glb", names)
    )


def report(path: Path) -> dict[str, Any]:
    command = [
        node(),
        str(Path(__file__).with_name("validate.cjs")),
        str(node_module("gltf-validator")),
        str(path),
    ]
    return json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    )


def test_khronos_finds_nothing_to_say_about_the_figure(figure: Path) -> None:
    issues = report(figure)["issues"]
    assert [issues[kind] for kind in ("numErrors", "numWarnings", "numInfos")] == [0, 0, 0], issues[
        "messages"
    ]


def test_khronos_finds_no_fault_in_what_is_added_to_an_avatar(animated: Path) -> None:
    before, after = report(animated.with_name("avatar.glb"))["issues"], report(animated)["issues"]
    assert after["numErrors"] == after["numWarnings"] == 0, after["messages"]
    assert after["numInfos"] == before["numInfos"]


def test_three_shows_the_figure_speaking(figure: Path, tmp_path: Path) -> None:
    found = show(figure, [0.0, 0.24, 0.48], tmp_path)
    (name, seconds, _), *others = found["animations"]
    assert name == "take" and seconds == pytest.approx(12 / FPS) and not others
    start, middle, end = found["poses"]
    skin = next(mesh for mesh, weights in start["weights"].items() if len(weights) == 52)
    assert set(start["weights"][skin]) == set(ARKIT_SHAPES)
    assert [pose["weights"][skin]["jawOpen"] for pose in (start, middle, end)] == pytest.approx(
        [0, 1, 0], abs=1e-4
    )
    assert [
        pose["weights"][skin]["eyeBlinkLeft"] for pose in (start, middle, end)
    ] == pytest.approx([0, 0.5, 1], abs=1e-4)
    lower = next(mesh for mesh in start["vertices"] if mesh.startswith("teeth_lower"))
    upper = next(mesh for mesh in start["vertices"] if mesh.startswith("teeth_upper"))
    drop = [
        np.array(pose["vertices"][lower])[:, 1].mean()
        - np.array(pose["vertices"][upper])[:, 1].mean()
        for pose in (start, middle, end)
    ]
    assert drop[0] - drop[1] > 0.015 and abs(drop[2] - drop[0]) < 0.002
    turn = Rotation.from_quat(end["head"]) * Rotation.from_quat(start["head"]).inv()
    assert turn.as_rotvec() == pytest.approx([0, 0.4, 0], abs=2e-3)
    assert (tmp_path / "0.240.png").stat().st_size > 5_000


def test_three_shows_an_avatar_speaking(animated: Path, tmp_path: Path) -> None:
    start, middle = show(animated, [0.0, 0.24], tmp_path)["poses"]
    (weights,) = middle["weights"].values()
    assert weights["jawOpen"] == pytest.approx(1, abs=1e-4) and weights[
        "eyeBlink_L"
    ] == pytest.approx(0.5, abs=1e-4)
    assert (
        np.abs(np.array(*middle["vertices"].values()) - np.array(*start["vertices"].values())).max()
        > 0.005
    )


def test_blender_reads_the_figure(figure: Path) -> None:
    script = str(Path(__file__).with_name("blender_read.py"))
    run = subprocess.run(
        [blender_python(), script, str(figure), str(FPS), "0,6,12"],
        capture_output=True,
        text=True,
        timeout=400,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, run.stderr[-2000:]
    found = json.loads(lines[0].removeprefix("FOUND "))
    assert found["version"].startswith("4.5")
    # At the scene's frame rate every frame of the take is a frame of the scene.
    assert all(edges == pytest.approx([0, 12], abs=1e-3) for edges in found["actions"].values()), (
        found["actions"]
    )
    start, middle, end = found["poses"]
    assert set(ARKIT_SHAPES) <= set(start["keys"]["skin"])
    assert [pose["keys"]["skin"]["jawOpen"] for pose in found["poses"]] == pytest.approx(
        [0, 1, 0], abs=1e-4
    )
    assert [pose["keys"]["skin"]["eyeBlinkLeft"] for pose in found["poses"]] == pytest.approx(
        [0, 0.5, 1], abs=1e-4
    )
    # Blender's up is Z: a turn to the figure's left is about +Z.
    w, x, y, z = end["bones"]["head"]
    assert Rotation.from_quat([x, y, z, w]).as_rotvec() == pytest.approx([0, 0, 0.4], abs=2e-3)
    assert (
        np.array(middle["points"]["teeth_lower"])[:, 2].mean()
        < np.array(start["points"]["teeth_lower"])[:, 2].mean() - 0.015
    )
    motion = speaking().motion
    assert motion is not None
    rig = load_house()
    expected = rig.shaped().posed(motion).vertices[6][rig.part("teeth_lower").vertices].numpy()
    blender = np.array(middle["points"]["teeth_lower"])
    assert (
        np.sort(blender[:, 2].round(3)).min() >= expected[:, 1].min() - 1e-3
        and blender[:, 2].max() <= expected[:, 1].max() + 1e-3
    )
