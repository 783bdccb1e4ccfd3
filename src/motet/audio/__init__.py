"""Sound: reading and writing files, resampling, mixing, framing of streams.

Names are loaded on first use, so that importing this costs nothing.
"""

from __future__ import annotations

import importlib

_HOME = {
    "open_audio": "motet.audio.io.read",
    "read_audio": "motet.audio.io.read",
    "read_pcm": "motet.audio.io.pcm",
    "resample": "motet.audio.resampling",
    "StreamResampler": "motet.audio.resampling",
    "to_mono": "motet.audio.downmix",
    "spatialise": "motet.audio.spatial.spatialise",
    "to_binaural": "motet.audio.spatial.ambisonics",
    "write_audio": "motet.audio.io.write",
    "encode_flac": "motet.audio.io.write",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'motet.audio' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
