"""BIWI (B3D(AC)^2) as CodeTalker preprocesses it: 14 speakers, 23,370 vertices, 25 fps.

That preprocessing turns each frame by pi about x, takes off its own mean and divides by the root of
its own surface: units are roots of the face's area (times 0.2: roughly metres), and part of the
jaw's motion is lost. FaceXHuBERT's preprocessing is another one and not read here. Licence: on
request, research only; bring your own copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from motet.data.readers.vertex_sequences import VertexSequence, read_exchange_layout
from motet.errors import AssetError

VERTS, FPS = 23370, 25.0
METRES = 0.2
"""Factor from preprocessed units to metres (UniTalker)."""
SEEN = ("F2", "F3", "F4", "M3", "M4", "M5")
"""Speakers of training, in the order of the one-hot styles; test A is of them, test B of all
others."""
UNSEEN = ("F1", "F5", "F6", "F7", "F8", "M1", "M2", "M6")


def place_of(name: str) -> tuple[str, str] | None:
    """Subject and split of a sequence such as `F2_e01`; None where no split takes it.

    Splits are train, val, test (the published test A) and test-b.
    """
    result = re.fullmatch(r"([FM]\d)_e(\d\d)", name)
    if result is None:
        return None
    subject, number = result.group(1), int(result.group(2))
    if subject in SEEN and 1 <= number <= 40:
        # 40 emotional sentences: 32 for training, 4 and 4 for validation and test A
        return subject, "train" if number <= 32 else "val" if number <= 36 else "test"
    return (subject, "test-b") if subject in UNSEEN and 37 <= number <= 40 else None


def read_biwi(folder: str | Path, split: str = "") -> Iterator[VertexSequence]:
    """Sequences of the emotional sentences e01-e40 in the exchange layout.

    Raises:
        AssetError: the layout is not there, or a file is missing or damaged.
    """
    return read_exchange_layout(folder, FPS, 1, VERTS, place_of, split)


def read_vl(path: str | Path, verts: int = VERTS) -> Float[np.ndarray, "verts 3"]:
    """One raw frame: a vertex count (4 or 8 bytes, by platform), then float32 xyz.

    Raises:
        AssetError: not there, or of another size.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error}") from error
    return frame_of(data, str(path), verts)


def frame_of(data: bytes, label: str, verts: int = VERTS) -> Float[np.ndarray, "verts 3"]:
    """The same from the bytes of a file.

    Args:
        label: what it is, for messages.

    Raises:
        AssetError: of another size.
    """
    head = len(data) - 12 * verts
    # An `unsigned long` of the platform that wrote the file.
    if head not in (4, 8) or int.from_bytes(data[:head], "little") != verts:
        raise AssetError(
            f"{label} has {len(data)} bytes; a frame of {verts} vertices has {12 * verts + 4} or"
            f" {12 * verts + 8}"
        )
    return np.frombuffer(data, "<f4", offset=head).reshape(verts, 3)


def preprocess(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "verts 3"]:
    """CodeTalker's preprocessing of a raw frame or scan.

    Turned by pi about x, centred on its own mean, divided by the root of its own surface.
    """
    # A turn by pi about x negates y and z.
    turned = vertices.astype(np.float64) * np.array([1.0, -1.0, -1.0])
    centred = turned - turned.mean(0)
    a, b, c = (centred[faces[:, corner]] for corner in range(3))
    # half the cross product's length is a triangle's area
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return centred / np.sqrt(area)
