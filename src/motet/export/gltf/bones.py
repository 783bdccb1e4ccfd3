"""Neck, head, jaw and eye bones of an avatar, and their rotations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError, ConfigError, nearest
from motet.export.curves import axis_angle_from_euler, continuous
from motet.export.gltf.inspection import entries, entry
from motet.export.gltf.names import side_last, without_namespace, words
from motet.export.gltf.visemes import Weights
from motet.types import EYE_FULL_RAD

NECK_SHARE = 0.4
"""Fraction of the head's rotation that the neck takes, where there is one."""
JAW_ANGLE, JAW_SIDE_ANGLE = 0.40, 0.12
"""Rotation of a jaw bone at full weight of `jawOpen` and of `jawLeft`, radians."""
_STARTS = frozenset(
    (
        "mixamorig", "def", "deform", "org", "bip", "j", "c", "cc", "base", "rig", "facial", "face",
        "armature", "character", "adj", "bind", "sk",
    )
)  # fmt: skip
_ENDS = frozenset(
    (
        "jnt", "jt", "joint", "bone", "bind", "skin", "sk", "m", "x", "c", "mid", "center",
        "centre",
    )
)  # fmt: skip
_KNOWN = {
    "head": {"head", "頭"},
    "neck": {"neck", "necktwist", "necklower", "neckupper", "首"},
    "jaw": {"jaw", "jawbone", "jawroot", "lowerjaw", "mandible", "顎", "あご"},
    "leftEye": {"eyeleft", "eyeballleft", "faceeyeleft", "左目"},
    "rightEye": {"eyeright", "eyeballright", "faceeyeright", "右目"},
}
_VRM_BONES = tuple(_KNOWN)


def bone_nodes(
    content: dict[str, Any], path: Path, by_hand: Mapping[str, str | None] | None = None
) -> dict[str, int]:
    """Nodes of `neck`, `head`, `jaw`, `leftEye` and `rightEye`, as far as there are any.

    VRM files name them; in others the bone's name decides, and only bones of a skin count (a mesh
    may be called `Head` too). Without any skin, nodes without a mesh count.

    Args:
        by_hand: names of nodes; None for a bone that is left still.

    Raises:
        AssetError: references that lead nowhere.
        ConfigError: there is no node of a name given by hand.
    """
    by_hand = by_hand or {}
    nodes = entries(content, "nodes", path)
    named = {str(node.get("name", "")): number for number, node in reversed([*enumerate(nodes)])}
    bones = declared_bones(content, path, _VRM_BONES)
    if "head" not in bones:
        bones = _by_name(content, path) | bones
    for bone, name in by_hand.items():
        bones.pop(bone, None)
        if name is not None and name not in named:
            raise ConfigError(f"the avatar has no bone {name[:40]!r}; {nearest(name, named)}")
        if name is not None:
            bones[bone] = named[name]
    if bones.get("neck") == bones.get("head"):
        bones.pop("neck", None)
    return {bone: bones[bone] for bone in ("neck", *_KNOWN) if bone in bones}


def _by_name(content: dict[str, Any], path: Path) -> dict[str, int]:
    """Bones by their names in the rigs of Rigify, Biped, Mixamo, MMD and others."""
    bones = bones_by_spelling(content, path, _KNOWN)
    return bones if "head" in bones else bones | _rigify_spine(content, path)


def bones_by_spelling(
    content: dict[str, Any], path: Path, known: Mapping[str, Collection[str]]
) -> dict[str, int]:
    """Bones whose names, without a rig's prefixes and numbers and with the side last, are known."""
    names = _bone_names(content, path)
    bones: dict[str, int] = {}
    # `Neck` before `Neck1`, whatever their order.
    for number in sorted(names, key=lambda number: len(names[number])):
        spelling = side_last(_stripped(names[number]))
        for bone, spellings in known.items():
            if spelling in spellings:
                bones.setdefault(bone, number)
    return bones


