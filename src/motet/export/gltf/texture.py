"""Procedural texture of an eyeball, and a PNG encoder."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from jaxtyping import Float, UInt8

IRIS_RADIUS, PUPIL_RADIUS = 0.395, 0.150
"""Fractions of the eyeball's radius."""


def png(rgb: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A picture as PNG."""
    height, width, _ = rgb.shape
    # filter type 0 before each row of pixels
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, -1)], axis=1)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def eye_picture(
    white: Float[np.ndarray, "3"], iris: Float[np.ndarray, "4 3"], size: int = 256
) -> UInt8[np.ndarray, "size size 3"]:
    """An eyeball seen from the front; the picture's edge is the eyeball's.

    Args:
        white: colour of the sclera, linear light.
        iris: outer iris, inner iris, pupil and limbus, linear light.
    """
    centres = (np.arange(size) + 0.5) / size * 2 - 1  # pixel centres, -1..1
    x, y = np.meshgrid(centres, -centres)
    radius, angle = np.hypot(x, y)[..., None], np.arctan2(y, x)[..., None]
    outer, inner, pupil, limbus = iris
    # 0 at the pupil, 1 at the edge of the iris
    depth = np.clip((radius - PUPIL_RADIUS) / (IRIS_RADIUS - PUPIL_RADIUS), 0, 1)
    # Two incommensurate waves: fibres that do not repeat visibly.
    fibres = np.sin(angle * 31 + 3 * np.sin(angle * 5 + radius * 12)) * np.sin(
        angle * 19 + radius * 27
    )
    colour = (
        inner + (outer - inner) * np.clip(depth * 1.6 - 0.2 + 0.15 * np.sin(angle * 11), 0, 1)
    ) * (1.15 + 0.3 * fibres)
    colour = _blend(colour, limbus, np.clip((radius - 0.33) / 0.06, 0, 1) ** 2)
    colour = _blend(colour, pupil, np.clip((PUPIL_RADIUS + 0.012 - radius) / 0.024, 0, 1))
    ball = white * (1 - 0.25 * np.clip(radius - 0.5, 0, 0.5))
    colour = _blend(ball, colour, np.clip((IRIS_RADIUS + 0.015 - radius) / 0.03, 0, 1))
    # Linear light to sRGB.
    encoded = np.where(
        colour <= 0.0031308, 12.92 * colour, 1.055 * np.clip(colour, 0, 1) ** (1 / 2.4) - 0.055
    )
    return np.round(255 * np.clip(encoded, 0, 1)).astype(np.uint8)


def _blend(below: np.ndarray, above: np.ndarray, share: np.ndarray) -> np.ndarray:
    return below + (above - below) * share
