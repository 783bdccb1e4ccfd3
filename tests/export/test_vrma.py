"""VRMA files: their structure, and what three-vrm-animation plays from them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motet.body.skeleton import STANDING_HEIGHT_M, body_motion
from motet.export import write_clip
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.document import Document
from motet.export.vrma import SPOKEN, humanoid_bone
from motet.rigs.house.face_body import join
from motet.types import ARKIT_SHAPES, SMPLX25_JOINTS, SMPLX25_PARENTS, Clip, Motion, arkit_space

MODULES = Path(__file__).parents[2] / "studio" / "node_modules"
FRAMES, FPS = 50, 25.0
HEAD = (0.1, -0.3, 0.05)


def face() -> Motion:
    """A mouth that opens and closes, a wink, a look to the left, a turned head."""
    values = torch.zeros(FRAMES, 55)
    moving = 0.5 - 0.5 * torch.cos(torch.linspace(0, 4 * np.pi, FRAMES))
    values[:, ARKIT_SHAPES.index("jawOpen")] = 0.7 * moving
    values[:, ARKIT_SHAPES.index("eyeBlinkLeft")] = 0.8
    values[:, ARKIT_SHAPES.index("eyeLookOutLeft")] = 0.5
    values[:, ARKIT_SHAPES.index("eyeLookInRight")] = 0.5
    values[:, 52:] = torch.tensor(HEAD)
    return Motion(values, arkit_space(FPS))


def body() -> Motion:
    """A left arm that hangs down."""
    turns = np.zeros((FRAMES, len(SMPLX25_JOINTS), 3))
    turns[:, SMPLX25_JOINTS.index("left_shoulder"), 2] = -1.2
    matrices = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    rotations = torch.from_numpy(matrices.reshape(FRAMES, -1, 3, 3)).float()
    root = torch.tensor([[0.3, STANDING_HEIGHT_M, -0.2]]).expand(FRAMES, 3)
    return body_motion(root, rotations, FPS)


def extension(path: Path) -> dict[str, Any]:
    return read_glb(path)[0]["extensions"]["VRMC_vrm_animation"]


def test_a_face_has_expressions_gaze_and_head(tmp_path: Path) -> None:
    content = extension(write_clip(Clip(None, face()), tmp_path / "take.vrma"))
    assert content["specVersion"] == "1.0"
    assert set(content["expressions"]["preset"]) == set(SPOKEN)
    assert {"hips", "neck", "head"} <= set(content["humanoid"]["humanBones"])
    assert content["lookAt"]["node"] >= 0


def test_a_body_turns_bones_and_has_no_expressions(tmp_path: Path) -> None:
    path = write_clip(Clip(None, body()), tmp_path / "take.vrma")
    content, _ = read_glb(path)
    assert "expressions" not in extension(path)
    turned = {channel["target"]["node"] for channel in content["animations"][0]["channels"]}
    assert extension(path)["humanoid"]["humanBones"]["leftUpperArm"]["node"] in turned


def vrm(path: Path) -> Path:
    """A VRM 1 with a skeleton, all presets and one expression of its own, without a mesh."""
    document = Document()
    nodes: dict[str, int] = {}
    for joint, parent in zip(SMPLX25_JOINTS, SMPLX25_PARENTS, strict=True):
        bone = humanoid_bone(joint)
        if bone is None:
            continue
        place = [0.0, STANDING_HEIGHT_M if parent < 0 else 0.1, 0.0]
        nodes[bone] = document.add("nodes", {"name": joint, "translation": place})
        if parent >= 0:
            above = document.content["nodes"][nodes[str(humanoid_bone(SMPLX25_JOINTS[parent]))]]
            above.setdefault("children", []).append(nodes[bone])
    document.content |= {"scene": 0, "scenes": [{"nodes": [nodes["hips"]]}]}
    document.content["extensionsUsed"] = ["VRMC_vrm"]
    reach = {"inputMaxValue": 90.0, "outputScale": 10.0}
    ranges = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    document.content["extensions"] = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {
                "name": "test",
                "authors": ["motet"],
                "licenseUrl": "https://vrm.dev/licenses/1.0/",
            },
            "humanoid": {"humanBones": {bone: {"node": node} for bone, node in nodes.items()}},
            "expressions": {"preset": {name: {} for name in (*SPOKEN, "happy")}},
            "lookAt": {"type": "bone", **{f"rangeMap{name}": reach for name in ranges}},
        }
    }
    path.write_bytes(pack_glb(*document.finished()))
    return path


@pytest.mark.clients
@pytest.mark.skipif(not shutil.which("node") or not MODULES.is_dir(), reason="npm ci in studio/")
def test_three_vrm_animation_plays_face_and_body(tmp_path: Path) -> None:
    take = write_clip(Clip(None, join(face(), body())), tmp_path / "take.vrma")
    script = Path(__file__).parents[1] / "clients" / "vrma_read.mjs"
    words = ["node", script, MODULES, take, vrm(tmp_path / "avatar.vrm"), "0.48"]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    assert found["duration"] == pytest.approx((FRAMES - 1) / FPS, abs=0.01)
    assert found["expressions"]["blinkLeft"] == pytest.approx(0.8, abs=1e-3)
    assert found["expressions"]["blinkRight"] == pytest.approx(0.0, abs=1e-3)
    assert max(found["expressions"][vowel] for vowel in SPOKEN[:5]) > 0.3
    assert found["look"][0] > 5  # degrees to the avatar's left
    assert found["rest"] == pytest.approx([0, STANDING_HEIGHT_M, 0], abs=1e-3)
    arm = Rotation.from_quat(found["bones"]["leftUpperArm"]).as_rotvec()
    assert arm == pytest.approx([0, 0, -1.2], abs=1e-3)
    both = Rotation.from_quat(found["bones"]["head"])
    assert both.as_rotvec() == pytest.approx(HEAD, abs=1e-3)
