"""Curves of the house figure for players, which set numbers by name.

A block holds four bytes (the length of the header, little endian), the header (JSON, padded with
spaces so that the numbers begin at a multiple of four bytes), and float32 numbers frame by frame.
The header names the channels in order; a `rotation` takes four numbers of each frame (quaternion x
y z w in the parent's axes), a `position` three (metres), everything else one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

import numpy as np

from motet.export.gltf.profile import Channel, Values
from motet.rigs.house.face_body import split
from motet.types import Motion


def house_curves(motion: Motion, figure: str = "") -> tuple[list[Channel], list[Values]]:
    """Morph targets, rotations of joints and the position of the root of a shipped figure."""
    from motet.export.gltf.house import house_performance
    from motet.export.gltf.house_body import body_performance

    has_body = split(motion)[1] is not None
    performance = body_performance(motion, figure) if has_body else house_performance(motion)
    channels = [Channel("morph", target=name) for name in performance.weights]
    values: list[Values] = [weights[:, None] for weights in performance.weights.values()]
    for joint, turns in performance.turns.items():
        channels.append(Channel("rotation", node=joint))
        values.append(turns / np.linalg.norm(turns, axis=1, keepdims=True))
    for joint, translations in performance.translations.items():
        channels.append(Channel("position", node=joint))
        values.append(translations)
    return channels, values


def packed(fps: float, channels: Sequence[Channel], values: Sequence[Values]) -> bytes:
    """Curves as the bytes of a file."""
    table = np.concatenate([np.asarray(one, np.float32) for one in values], axis=1)
    listed = [channel.to_json() for channel in channels]
    header = json.dumps({"fps": fps, "frames": len(table), "channels": listed}).encode()
    header += b" " * (-len(header) % 4)
    return struct.pack("<I", len(header)) + header + table.astype("<f4").tobytes()
