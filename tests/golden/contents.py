"""What the files that motet writes hold, as arrays of numbers and plain facts.

Files are compared by these, not by their bytes: a number may be written in another way, but it
must stay the same number. The readers here are written against the formats alone and share no
code with motet's own.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

BLOCK = 8
"""Pixels over which pictures of videos are averaged: encoders differ in single pixels."""
SUMMARY = 8
"""Numbers that stand for an array which no motion changes."""


@dataclasses.dataclass
class Found:
    """Numbers under names, and facts that are compared exactly."""

    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def add(self, prefix: str, other: Found) -> None:
        """Take over another one's numbers and facts under a prefix."""
        self.arrays |= {f"{prefix}/{key}": value for key, value in other.arrays.items()}
        self.facts |= {f"{prefix}/{key}": value for key, value in other.facts.items()}


def contents(path: Path) -> Found:
    """What a file holds.

    Raises:
        ValueError: nobody has said how files with this ending are read.
    """
    readers: dict[str, Callable[[Path], Found]] = {
        ".npz": _npz, ".csv": _csv, ".json": _json, ".glb": _glb, ".bvh": _bvh, ".mp4": _mp4,
    }  # fmt: skip
    if path.suffix not in readers:
        raise ValueError(f"no reader for {path.name}")
    return readers[path.suffix](path)


def some(values: np.ndarray) -> np.ndarray:
    """Every third row of a long table, the last one always among them."""
    if values.ndim == 0 or len(values) <= 12:
        return values
    return values[(len(values) - 1) % 3 :: 3]


def summary(values: np.ndarray) -> np.ndarray:
    """Extremes, mean, mean square and four samples: enough to notice that a still array changed."""
    flat = np.asarray(values, np.float64).reshape(-1)
    places = np.linspace(0, len(flat) - 1, SUMMARY - 4).astype(int)
    return np.array([flat.min(), flat.max(), flat.mean(), (flat**2).mean() ** 0.5, *flat[places]])


