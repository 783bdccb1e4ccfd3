"""Checked access to the JSON of an untrusted glTF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.errors import AssetError

MAX_ENTRIES = 100_000

Binds = list[tuple[int, int, float]]
"""(node, morph target, weight) that an expression moves."""


def entries(content: dict[str, Any], kind: str, path: Path) -> list[dict[str, Any]]:
    """One of the lists of a document; empty when there is none.

    Raises:
        AssetError: it is not a list of objects, or absurdly long.
    """
    found = content.get(kind, [])
    if (
        not isinstance(found, list)
        or len(found) > MAX_ENTRIES
        or not all(isinstance(entry, dict) for entry in found)
    ):
        raise AssetError(f"{path} is damaged: its {kind} are not a list of objects")
    return found


def entry(content: dict[str, Any], kind: str, number: Any, path: Path) -> dict[str, Any]:
    """One entry of a list by its index.

    Raises:
        AssetError: there is no such entry.
    """
    found = entries(content, kind, path)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(found):
        raise AssetError(
            f"{path} is damaged: it refers to number {str(number)[:20]} of its {len(found)} {kind}"
        )
    return found[number]


def check_document(content: dict[str, Any], path: Path) -> None:
    """Check the version and that the lists an animation uses are lists.

    Raises:
        AssetError: they are not.
    """
    asset = content.get("asset")
    if not isinstance(asset, dict) or not str(asset.get("version", "")).startswith("2"):
        raise AssetError(f"{path} is not glTF 2: its asset states no such version")
    for kind in ("nodes", "meshes", "buffers", "bufferViews", "accessors", "animations"):
        entries(content, kind, path)
        if kind in content and not content[kind]:
            del content[kind]


def morph_names(content: dict[str, Any], path: Path) -> dict[int, list[str]]:
    """Names of the morph targets of every node that has any; unnamed targets get an empty name.

    Raises:
        AssetError: references that lead nowhere, or primitives that disagree about the number of
            targets.
    """
    check_document(content, path)
    found = {}
    for number, node in enumerate(entries(content, "nodes", path)):
        if "mesh" not in node:
            continue
        count, names = _targets(entry(content, "meshes", node["mesh"], path), path)
        if count:
            found[number] = [*names[:count], *[""] * (count - len(names))]
    return found


def _targets(mesh: dict[str, Any], path: Path) -> tuple[int, list[str]]:
    primitives = mesh.get("primitives")
    if (
        not isinstance(primitives, list)
        or not primitives
        or not all(isinstance(primitive, dict) for primitive in primitives)
    ):
        raise AssetError(f"{path} is damaged: a mesh without primitives")
    counts = {
        len(targets) if isinstance(targets := primitive.get("targets", []), list) else -1
        for primitive in primitives
    }
    if len(counts) != 1 or -1 in counts or max(counts) > MAX_ENTRIES:
        raise AssetError(
            f"{path} is damaged: the primitives of a mesh have different morph targets"
        )
    for holder in (mesh, *primitives):
        extras = holder.get("extras")
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return counts.pop(), names
    return counts.pop(), []


def vrm_expressions(
    content: dict[str, Any], names: dict[int, list[str]], path: Path
) -> dict[str, Binds]:
    """Expressions of VRM 0 and VRM 1 by name with what they move; empty for other files.

    Raises:
        AssetError: an expression refers to a morph target that does not exist.
    """
    extensions = content.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    found = {
        **_vrm_0(content, extensions.get("VRM"), path),
        **_vrm_1(extensions.get("VRMC_vrm"), path),
    }
    for expression, binds in found.items():
        for node, target, _ in binds:
            if node not in names or not 0 <= target < len(names[node]):
                raise AssetError(
                    f"{path} is damaged: the expression {expression[:40]!r} moves a morph target"
                    " that does not exist"
                )
    return found


def _vrm_1(extension: Any, path: Path) -> dict[str, Binds]:
    groups = extension.get("expressions") if isinstance(extension, dict) else None
    found: dict[str, Binds] = {}
    for kind in ("preset", "custom"):
        listed = groups.get(kind) if isinstance(groups, dict) else None
        for name, expression in listed.items() if isinstance(listed, dict) else ():
            binds = _objects(expression, "morphTargetBinds")
            found[name] = [
                (_whole(bind, "node", path), _whole(bind, "index", path), _share(bind, 1.0))
                for bind in binds
            ]
    return found


def _vrm_0(content: dict[str, Any], extension: Any, path: Path) -> dict[str, Binds]:
    master = extension.get("blendShapeMaster") if isinstance(extension, dict) else None
    nodes = entries(content, "nodes", path)
    found: dict[str, Binds] = {}
    for group in _objects(master, "blendShapeGroups"):
        preset = group.get("presetName")
        name = (
            preset
            if isinstance(preset, str) and preset not in ("", "unknown")
            else group.get("name")
        )
        if not isinstance(name, str):
            continue
        binds = []
        for bind in _objects(group, "binds"):
            mesh, target = _whole(bind, "mesh", path), _whole(bind, "index", path)
            binds += [
                (number, target, _share(bind, 100.0))
                for number, node in enumerate(nodes)
                if node.get("mesh") == mesh
            ]
        found[name] = binds
    return found


def _objects(holder: Any, key: str) -> list[dict[str, Any]]:
    listed = holder.get(key) if isinstance(holder, dict) else None
    return (
        [item for item in listed[:MAX_ENTRIES] if isinstance(item, dict)]
        if isinstance(listed, list)
        else []
    )


def _whole(bind: dict[str, Any], key: str, path: Path) -> int:
    value = bind.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise AssetError(f"{path} is damaged: an expression without a proper {key!r}")
    return value


def _share(bind: dict[str, Any], full: float) -> float:
    value = bind.get("weight", full)
    return (
        min(max(float(value) / full, 0.0), 1.0)
        if isinstance(value, int | float) and abs(value) < 1e6
        else 1.0
    )
