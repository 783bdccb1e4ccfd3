"""Triangle meshes from and to Wavefront OBJ and Stanford PLY files: the templates of face data
sets.
"""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from motet.errors import AssetError

MAX_BYTES = 512 << 20
_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class TriangleMesh:
    """Vertices in the unit of their file, and triangles over them."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    """Empty when the file has vertices only."""


def read_mesh(path: str | Path) -> TriangleMesh:
    """A mesh from an `.obj` or a `.ply` file (ASCII or binary); polygons are cut into triangles.

    Raises:
        AssetError: not there, too large, damaged, or a face names a vertex that is not there.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AssetError(f"{path} has more than {MAX_BYTES >> 20} MiB and is refused")
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        vertices, faces = _ply(data) if path.suffix.lower() == ".ply" else _wavefront(data)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise AssetError(f"{path} cannot be read as a mesh: {error}") from error
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not len(vertices):
        raise AssetError(f"{path} holds no vertices")
    if not np.isfinite(vertices).all():
        raise AssetError(f"{path} contains vertices that are not finite")
    if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise AssetError(f"{path}: a face names a vertex that is not there")
    return TriangleMesh(vertices, faces)


def wavefront(vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]) -> bytes:
    """A mesh as the text of an OBJ file, seven significant digits."""
    text = io.StringIO()
    np.savetxt(text, vertices, "v %.7g %.7g %.7g")
    np.savetxt(text, faces + 1, "f %d %d %d")
    return text.getvalue().encode()


def _wavefront(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    vertices: list[list[float]] = []
    polygons: list[list[int]] = []
    for line in data.decode("utf-8", errors="replace").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "f":
            # `vertex/texture/normal`, counted from 1, or backwards from the last one
            numbers = [int(word.partition("/")[0]) for word in words]
            polygons.append([n - 1 if n > 0 else len(vertices) + n for n in numbers])
    return np.array(vertices, np.float64), _triangles(polygons)


def _triangles(polygons: list[list[int]]) -> np.ndarray:
    fans = [[p[0], a, b] for p in polygons for a, b in zip(p[1:], p[2:], strict=False)]
    return np.array(fans, np.int64).reshape(-1, 3)


def _ply(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    head, separator, body = data.partition(b"end_header")
    if not head.startswith(b"ply") or not separator:
        raise ValueError("no PLY header")
    body = body[body.index(b"\n") + 1 :]
    lines = [line.split() for line in head.decode("ascii", errors="replace").splitlines()]
    kind = next((words[1] for words in lines if words[:1] == ["format"]), "unknown")
    elements: list[tuple[str, int, list[list[str]]]] = []
    for words in lines:
        if words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(words[1:])
    if kind == "ascii":
        return _ply_text(body.decode("ascii", errors="replace").split(), elements)
    return _ply_bytes(body, elements, {"binary_little_endian": "<", "binary_big_endian": ">"}[kind])


def _ply_text(
    words: list[str], elements: list[tuple[str, int, list[list[str]]]]
) -> tuple[np.ndarray, np.ndarray]:
    vertices, polygons, at = np.zeros((0, 3)), [], 0
    for name, count, properties in elements:
        if name == "vertex":
            width = len(properties)
            table = np.array(words[at : at + count * width], np.float64).reshape(count, width)
            vertices = table[:, [[p[-1] for p in properties].index(axis) for axis in "xyz"]]
            at += count * width
        elif name == "face":
            for _ in range(count):
                size = _corner_count(int(words[at]))
                polygons.append([int(word) for word in words[at + 1 : at + 1 + size]])
                at += 1 + size
    return vertices, _triangles(polygons)


def _ply_bytes(
    body: bytes, elements: list[tuple[str, int, list[list[str]]]], order: str
) -> tuple[np.ndarray, np.ndarray]:
    vertices, polygons, at = np.zeros((0, 3)), [], 0
    for name, count, properties in elements:
        if name == "vertex":
            dtype = np.dtype([(words[-1], order + _PLY_TYPES[words[0]]) for words in properties])
            table = np.frombuffer(body, dtype, count, at)
            vertices = np.stack([table[axis].astype(np.float64) for axis in "xyz"], 1)
            at += count * dtype.itemsize
        elif name == "face":
            polygons, at = _ply_faces(body, at, count, properties, order)
    return vertices, _triangles(polygons)


def _ply_faces(
    body: bytes, at: int, count: int, properties: list[list[str]], order: str
) -> tuple[list[list[int]], int]:
    """Corner lists of all faces, and where they end."""
    if count > len(body) or not any(words[0] == "list" for words in properties):
        raise ValueError(f"{count} faces without as many lists of corners")
    polygons = []
    for _ in range(count):
        for words in properties:
            if words[0] != "list":
                at += np.dtype(_PLY_TYPES[words[0]]).itemsize
                continue
            sizes, items = (np.dtype(order + _PLY_TYPES[word]) for word in words[1:3])
            size = _corner_count(int(np.frombuffer(body, sizes, 1, at)[0]))
            at += sizes.itemsize
            corners = np.frombuffer(body, items, size, at)
            at += math.prod((size, items.itemsize))
            if words[-1] in ("vertex_indices", "vertex_index"):
                polygons.append([int(corner) for corner in corners])
    return polygons, at


def _corner_count(count: int) -> int:
    """Corners of a face; a negative count would read the file backwards for ever."""
    if count < 0:
        raise ValueError(f"a face with {count} corners")
    return count
