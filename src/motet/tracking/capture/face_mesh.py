"""The landmarker's mean face mesh: vertices, triangles, rigid points.

It lies inside the landmarker's model (Apache-2.0) as a protocol buffer; only the few fields needed
are read.
"""

from __future__ import annotations

import dataclasses
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from motet.errors import AssetError

_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_MESH, _RIGID, _VERTICES, _TRIANGLES = 1, 2, 3, 4  # field numbers of the protocol buffer
LIPS = (
    0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267,
    269, 270, 291, 308, 310, 311, 312, 314, 317, 318,
    321, 324, 375, 402, 405, 409, 415,
)  # fmt: skip
"""Points on the red of the lips."""
INNER_LIPS = (
    78,
    191,
    80,
    81,
    82,
    13,
    312,
    311,
    310,
    415,
    308,
    324,
    318,
    402,
    317,
    14,
    87,
    178,
    88,
    95,
)
"""The rim of the mouth's opening, in order around it."""
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127,
    162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The rim of the face, in order around it, beginning at the top."""
CHIN, NOSE_BASE = 152, 2


@dataclasses.dataclass(frozen=True)
class FaceMesh:
    """468 points of a mean face."""

    vertices: Float[ndarray, "468 3"]
    """Metres; x to the person's left, y up, z out of the face."""
    faces: Int[ndarray, "898 3"]
    """Counter-clockwise seen from outside."""
    still: Float[ndarray, "468"]
    """Weight of each point for the head's pose; 0 for points that expressions move."""


def read_face_mesh(model: Path) -> FaceMesh:
    """The mesh inside `face_landmarker.task`.

    Raises:
        AssetError: not such a file.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            content = archive.read(_MEMBER)
        fields = list(_fields(content))
        mesh = list(_fields(next(value for number, value in fields if number == _MESH)))
        numbers = np.array(
            [struct.unpack("<f", value)[0] for number, value in mesh if number == _VERTICES]
        )
        triangles = np.array([value for number, value in mesh if number == _TRIANGLES])
        # five floats a vertex
        still = np.zeros(len(numbers) // 5)
        for number, value in fields:
            if number == _RIGID:
                point = dict(_fields(value))
                still[point.get(1, 0)] = struct.unpack("<f", point[2])[0]
        # x y z u v for each point; centimetres.
        return FaceMesh(numbers.reshape(-1, 5)[:, :3] / 100, triangles.reshape(-1, 3), still)
    except (
        OSError,
        zipfile.BadZipFile,
        KeyError,
        StopIteration,
        ValueError,
        struct.error,
        IndexError,
    ) as error:
        raise AssetError(
            f"{model} is no face landmarker model with a mesh inside ({type(error).__name__});"
            " fetch it again"
        ) from error


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of one protocol buffer message."""
    position = 0
    while position < len(content):
        # lower three bits: wire type; the rest: field number
        key, position = _number(content, position)
        kind = key & 7
        if kind == 0:
            # wire type 0: a varint
            value, position = _number(content, position)
            yield key >> 3, value
        elif kind in (1, 5):
            # wire types 1 and 5: 8 and 4 bytes
            size = 8 if kind == 1 else 4
            yield key >> 3, content[position : position + size]
            position += size
        elif kind == 2:
            # wire type 2: a length, then as many bytes
            size, position = _number(content, position)
            yield key >> 3, content[position : position + size]
            position += size
        else:
            raise ValueError(kind)


def _number(content: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = content[position]
        position += 1
        # seven bits a byte, least significant first
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
        shift += 7
