"""Raw PCM from a pipe: samples without a header, as recorders write them to standard output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal

import numpy as np
import torch

from motet.errors import AudioError
from motet.types import Audio, Layout

Encoding = Literal["s16le", "f32le"]
_NUMBER = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
_LAYOUT: dict[int, Layout] = {1: "mono", 2: "stereo"}


def read_pcm(
    source: BinaryIO,
    sample_rate: int,
    *,
    channels: int = 1,
    encoding: Encoding = "s16le",
    block: int = 320,
) -> Iterator[Audio]:
    """Blocks of a raw stream as they arrive, each at most `block` samples long.

    A block need not be full: available samples are returned at once, so the delay is the recorder's
    own. An incomplete sample at the very end is dropped.

    Args:
        source: e.g. `sys.stdin.buffer`; read with `read1` where it has it.
        block: samples (of each channel) read at a time.

    Raises:
        AudioError: no channels, an unknown encoding, or samples that are not finite.
    """
    if channels < 1 or sample_rate < 1 or block < 1:
        raise AudioError(
            f"raw sound needs positive channels, rate and block, not {channels}, {sample_rate} and"
            f" {block}"
        )
    if encoding not in _NUMBER:
        raise AudioError(
            f"raw sound of encoding {encoding!r} is not known; use one of {', '.join(_NUMBER)}"
        )
    number = _NUMBER[encoding]
    frame_bytes = number.itemsize * channels
    read = getattr(source, "read1", source.read)
    rest = b""
    while data := read(block * frame_bytes):
        data = rest + data
        whole = len(data) // frame_bytes * frame_bytes
        rest = data[whole:]
        if whole:
            yield _piece(np.frombuffer(data[:whole], number), sample_rate, channels)


def _piece(numbers: np.ndarray, sample_rate: int, channels: int) -> Audio:
    full_scale = 32768.0 if numbers.dtype.kind == "i" else 1.0
    samples = numbers.astype(np.float32) / np.float32(full_scale)
    # Interleaved (time, channels) -> (channels, time).
    samples = torch.from_numpy(samples.reshape(-1, channels).T.copy())
    return Audio(samples, sample_rate, _LAYOUT.get(channels, "other"))
