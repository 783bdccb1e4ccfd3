"""Checked access to the JSON of an untrusted glTF file, and the expressions of VRM files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from motet.errors import AssetError

MAX_ENTRIES = 100_000


@dataclasses.dataclass(frozen=True)
class Expression:
    """A VRM expression."""

    binds: list[tuple[int, int, float]]
    """(node, morph target, weight) that it moves."""
    binary: bool = False
    """It is either off or on."""


def entries(content: dict[str, Any], kind: str, path: Path) -> list[dict[str, Any]]:
    """One of the lists of a document; empty when there is none.

    Raises:
        AssetError: it is not a list of objects, or absurdly long.
    """
    listed = content.get(kind, [])
    if (
        not isinstance(listed, list)
        or len(listed) > MAX_ENTRIES
        or not all(isinstance(entry, dict) for entry in listed)
    ):
        raise AssetError(f"{path} is damaged: its {kind} are not a list of objects")
    return listed


def entry(content: dict[str, Any], kind: str, number: Any, path: Path) -> dict[str, Any]:
    """One entry of a list by its index.

    Raises:
        AssetError: there is no such entry.
    """
    listed = entries(content, kind, path)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(listed):
        raise AssetError(
            f"{path} is damaged: it refers to number {str(number)[:20]} of its {len(listed)} {kind}"
        )
    return listed[number]


def check_self_contained(content: dict[str, Any], path: Path) -> None:
    """Make sure that nothing refers to another file or an address: a copy of the avatar would carry
    the reference to wherever it is opened.

    Raises:
        AssetError: names the reference.
    """
    pending: list[Any] = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        if not isinstance(value, dict):
            continue
        reference = value.get("uri")
        if isinstance(reference, str) and reference[:5].lower() != "data:":
            raise AssetError(
                f"{path} refers to {reference[:60]!r}, which lies outside the file; export it as"
                " one self-contained GLB"
            )
        pending += [inner for key, inner in value.items() if key != "extras"]


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
        # glTF forbids empty lists; some exporters write them.
        if kind in content and not content[kind]:
            del content[kind]


def vrm_expressions(
    content: dict[str, Any], names: dict[int, list[str]], path: Path
) -> dict[str, Expression]:
    """Expressions of VRM 0 and VRM 1 by name with what they move; empty for other files.

    Raises:
        AssetError: an expression refers to a morph target that does not exist.
    """
    extensions = content.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    expressions = {
        **_vrm_0(content, extensions.get("VRM"), path),
        **_vrm_1(extensions.get("VRMC_vrm"), path),
    }
    for expression, one in expressions.items():
        for node, target, _ in one.binds:
            if node not in names or not 0 <= target < len(names[node]):
                raise AssetError(
                    f"{path} is damaged: the expression {expression[:40]!r} moves a morph target"
                    " that does not exist"
                )
    return expressions


def _vrm_1(extension: Any, path: Path) -> dict[str, Expression]:
    groups = extension.get("expressions") if isinstance(extension, dict) else None
    expressions: dict[str, Expression] = {}
    for kind in ("preset", "custom"):
        listed = groups.get(kind) if isinstance(groups, dict) else None
        for name, expression in listed.items() if isinstance(listed, dict) else ():
            binds = _objects(expression, "morphTargetBinds")
            moved = [
                (_whole(bind, "node", path), _whole(bind, "index", path), _share(bind, 1.0))
                for bind in binds
            ]
            expressions[name] = Expression(moved, _is_binary(expression))
    return expressions


def _vrm_0(content: dict[str, Any], extension: Any, path: Path) -> dict[str, Expression]:
    master = extension.get("blendShapeMaster") if isinstance(extension, dict) else None
    nodes = entries(content, "nodes", path)
    expressions: dict[str, Expression] = {}
    for group in _objects(master, "blendShapeGroups"):
        # A preset name tells more than the author's own; `unknown` tells nothing.
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
                # VRM 0 binds name a mesh and count to 100; every node with that mesh moves.
                (number, target, _share(bind, 100.0))
                for number, node in enumerate(nodes)
                if node.get("mesh") == mesh
            ]
        expressions[name] = Expression(binds, _is_binary(group))
    return expressions


def _is_binary(holder: Any) -> bool:
    return isinstance(holder, dict) and holder.get("isBinary") is True


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