def _bone_names(content: dict[str, Any], path: Path) -> dict[int, str]:
    """Names of the joints of all skins; without any skin, of the nodes without a mesh."""
    nodes = entries(content, "nodes", path)
    skins = entries(content, "skins", path)
    joints = [number for skin in skins for number in _numbers(skin.get("joints"))]
    if not skins:
        joints = [number for number, node in enumerate(nodes) if "mesh" not in node]
    return {
        number: str(nodes[number].get("name", ""))
        for number in dict.fromkeys(joints)
        if 0 <= number < len(nodes)
    }


def _stripped(name: str) -> tuple[str, ...]:
    parts = words(without_namespace(name))
    while len(parts) > 1 and (parts[0] in _STARTS or parts[0].isdigit()):
        parts = parts[1:]
    while len(parts) > 1 and (parts[-1] in _ENDS or parts[-1].isdigit()):
        parts = parts[:-1]
    return parts


def _rigify_spine(content: dict[str, Any], path: Path) -> dict[str, int]:
    """Rigify calls the head `DEF-spine.006`, and the bones of the neck below it alike."""
    names = _bone_names(content, path)
    spine = {number: words(name)[-2:] for number, name in names.items()}
    head = next((number for number, parts in spine.items() if parts == ("spine", "006")), None)
    if head is None:
        return {}
    nodes = entries(content, "nodes", path)
    below = [number for number in spine if head in _numbers(nodes[number].get("children"))]
    is_neck = below and spine[below[0]][:1] == ("spine",)
    return {"head": head, "neck": below[0]} if is_neck else {"head": head}


def jaw_turns(weights: Weights) -> Float[np.ndarray, "frames 3"]:
    """Rotation of a jaw bone, axis-angle; a mouth that is closed over an open jaw stays closed."""
    opening = np.maximum(weights["jawOpen"] - weights["mouthClose"], 0) * JAW_ANGLE
    side = (weights["jawLeft"] - weights["jawRight"]) * JAW_SIDE_ANGLE
    return np.stack([opening, side, np.zeros_like(opening)], axis=1)


def eye_turns(weights: Weights, side: str) -> Float[np.ndarray, "frames 3"]:
    """Rotation of the `Left` or `Right` eye for the look shapes, axis-angle."""
    turn = {end: weights[f"eyeLook{end}{side}"] * full for end, full in EYE_FULL_RAD.items()}
    yaw = (turn["Out"] - turn["In"]) * (1 if side == "Left" else -1)
    pitch = turn["Down"] - turn["Up"]
    return axis_angle_from_euler(np.stack([yaw, pitch, np.zeros_like(yaw)], axis=1))


