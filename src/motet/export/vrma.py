"""VRMA: animation for VRM avatars (`VRMC_vrm_animation` 1.0): expressions, gaze, head and body.

A VRM program sets expressions and normalised bones itself, so an animation of morph targets and
nodes in a plain GLB stays without effect there. A VRMA names them by their meaning and plays on
every VRM. A node stands for each expression (its weight is the node's translation along X), for the
gaze (the node's rotation) and for each bone. The reference skeleton is the house figure's, arms
stretched out, facing +Z.

Without an avatar the preset expressions are written, which every VRM has; with `avatar` those that
this avatar has, its custom ones included.

Source: https://github.com/vrm-c/vrm-specification, VRMC_vrm_animation-1.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.body.skeleton import STANDING_HEIGHT_M, house_offsets, local_rotations
from motet.errors import SpaceError
from motet.export.curves import continuous, euler_from_axis_angle, single_motion
from motet.export.glb import generator, making
from motet.export.gltf.bones import NECK_SHARE, eye_turns
from motet.export.gltf.container import pack_glb
from motet.export.gltf.document import Document
from motet.export.gltf.figure import add_animation
from motet.export.gltf.parts import Performance
from motet.export.gltf.profile import AvatarChannels
from motet.export.gltf.visemes import Weights
from motet.export.gltf.vocabulary import understood
from motet.export.options import ExportOptions
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, SMPLX25_JOINTS, SMPLX25_PARENTS, Clip, Motion

VOWELS = ("aa", "ih", "ou", "ee", "oh")
PRESETS = (
    "happy", "angry", "sad", "relaxed", "surprised", *VOWELS, "blink", "blinkLeft", "blinkRight",
    "neutral",
)  # fmt: skip
"""Preset expressions of VRM 1 that an animation may have; the gaze has a node of its own."""
SPOKEN = (*VOWELS, "blinkLeft", "blinkRight")
"""Those that are written for an unknown avatar."""
_VRM_0_PRESETS = {
    "a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh", "joy": "happy", "sorrow": "sad",
    "fun": "relaxed", "blink_l": "blinkLeft", "blink_r": "blinkRight",
}  # fmt: skip
_LOOKS = ("lookup", "lookdown", "lookleft", "lookright")
"""Expressions of the gaze, which has a node of its own here."""
_SIDED = {
    "collar": "Shoulder", "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand",
    "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot", "foot": "Toes",
}  # fmt: skip
_MIDDLE = {
    "pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest",
    "neck": "neck", "head": "head",
}  # fmt: skip
EYE_OFFSET_M = (0.0, 0.0355, 0.0707)
"""Middle of the eyes from the head joint, of the house figure."""

Quaternions = Float[np.ndarray, "frames 4"]


def humanoid_bone(joint: str) -> str | None:
    """The VRM bone of a joint of SMPL-X; None for the jaw and the eyes, which VRMA leaves out."""
    if joint in _MIDDLE:
        return _MIDDLE[joint]
    side, _, name = joint.partition("_")
    return f"{side}{_SIDED[name]}" if name in _SIDED else None


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the clip's motion.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: motion of neither a face nor a body.
        AssetError: the avatar of the options is not usable.
    """
    motion = single_motion(clip, "VRMA")
    face, body = split(motion)
    if face is None and body is None:
        raise SpaceError(f"a VRMA file holds a face or a body, not motion in {motion.space.name!r}")
    document = Document()
    document.content["asset"] = {
        "version": "2.0",
        "generator": generator(),
        "extras": {"motet": making(clip)},
    }
    turns, root = _turns(face, body)
    joints = _skeleton(document)
    expressions = {} if face is None else _expressions(face, options)
    nodes = {name: _child(document, joints["hips"], name) for name in expressions}
    if face is not None:
        joints["gaze"] = _child(document, joints["head"], "gaze", EYE_OFFSET_M)
        turns["gaze"] = _gaze(face)
    moves = {name: _along_x(curve) for name, curve in expressions.items()}
    if root is not None:
        moves["hips"] = root
    performance = Performance(motion.space.fps, {}, turns, moves)
    add_animation(document, performance, "take", {}, {**nodes, **joints})
    document.content["scenes"] = [{"nodes": [joints["hips"]]}]
    document.content["scene"] = 0
    document.content["extensionsUsed"] = ["VRMC_vrm_animation"]
    document.content["extensions"] = {"VRMC_vrm_animation": _extension(joints, nodes)}
    write_bytes(path, pack_glb(*document.finished()))
    options.report(motion.frames)


