"""Neck and head bones of an avatar, and their rotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError
from motet.export.curves import continuous
from motet.export.gltf.inspection import entries, entry
from motet.export.gltf.vocabulary import plain

NECK_SHARE = 0.4
"""Fraction of the head's rotation that the neck takes, where there is one."""
_HEADS = ("head", "mixamorighead", "jbipchead", "ccbasehead", "bip01head", "defhead", "spine006")
_NECKS = (
    "neck", "mixamorigneck", "jbipcneck", "ccbasenecktwist01", "ccbaseneck", "bip01neck",
    "defneck", "neck1", "neck01",
)  # fmt: skip


def bone_nodes(content: dict[str, Any], path: Path) -> dict[str, tuple[int, float]]:
    """Nodes of `neck` and `head` with their fraction of the head's rotation; empty if unknown.

    VRM files name them; in others the bone's name decides, and only bones of a skin count (a mesh
    may be called `Head` too).

    Raises:
        AssetError: references that lead nowhere.
    """
    nodes = entries(content, "nodes", path)
    bones = _declared(content, path)
    if "head" not in bones:
        joints = [
            number
            for skin in entries(content, "skins", path)
            for number in _numbers(skin.get("joints"))
        ]
        candidates = [number for number in dict.fromkeys(joints) if 0 <= number < len(nodes)]
        spelled = {number: plain(str(nodes[number].get("name", ""))) for number in candidates}
        for bone, known in (("head", _HEADS), ("neck", _NECKS)):
            match = [
                number for name in known for number, spelling in spelled.items() if spelling == name
            ]
            if match:
                bones[bone] = match[0]
    for number in bones.values():
        entry(content, "nodes", number, path)
    if "head" not in bones:
        return {}
    if "neck" not in bones or bones["neck"] == bones["head"]:
        return {"head": (bones["head"], 1.0)}
    return {"neck": (bones["neck"], NECK_SHARE), "head": (bones["head"], 1.0 - NECK_SHARE)}


def turned(
    content: dict[str, Any],
    node: int,
    share: float,
    head: Float[np.ndarray, "frames 4"],
    path: Path,
) -> Float[np.ndarray, "frames 4"]:
    """Local rotations of a bone for a fraction of the head's rotation in the world.

    The rotation is about the world's axes, so it is transformed to the axes of the bone's parent.
    VRM 0 avatars face -Z.

    Raises:
        AssetError: the bone, or one above it, has an invalid matrix or rotation.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(Rotation.from_quat(head).as_rotvec() * share)
    extensions = content.get("extensions")
    if isinstance(extensions, dict) and "VRM" in extensions:
        half = Rotation.from_euler("Y", np.pi)
        turn = half * turn * half.inv()
    parent = Rotation.identity()
    for above in _ancestors(content, node, path):
        parent = _rotation(above, path) * parent
    own = _rotation(entries(content, "nodes", path)[node], path)
    return continuous((parent.inv() * turn * parent * own).as_quat())


def without_matrix(node: dict[str, Any], path: Path) -> None:
    """Replace a node's matrix by translation, rotation and scale, which can be animated.

    Raises:
        AssetError: the matrix is invalid.
    """
    if "matrix" in node:
        turn = _rotation(node, path)
        place, _, lengths = _decompose(node.pop("matrix"))
        node |= {
            "translation": place.tolist(),
            "rotation": turn.as_quat().tolist(),
            "scale": lengths.tolist(),
        }


def _decompose(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Translation, rotation and scale of a matrix of glTF (column-major)."""
    columns = np.array(matrix, np.float64).reshape(4, 4)
    lengths = np.sqrt((columns[:3, :3] ** 2).sum(axis=1))
    if not np.isfinite(columns).all() or not (lengths > 1e-12).all() or abs(columns).max() > 1e9:
        raise ValueError("a matrix without an inverse")
    axes = (columns[:3, :3] / lengths[:, None]).T
    if np.linalg.det(axes) < 0:
        axes, lengths = -axes, -lengths
    return columns[3, :3], axes, lengths


def _declared(content: dict[str, Any], path: Path) -> dict[str, int]:
    extensions = content.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    found: dict[str, Any] = {}
    for key in ("VRMC_vrm", "VRM"):
        extension = extensions.get(key)
        humanoid = extension.get("humanoid") if isinstance(extension, dict) else None
        bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if isinstance(bones, dict):
            found |= {
                name: bone.get("node") for name, bone in bones.items() if isinstance(bone, dict)
            }
        elif isinstance(bones, list):
            found |= {
                str(bone.get("bone")): bone.get("node") for bone in bones if isinstance(bone, dict)
            }
    return {
        name: found[name]
        for name in ("head", "neck")
        if name in found and entry(content, "nodes", found[name], path) is not None
    }


def _numbers(value: Any) -> list[int]:
    return (
        [number for number in value if isinstance(number, int)] if isinstance(value, list) else []
    )


def _ancestors(content: dict[str, Any], node: int, path: Path) -> list[dict[str, Any]]:
    """Nodes above one, nearest first."""
    nodes = entries(content, "nodes", path)
    above = {
        child: number for number, one in enumerate(nodes) for child in _numbers(one.get("children"))
    }
    found: list[dict[str, Any]] = []
    while node in above:
        node = above[node]
        if len(found) > len(nodes):
            raise AssetError(f"{path} is damaged: a bone is its own ancestor")
        found.append(nodes[node])
    return found


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
