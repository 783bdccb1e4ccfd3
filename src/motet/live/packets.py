"""Binary messages of the protocol `motet.live.1`, and PCM as clients send it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from motet.errors import AudioError

HEADER = struct.Struct("<IQHH")
"""First frame, first sample, frames, numbers of a frame; float16 values follow."""
Encoding = Literal["s16", "f32"]
_NUMBER = {"s16": np.dtype("<i2"), "f32": np.dtype("<f4")}
MOST_FRAMES = 2**16 - 1


def frames_message(
    first_frame: int, first_sample: int, values: Sequence[Float[np.ndarray, "frames size"]]
) -> bytes:
    """Frames whose numbers stand channel by channel."""
    table = np.concatenate([np.asarray(one, np.float32) for one in values], axis=1)
    head = HEADER.pack(first_frame & 0xFFFFFFFF, first_sample, *table.shape)
    return head + table.astype("<f2").tobytes()


def read_frames(message: bytes) -> tuple[int, int, Float[np.ndarray, "frames channels"]]:
    """The inverse of `frames_message`, for clients in Python."""
    first_frame, first_sample, frames, width = HEADER.unpack_from(message)
    table = np.frombuffer(message, "<f2", frames * width, HEADER.size).reshape(frames, width)
    return first_frame, first_sample, table.astype(np.float32)


def samples_of(data: bytes, encoding: Encoding, channels: int) -> Float[torch.Tensor, "channels t"]:
    """Samples of a message of interleaved PCM, -1..1.

    Raises:
        AudioError: no whole number of samples.
    """
    number = _NUMBER[encoding]
    if len(data) % (number.itemsize * channels):
        raise AudioError(
            f"a message of {len(data)} bytes holds no whole samples of {channels} channel(s) as"
            f" {encoding}; send whole samples"
        )
    samples = np.frombuffer(data, number).astype(np.float32).reshape(-1, channels).T
    if encoding == "s16":
        samples = samples / np.float32(32768)
    return torch.from_numpy(np.ascontiguousarray(samples))
