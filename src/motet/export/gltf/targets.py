"""Morph targets of untrusted files: names, resting weights, and primitives that lack some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError
from motet.export.gltf.document import Document
from motet.export.gltf.inspection import MAX_ENTRIES, check_document, entries, entry


def morph_names(content: dict[str, Any], path: Path) -> dict[int, list[str]]:
    """Names of the morph targets of every node that has any; unnamed targets are `#0`, `#1`, ...

    Names stand in `extras.targetNames`, or on the accessors of the targets.

    Raises:
        AssetError: references that lead nowhere.
    """
    check_document(content, path)
    names_by_mesh = {}
    for number, node in enumerate(entries(content, "nodes", path)):
        if "mesh" not in node:
            continue
        mesh = entry(content, "meshes", node["mesh"], path)
        lists = _target_lists(mesh, path)
        count = max(map(len, lists))
        if count:
            names = _declared_names(mesh) or _accessor_names(content, lists, path)
            # Fewer or more names than targets occur in the wild.
            names = [*names[:count], *[""] * (count - len(names))]
            names_by_mesh[number] = [name or f"#{index}" for index, name in enumerate(names)]
    return names_by_mesh


def _target_lists(mesh: dict[str, Any], path: Path) -> list[list[Any]]:
    """The targets of each primitive."""
    primitives = mesh.get("primitives")
    if (
        not isinstance(primitives, list)
        or not primitives
        or not all(isinstance(primitive, dict) for primitive in primitives)
    ):
        raise AssetError(f"{path} is damaged: a mesh without primitives")
    lists = [primitive.get("targets", []) for primitive in primitives]
    if not all(isinstance(targets, list) and len(targets) <= MAX_ENTRIES for targets in lists):
        raise AssetError(f"{path} is damaged: the morph targets of a mesh are not a list")
    return lists


def _declared_names(mesh: dict[str, Any]) -> list[str]:
    for holder in (mesh, *mesh["primitives"]):
        extras = holder.get("extras")
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return names
    return []


def _accessor_names(content: dict[str, Any], lists: list[list[Any]], path: Path) -> list[str]:
    accessors = entries(content, "accessors", path)
    names = []
    for target in max(lists, key=len):
        numbers = target.values() if isinstance(target, dict) else ()
        accessor_names = [
            accessors[number].get("name")
            for number in numbers
            if isinstance(number, int) and 0 <= number < len(accessors)
        ]
        names.append(next((name for name in accessor_names if isinstance(name, str)), ""))
    return names


def resting_weights(
    content: dict[str, Any], node: int, count: int, path: Path
) -> Float[np.ndarray, " targets"]:
    """Weights of a node's morph targets without animation: the node's own, else its mesh's.

    Raises:
        AssetError: they are not numbers.
    """
    holder = entries(content, "nodes", path)[node]
    mesh = entry(content, "meshes", holder["mesh"], path)
    listed = holder.get("weights", mesh.get("weights", []))
    try:
        weights = np.array(listed[:count], np.float64)
        if weights.ndim != 1 or not (np.abs(weights) < 1e6).all():
            raise ValueError
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise AssetError(f"{path} is damaged: the weights of a mesh are not numbers") from error
    return np.pad(weights, (0, count - len(weights)))


def complete_targets(document: Document, path: Path) -> None:
    """Give primitives that lack morph targets ones that move nothing.

    glTF asks for as many targets on every primitive of a mesh; viewers refuse or misread others.

    Raises:
        AssetError: a primitive without vertices.
    """
    zeros: dict[int, int] = {}
    for mesh in entries(document.content, "meshes", path):
        lists = _target_lists(mesh, path)
        count = max(map(len, lists))
        for primitive, targets in zip(mesh["primitives"], lists, strict=True):
            if len(targets) == count:
                continue
            vertices = _vertices(document.content, primitive, path)
            if vertices not in zeros:
                # A sparse accessor without entries: zeros that take no bytes.
                zeros[vertices] = document.sparse(
                    vertices, [(np.zeros(0, np.int64), np.zeros((0, 3)))]
                )[0]
            empty = {"POSITION": zeros[vertices]}
            primitive["targets"] = [*targets, *[empty] * (count - len(targets))]


def _vertices(content: dict[str, Any], primitive: dict[str, Any], path: Path) -> int:
    attributes = primitive.get("attributes")
    position = attributes.get("POSITION") if isinstance(attributes, dict) else None
    count = entry(content, "accessors", position, path).get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 1 << 31:
        raise AssetError(f"{path} is damaged: a primitive without vertices")
    return count
