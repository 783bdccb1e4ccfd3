"""Bodies on users' rigs: Mixamo, VRM, any axes, any rest pose; BVH with other joint names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motet.body.skeleton import body_motion, house_offsets, pose_body
from motet.errors import AssetError
from motet.export import read_take, write_clip
from motet.export.gltf.avatar import animated_avatar, inspect_avatar
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.humanoid import hanging_arms
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS, Clip, Motion
from tests.export.takes import take

MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck",
    "head": "Head", "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
}  # fmt: skip
UNREAL = {
    "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03",
    "neck": "neck_01", "head": "head", "collar": "clavicle", "shoulder": "upperarm",
    "elbow": "lowerarm", "wrist": "hand", "hip": "thigh", "knee": "calf", "ankle": "foot",
    "foot": "ball",
}  # fmt: skip


def moving_body(frames: int = 9) -> Motion:
    random = torch.Generator().manual_seed(4)
    turns = (
        0.5 * torch.randn(1, 25, 3, generator=random) * torch.linspace(0, 1, frames).view(-1, 1, 1)
    )
    root = torch.tensor([0.0, 0.9, 0.0]) + torch.linspace(0, 1, frames).view(-1, 1)
    return body_motion(root, matrix_from_axis_angle(turns))


def rig_name(joint: str, names: dict[str, str], style: str) -> str:
    side, _, part = joint.rpartition("_")
    if style == "mixamo":
        return f"mixamorig:{side.capitalize()}{names[part]}"
    return names[part] + (f"_{side[0]}" if side else "")


def rig(
    style: str, *, scale: float = 1.0, drop_deg: float = 0.0, turned: float = 0.0
) -> tuple[dict[str, Any], dict[str, int]]:
    """A rig like the house skeleton with hanging arms, its own bone axes, scale and direction."""
    names = {"mixamo": MIXAMO, "unreal": UNREAL}[style]
    kept = [name for name in SMPLX25_JOINTS if name.rpartition("_")[2] in names]
    # World rotations of the rest pose against the house's: arms dropped, everything turned.
    facing = Rotation.from_euler("Y", turned, degrees=True)
    pose = {name: Rotation.identity() for name in kept}
    for side, sign in (("left", -1), ("right", 1)):
        for part in ("shoulder", "elbow", "wrist"):
            pose[f"{side}_{part}"] = Rotation.from_euler("Z", sign * drop_deg, degrees=True)
    axes = {name: Rotation.random(random_state=k) for k, name in enumerate(kept)}
    world = {name: facing * pose[name] * axes[name] for name in kept}
    offsets, place = house_offsets().double().numpy(), {"pelvis": np.array([0.0, 0.9095, 0.0])}
    nodes: list[dict[str, Any]] = [{"name": "Armature", "scale": [scale] * 3, "children": [1]}]
    numbers = {name: k + 1 for k, name in enumerate(kept)}
    for name in kept:
        node: dict[str, Any] = {"name": rig_name(name, names, style), "children": []}
        parent = SMPLX25_JOINTS[SMPLX25_PARENTS[SMPLX25_JOINTS.index(name)]]
        if name == "pelvis":
            local, offset = world[name], place[name] / scale
        else:
            turn = facing * pose[parent]
            place[name] = place[parent] + turn.apply(offsets[SMPLX25_JOINTS.index(name)])
            local = world[parent].inv() * world[name]
            offset = world[parent].inv().apply(place[name] - place[parent]) / scale
            nodes[numbers[parent]]["children"].append(numbers[name])
        nodes.append(node | {"rotation": local.as_quat().tolist(), "translation": offset.tolist()})
    content = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": nodes,
        "skins": [{"joints": list(numbers.values())}],
    }  # fmt: skip
    return content, numbers


def played(data: bytes, tmp_path: Path, frame: int) -> dict[str, np.ndarray]:
    """World positions of the nodes of an animated file in one frame, by name."""
    (tmp_path / "made.glb").write_bytes(data)
    content, binary = read_glb(tmp_path / "made.glb")
    nodes = json.loads(json.dumps(content["nodes"]))
    take = content["animations"][0]
    for channel in take["channels"]:
        accessor = content["accessors"][take["samplers"][channel["sampler"]]["output"]]
        view = content["bufferViews"][accessor["bufferView"]]
        width = {"VEC3": 3, "VEC4": 4, "SCALAR": 1}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        values = np.frombuffer(binary, np.float32, accessor["count"] * width, start)
        node = nodes[channel["target"]["node"]]
        node[channel["target"]["path"]] = values.reshape(-1, width)[frame]
    places: dict[str, np.ndarray] = {}

    def walk(number: int, above: np.ndarray) -> None:
        node, local = nodes[number], np.eye(4)
        local[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
        local[:3, :3] *= np.array(node.get("scale", [1, 1, 1]))
        local[:3, 3] = node.get("translation", [0, 0, 0])
        places[node["name"]] = (above @ local)[:3, 3]
        for child in node.get("children", ()):
            walk(child, above @ local)

    walk(0, np.eye(4))
    return places


@pytest.mark.parametrize(
    ("style", "scale", "drop_deg", "turned"),
    [("mixamo", 0.01, 0.0, 0.0), ("mixamo", 1.0, 50.0, 0.0), ("unreal", 1.0, 40.0, 180.0)],
)
def test_limbs_of_any_rig_go_where_those_of_the_take_go(
    style: str, scale: float, drop_deg: float, turned: float, tmp_path: Path
) -> None:
    content, numbers = rig(style, scale=scale, drop_deg=drop_deg, turned=turned)
    (tmp_path / "rig.glb").write_bytes(pack_glb(content, b"\0" * 4))
    body = moving_body()
    data, _ = animated_avatar(tmp_path / "rig.glb", body, {})
    facing = Rotation.from_euler("Y", turned, degrees=True)
    truth = pose_body(body).positions.double().numpy()
    names = {name: content["nodes"][node]["name"] for name, node in numbers.items()}
    for frame in (0, 8):
        found = played(data, tmp_path, frame)
        for name in numbers:
            expected = facing.apply(truth[frame, SMPLX25_JOINTS.index(name)])
            np.testing.assert_allclose(found[names[name]], expected, atol=2e-3, err_msg=name)


def test_arms_hang_beside_a_face_that_speaks(tmp_path: Path) -> None:
    content, numbers = rig("mixamo")
    jaw = {"name": "Jaw", "translation": [0.0, 0.02, 0.05]}
    content["nodes"].append(jaw)
    number = len(content["nodes"]) - 1
    content["nodes"][numbers["head"]]["children"].append(number)
    content["skins"][0]["joints"].append(number)
    (tmp_path / "rig.glb").write_bytes(pack_glb(content, b"\0" * 4))
    data, report = animated_avatar(tmp_path / "rig.glb", take(10, 25.0).motion, {})
    assert report.mouth == "the jaw bone"
    for frame in (0, 9):
        found = played(data, tmp_path, frame)
        for side in ("Left", "Right"):
            arm = found[f"mixamorig:{side}Hand"] - found[f"mixamorig:{side}Arm"]
            assert arm[1] < -0.9 * np.linalg.norm(arm)


def test_the_report_names_the_bones_and_needs_no_mouth_for_a_body(tmp_path: Path) -> None:
    content, numbers = rig("mixamo")
    path = tmp_path / "rig.glb"
    path.write_bytes(pack_glb(content, b"\0" * 4))
    report = inspect_avatar(path, has_face=False)
    assert len(report.body) == len(numbers) and report.lines()[-1].startswith(
        "bones of a body (22)"
    )
    with pytest.raises(AssetError, match="no mouth"):
        inspect_avatar(path)
    for node in content["nodes"]:
        node["name"] = node["name"].replace("UpLeg", "Tentacle")
    path.write_bytes(pack_glb(content, b"\0" * 4))
    with pytest.raises(AssetError, match="no body that can move"):
        inspect_avatar(path, has_face=False)
    with pytest.raises(AssetError, match="no body that can move"):
        animated_avatar(path, moving_body(), {})


def test_vrm_bones_are_taken_as_declared(tmp_path: Path) -> None:
    content, numbers = rig("mixamo")
    sided = {
        "collar": "Shoulder", "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand",
        "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot", "foot": "Toes",
    }  # fmt: skip
    bones = {"head": {"node": numbers["head"]}, "neck": {"node": numbers["neck"]}}
    for name, node in numbers.items():
        side, _, part = name.rpartition("_")
        if part in sided and side:
            bones[f"{side}{sided[part]}"] = {"node": node}
    for node in content["nodes"]:
        node["name"] = f"J_{len(node['name'])}"
    content["extensions"] = {"VRMC_vrm": {"humanoid": {"humanBones": bones}}}
    (tmp_path / "rig.vrm").write_bytes(pack_glb(content, b"\0" * 4))
    assert len(inspect_avatar(tmp_path / "rig.vrm", has_face=False).body) == len(numbers)


@pytest.mark.parametrize("names", ["mixamo", "cmu"])
def test_bvh_has_the_names_that_its_file_name_asks_for(names: str, tmp_path: Path) -> None:
    body = moving_body()
    path = write_clip(Clip(None, body), tmp_path / f"take.{names}.bvh")
    text = path.read_text()
    first = {"mixamo": "mixamorig:LeftForeArm", "cmu": "LowerBack"}[names]
    assert first in text and "jaw" not in text and "left_eye" not in text
    back = read_take(path).motion
    assert back is not None
    kept = [k for k, name in enumerate(SMPLX25_JOINTS) if "eye" not in name and name != "jaw"]
    torch.testing.assert_close(
        pose_body(back).positions[:, kept], pose_body(body).positions[:, kept], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("style", "drop_deg", "turned", "lowered"),
    [("mixamo", 0.0, 0.0, True), ("unreal", 20.0, 180.0, True), ("unreal", 75.0, 0.0, False)],
)
def test_arms_that_rest_stretched_out_hang(
    tmp_path: Path, style: str, drop_deg: float, turned: float, lowered: bool
) -> None:
    content, numbers = rig(style, drop_deg=drop_deg, turned=turned)
    found = hanging_arms(content, tmp_path / "rig.glb")
    assert sorted(found) == (["leftUpperArm", "rightUpperArm"] if lowered else [])
    for side in ("left", "right") if lowered else ():
        node, turn = found[f"{side}UpperArm"]
        assert node == numbers[f"{side}_shoulder"]
        outwards = {"left": 1.0, "right": -1.0}[side]
        facing = Rotation.from_euler("Y", turned, degrees=True)
        dropped = Rotation.from_euler("Z", -outwards * drop_deg, degrees=True)
        joint = SMPLX25_JOINTS.index(f"{side}_elbow")
        rest = (facing * dropped).apply(house_offsets()[joint].double().numpy())
        now = facing.inv().apply(Rotation.from_rotvec(turn).apply(rest))
        direction = now / np.linalg.norm(now)
        np.testing.assert_allclose(
            direction, np.array([outwards * 0.22, -1, 0]) / 1.0239, atol=1e-3
        )