def _extension(joints: dict[str, int], expressions: dict[str, int]) -> dict[str, Any]:
    bones = {name: {"node": node} for name, node in joints.items() if name != "gaze"}
    listed: dict[str, dict[str, Any]] = {"preset": {}, "custom": {}}
    for name, node in expressions.items():
        listed["preset" if name in PRESETS else "custom"][name] = {"node": node}
    extension: dict[str, Any] = {"specVersion": "1.0", "humanoid": {"humanBones": bones}}
    if expressions:
        extension["expressions"] = {kind: named for kind, named in listed.items() if named}
    if "gaze" in joints:
        gaze = {"node": joints["gaze"], "offsetFromHeadBone": list(EYE_OFFSET_M)}
        extension["lookAt"] = gaze
    return extension


def _skeleton(document: Document) -> dict[str, int]:
    """Nodes of the humanoid bones at rest, by bone."""
    offsets = house_offsets().double().numpy()
    nodes: dict[str, int] = {}
    for joint, parent, offset in zip(SMPLX25_JOINTS, SMPLX25_PARENTS, offsets, strict=True):
        bone = humanoid_bone(joint)
        if bone is None:
            continue
        above = humanoid_bone(SMPLX25_JOINTS[parent]) if parent >= 0 else None
        translation = tuple(offset) if above else (0.0, STANDING_HEIGHT_M, 0.0)
        nodes[bone] = _child(document, nodes[above] if above else None, bone, translation)
    return nodes


def _child(
    document: Document,
    parent: int | None,
    name: str,
    translation: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> int:
    node = document.add("nodes", {"name": name, "translation": [float(v) for v in translation]})
    if parent is not None:
        document.content["nodes"][parent].setdefault("children", []).append(node)
    return node


def _turns(
    face: Motion | None, body: Motion | None
) -> tuple[dict[str, Quaternions], Float[np.ndarray, "frames 3"] | None]:
    """Local rotations by bone, and the path of the hips."""
    from scipy.spatial.transform import Rotation

    if body is None:
        assert face is not None
        head = face["head"].detach().double().cpu().numpy()
        shares = {"neck": NECK_SHARE, "head": 1.0 - NECK_SHARE}
        return {
            bone: continuous(Rotation.from_rotvec(share * head).as_quat())
            for bone, share in shares.items()
        }, None
    matrices = local_rotations(body).double().numpy()  # (frames, joints, 3, 3)
    turns = {}
    for index, joint in enumerate(SMPLX25_JOINTS):
        if (bone := humanoid_bone(joint)) is not None:
            turns[bone] = continuous(Rotation.from_matrix(matrices[:, index]).as_quat())
    if face is not None:
        head = face["head"].detach().double().cpu().numpy()
        both = Rotation.from_quat(turns["head"]) * Rotation.from_rotvec(head)
        turns["head"] = continuous(both.as_quat())
    return turns, body["root"].double().numpy()


def _expressions(face: Motion, options: ExportOptions) -> dict[str, Float[np.ndarray, " frames"]]:
    """Weights by expression, each within 0..1."""
    if options.avatar is not None:
        channels, values = AvatarChannels(options.avatar, options.avatar_map).curves(face)
        expressions = {
            _VRM_0_PRESETS.get(channel.name.lower(), channel.name): curve[:, 0]
            for channel, curve in zip(channels, values, strict=True)
            if channel.kind == "expression"
        }
        if not expressions:
            raise SpaceError(
                f"{options.avatar.name} has no VRM expressions that speak; write a .glb with it"
                " instead, or leave --avatar out"
            )
    else:
        expressions = dict(understood((), _weights(face), SPOKEN, fps=face.space.fps).curves)
    return {n: np.clip(w, 0, 1) for n, w in expressions.items() if n.lower() not in _LOOKS}


def _weights(face: Motion) -> Weights:
    return {
        name: face.channel("blendshapes", name).detach().cpu().numpy().astype(np.float64)
        for name in ARKIT_SHAPES
    }


def _gaze(face: Motion) -> Quaternions:
    """Rotation of the gaze against the head: the mean of both eyes, without roll."""
    from scipy.spatial.transform import Rotation

    weights = _weights(face)
    both = [euler_from_axis_angle(eye_turns(weights, side)) for side in ("Left", "Right")]
    angles = np.mean(both, axis=0)  # (frames, 3): yaw, pitch, roll
    angles[:, 2] = 0.0
    return continuous(Rotation.from_euler("YXZ", angles).as_quat())


def _along_x(curve: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames 3"]:
    return np.stack([curve, np.zeros_like(curve), np.zeros_like(curve)], axis=1)
