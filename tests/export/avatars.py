"""Small avatars made in code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motet.export.gltf.container import pack_glb
from motet.export.gltf.document import INDICES, VERTICES, Document


def avatar(
    path: Path,
    names: list[str],
    *,
    extensions: dict[str, Any] | None = None,
    bones: tuple[str, str] = ("Neck", "Head"),
    old: bool = True,
) -> Path:
    """A triangle with morph targets of those names, each moving its own way, on three bones; the
    neck bone leans forward."""
    document = Document({"asset": {"version": "2.0"}})
    triangle = np.array([[0, 1, 0], [0.1, 1, 0], [0, 1.1, 0]], np.float32)
    attributes = {
        "POSITION": document.accessor(triangle, target=VERTICES, bounds=True),
        "JOINTS_0": document.accessor(np.full((3, 4), [2, 0, 0, 0], np.uint8), target=VERTICES),
        "WEIGHTS_0": document.accessor(
            np.full((3, 4), [255, 0, 0, 0], np.uint8), target=VERTICES, normalized=True
        ),
    }
    shapes = [
        (np.arange(3), np.full((3, 3), 0.01 * (i + 1), np.float32)) for i in range(len(names))
    ]
    targets = [{"POSITION": number} for number in document.sparse(3, shapes)]
    primitive = {
        "attributes": attributes,
        "indices": document.accessor(np.arange(3, dtype=np.uint16), target=INDICES),
        "targets": targets,
    }
    document.add(
        "meshes", {"name": "face", "primitives": [primitive], "extras": {"targetNames": names}}
    )
    lean = [float(np.sin(0.2)), 0.0, 0.0, float(np.cos(0.2))]
    document.add("nodes", {"name": "Hips", "translation": [0.0, 0.5, 0.0], "children": [1]})
    document.add(
        "nodes",
        {"name": bones[0], "translation": [0.0, 0.4, 0.0], "rotation": lean, "children": [2]},
    )
    document.add("nodes", {"name": bones[1], "translation": [0.0, 0.1, 0.0]})
    document.add("nodes", {"name": "Face", "mesh": 0, "skin": 0})
    document.add("skins", {"joints": [0, 1, 2]})
    document.add("scenes", {"nodes": [0, 3]})
    if old:
        sampler = {
            "input": document.accessor(np.array([0, 1], np.float32), bounds=True),
            "output": document.accessor(np.eye(2, 4, dtype=np.float32)),
        }
        channel = {"sampler": 0, "target": {"node": 0, "path": "rotation"}}
        document.add("animations", {"name": "idle", "samplers": [sampler], "channels": [channel]})
    if extensions:
        document.content |= {"extensions": extensions, "extensionsUsed": sorted(extensions)}
    path.write_bytes(pack_glb(*document.finished()))
    return path


def read_accessor(content: dict[str, Any], data: bytes, number: int) -> np.ndarray:
    """Values of a dense accessor."""
    entry = content["accessors"][number]
    view = content["bufferViews"][entry["bufferView"]]
    kind = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[
        entry["componentType"]
    ]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]
    start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
    return np.frombuffer(data, kind, entry["count"] * width, start).reshape(entry["count"], width)


def animation(
    content: dict[str, Any], data: bytes, number: int = 0
) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """Times, and values by (node name, path)."""
    found = content["animations"][number]
    times = read_accessor(content, data, found["samplers"][0]["input"])[:, 0]
    values = {}
    for channel in found["channels"]:
        target = channel["target"]
        output = read_accessor(content, data, found["samplers"][channel["sampler"]]["output"])
        name = content["nodes"][target["node"]]["name"]
        values[name, target["path"]] = output.reshape(len(times), -1)
    return times, values
