"""One picture as a JPEG file in memory, for live streams."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from jaxtyping import UInt8

QUALITY = 3
"""Quantiser scale of the encoder, 1 (best) to 31; 3 shows no blocks on a face."""


def encode_jpeg(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The bytes of a JPEG file (full-range 4:2:0)."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = frame.reformat(format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = QUALITY
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