def turned(
    content: dict[str, Any], node: int, turns: Float[np.ndarray, "frames 3"], path: Path
) -> Float[np.ndarray, "frames 4"]:
    """Local rotations of a bone, quaternions, for rotations in the world, axis-angle.

    The rotation is about the world's axes, so it is transformed to the axes of the bone's parent.
    VRM 0 avatars face -Z.

    Raises:
        AssetError: the bone, or one above it, has an invalid matrix or rotation.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(turns)
    extensions = content.get("extensions")
    if isinstance(extensions, dict) and "VRM" in extensions:
        # VRM 0 faces -Z: rotations are given for a face that looks along +Z.
        half = Rotation.from_euler("Y", np.pi)
        turn = half * turn * half.inv()
    parent = Rotation.identity()
    nodes = entries(content, "nodes", path)
    for above in ancestors(content, node, path):
        # From the root down: world rotation of the bone's parent at rest.
        parent = _rotation(nodes[above], path) * parent
    own = _rotation(nodes[node], path)
    # R_local = P^-1 R_world P R_rest: the rotation in the world, seen from the parent, on top of
    # the rest pose.
    return continuous((parent.inv() * turn * parent * own).as_quat())


def without_matrix(node: dict[str, Any], path: Path) -> None:
    """Replace a node's matrix by translation, rotation and scale, which can be animated.

    Raises:
        AssetError: the matrix is invalid.
    """
    if "matrix" in node:
        turn = _rotation(node, path)
        translation, _, lengths = _decompose(node.pop("matrix"))
        node |= {
            "translation": translation.tolist(),
            "rotation": turn.as_quat().tolist(),
            "scale": lengths.tolist(),
        }


def decompose(
    node: dict[str, Any], path: Path
) -> tuple[Float[np.ndarray, "3"], Any, Float[np.ndarray, "3"]]:
    """Translation, rotation (of SciPy) and scale of a node at rest.

    Raises:
        AssetError: they are invalid.
    """
    turn = _rotation(node, path)
    if "matrix" in node:
        translation, _, lengths = _decompose(node["matrix"])
        return translation, turn, lengths
    try:
        translation = np.array(node.get("translation", (0, 0, 0)), np.float64)
        lengths = np.array(node.get("scale", (1, 1, 1)), np.float64)
        is_sound = translation.shape == lengths.shape == (3,) and bool(
            np.isfinite([translation, lengths]).all() and np.abs([translation, lengths]).max() < 1e9
        )
    except (ValueError, TypeError, OverflowError):
        is_sound = False
    if not is_sound:
        raise AssetError(f"{path} is damaged: a bone with an invalid translation or scale")
    return translation, turn, lengths


def _decompose(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Translation, rotation and scale of a matrix of glTF (column-major)."""
    columns = np.array(matrix, np.float64).reshape(4, 4)  # row k is column k of the matrix
    lengths = np.sqrt((columns[:3, :3] ** 2).sum(axis=1))
    if not np.isfinite(columns).all() or not (lengths > 1e-12).all() or abs(columns).max() > 1e9:
        raise ValueError("a matrix without an inverse")
    axes = (columns[:3, :3] / lengths[:, None]).T
    # A mirrored matrix: the mirror goes into the scale, a rotation remains.
    if np.linalg.det(axes) < 0:
        axes, lengths = -axes, -lengths
    return columns[3, :3], axes, lengths


def declared_bones(content: dict[str, Any], path: Path, names: Collection[str]) -> dict[str, int]:
    """Nodes of the bones that a VRM file names itself.

    Raises:
        AssetError: references that lead nowhere.
    """
    extensions = content.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    declared: dict[str, Any] = {}
    for key in ("VRMC_vrm", "VRM"):
        extension = extensions.get(key)
        humanoid = extension.get("humanoid") if isinstance(extension, dict) else None
        bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if isinstance(bones, dict):
            declared |= {
                name: bone.get("node") for name, bone in bones.items() if isinstance(bone, dict)
            }
        elif isinstance(bones, list):
            declared |= {
                str(bone.get("bone")): bone.get("node") for bone in bones if isinstance(bone, dict)
            }
    return {
        name: declared[name]
        for name in names
        if name in declared and entry(content, "nodes", declared[name], path) is not None
    }


def _numbers(value: Any) -> list[int]:
    return (
        [number for number in value if isinstance(number, int)] if isinstance(value, list) else []
    )


def ancestors(content: dict[str, Any], node: int, path: Path) -> list[int]:
    """Nodes above one, nearest first.

    Raises:
        AssetError: a bone is its own ancestor.
    """
    nodes = entries(content, "nodes", path)
    above = {
        child: number for number, one in enumerate(nodes) for child in _numbers(one.get("children"))
    }
    chain: list[int] = []
    while node in above:
        node = above[node]
        if len(chain) > len(nodes):
            raise AssetError(f"{path} is damaged: a bone is its own ancestor")
        chain.append(node)
    return chain


def _rotation(node: dict[str, Any], path: Path) -> Any:
    from scipy.spatial.transform import Rotation

    try:
        if "matrix" in node:
            return Rotation.from_matrix(_decompose(node["matrix"])[1])
        turn = np.array(node.get("rotation", (0, 0, 0, 1)), np.float64)
        if turn.shape != (4,) or not 1e-6 < float(np.abs(turn).max()) < 1e6:
            raise ValueError(f"shape {turn.shape}")
        return Rotation.from_quat(turn)
    except (ValueError, TypeError, OverflowError, np.linalg.LinAlgError) as error:
        raise AssetError(f"{path} is damaged: a bone with an invalid rotation") from error