def blocks(pictures: np.ndarray) -> np.ndarray:
    """Means over squares of pixels of (..., height, width, 3)."""
    *front, height, width, _ = pictures.shape
    whole = pictures[..., : height // BLOCK * BLOCK, : width // BLOCK * BLOCK, :]
    shape = (*front, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return whole.reshape(shape).astype(np.float64).mean(axis=(-4, -2))


def flat_json(value: Any, name: str = "") -> Found:
    """Numbers of a JSON value, each under its path; all else are facts."""
    found = Found()
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in entries:
            found.add(str(key), flat_json(entry)) if isinstance(entry, dict | list) else None
            if not isinstance(entry, dict | list):
                _leaf(found, str(key), entry)
        return found
    _leaf(found, name, value)
    return found


def _leaf(found: Found, key: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        found.arrays[key] = np.array([float(value)])
    else:
        found.facts[key] = value


def one_array(found: Found) -> Found:
    """The same with all numbers in one array and their names among the facts."""
    names = list(found.arrays)
    numbers = np.concatenate([found.arrays[name].reshape(-1) for name in names] or [np.zeros(0)])
    return Found({"numbers": numbers}, {"names": names, **found.facts})


def _npz(path: Path) -> Found:
    found = Found()
    with np.load(path, allow_pickle=False) as stored:
        for key in stored.files:
            value = stored[key]
            if key == "sound" and value.dtype == np.uint8:
                samples, rate = soundfile.read(io.BytesIO(value.tobytes()), dtype="float32")
                found.arrays[key], found.facts["flac_rate"] = samples[::400], rate
            elif key in ("provenance", "condition"):
                found.facts[key] = json.loads(str(value))
            elif value.dtype.kind == "U":
                found.facts[key] = value.tolist()
            else:
                found.arrays[key] = some(value)
                found.facts[f"{key}.shape"] = list(value.shape)
    return found


def _csv(path: Path) -> Found:
    rows = list(csv.reader(io.StringIO(path.read_text())))
    times = [[float(part) for part in row[0].split(":")] for row in rows[1:]]
    numbers = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    table = np.concatenate([np.array(times), numbers], axis=1)
    return Found({"table": some(table)}, {"columns": rows[0], "rows": len(numbers)})


def _json(path: Path) -> Found:
    content = json.loads(path.read_text())
    if "weightMat" not in content:
        return one_array(flat_json(content))
    tables = {key: content.pop(key) for key in ("weightMat", "rotations", "translations")}
    return Found({key: some(np.array(table)) for key, table in tables.items()}, content)


def _bvh(path: Path) -> Found:
    head, _, body = path.read_text().partition("MOTION")
    words = [line.split() for line in head.splitlines() if line.strip()]
    offsets = np.array([[float(n) for n in line[1:]] for line in words if line[0] == "OFFSET"])
    tree = [" ".join(line) for line in words if line[0] != "OFFSET"]
    count, time, *rows = body.strip().splitlines()
    frames = np.array([[float(number) for number in row.split()] for row in rows])
    facts = {"tree": tree, "count": count}
    frame_time = np.array([float(time.split(":")[1])])
    return Found({"offsets": offsets, "frame_time": frame_time, "frames": some(frames)}, facts)


def _mp4(path: Path) -> Found:
    with av.open(str(path)) as container:
        pictures = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
        rate = str(container.streams.video[0].average_rate)
        sound = container.streams.audio[0]
        facts = {"shape": list(pictures.shape), "fps": rate, "sound_rate": sound.rate}
        facts["told"] = {key: container.metadata.get(key) for key in ("title", "comment")}
    return Found({"blocks": blocks(pictures[:: max(1, len(pictures) // 3)])}, facts)


_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclasses.dataclass(frozen=True)
class _Binary:
    content: dict[str, Any]
    data: bytes

    def array(self, index: int) -> np.ndarray:
        """An accessor as a table."""
        accessor = self.content["accessors"][index]
        kind, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]]
        table = np.zeros((accessor["count"], width))
        if "bufferView" in accessor:
            table += self._part(accessor, kind, accessor["count"], width)
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            where = np.dtype(_TYPES[sparse["indices"]["componentType"]])
            rows = self._part(sparse["indices"], where, sparse["count"], 1)[:, 0]
            table[rows] = self._part(sparse["values"], kind, sparse["count"], width)
        return table

    def _part(self, at: dict[str, Any], kind: np.dtype, count: int, width: int) -> np.ndarray:
        view = self.content["bufferViews"][at["bufferView"]]
        start = view.get("byteOffset", 0) + at.get("byteOffset", 0)
        stride = view.get("byteStride", kind.itemsize * width)
        strides = (stride, kind.itemsize)
        return np.ndarray((count, width), kind, self.data, start, strides)


def _glb(path: Path) -> Found:
    data = path.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    content = json.loads(data[20 : 20 + length])
    binary = _Binary(content, data[28 + length :])
    found = Found(facts={"asset": content["asset"], "extras": content.get("extras")})
    found.facts["nodes"] = [node.get("name") for node in content["nodes"]]
    found.facts["materials"] = [entry.get("name") for entry in content.get("materials", [])]
    found.facts["images"] = len(content.get("images", []))
    for mesh in content["meshes"]:
        found.add(f"mesh {mesh.get('name')}", _mesh(binary, mesh))
    for skin in content.get("skins", []):
        binds = summary(binary.array(skin["inverseBindMatrices"]))
        found.arrays[f"skin {skin.get('name')}"] = binds
    for animation in content.get("animations", []):
        found.add(f"animation {animation.get('name')}", _animation(binary, animation))
    rest = [node.get(key, []) for node in content["nodes"] for key in ("translation", "rotation")]
    found.arrays["rest"] = np.array([number for part in rest for number in part], np.float64)
    return found


def _mesh(binary: _Binary, mesh: dict[str, Any]) -> Found:
    found = Found(facts={"targets": mesh.get("extras", {}).get("targetNames")})
    for number, part in enumerate(mesh["primitives"]):
        for name, index in {**part["attributes"], "indices": part["indices"]}.items():
            found.arrays[f"{number} {name}"] = summary(binary.array(index))
        for name in sorted({name for target in part.get("targets", []) for name in target}):
            shapes = [summary(binary.array(t[name])) for t in part["targets"] if name in t]
            found.arrays[f"{number} targets {name}"] = np.stack(shapes)
    return found


def _animation(binary: _Binary, animation: dict[str, Any]) -> Found:
    found = Found()
    for channel in animation["channels"]:
        sampler, target = animation["samplers"][channel["sampler"]], channel["target"]
        name = f"{binary.content['nodes'][target['node']].get('name')} {target['path']}"
        times, values = binary.array(sampler["input"]), binary.array(sampler["output"])
        found.arrays[f"{name} times"] = summary(times)
        found.arrays[name] = some(values.reshape(len(times), -1))
        found.facts[name] = [len(times), sampler.get("interpolation", "LINEAR")]
    return found
