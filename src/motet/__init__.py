"""motet: sound in, human motion out.

Five published systems behind one interface. Everything here is loaded on first use, so importing
the package and asking for help need no PyTorch::

    import motet

    take = motet.run("speech.wav", method="artalk", seed=3)
    take.save("take.glb")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motet.method import Method as Method
    from motet.methods import find_methods as methods
    from motet.options import Guidance as Guidance
    from motet.options import Postprocess as Postprocess
    from motet.rigs.rig import Rig as Rig
    from motet.session import load as load
    from motet.session import run as run
    from motet.session import stream as stream
    from motet.take import Take as Take
    from motet.take import read_take as read_take
    from motet.types import Audio as Audio
    from motet.types import Clip as Clip
    from motet.types import Frames as Frames
    from motet.types import Meshes as Meshes
    from motet.types import Motion as Motion
    from motet.types import MotionSpace as MotionSpace

__version__ = "0.1.0"

_MODULE_OF = {
    "Audio": "motet.types",
    "Clip": "motet.types",
    "Frames": "motet.types",
    "Meshes": "motet.types",
    "Motion": "motet.types",
    "MotionSpace": "motet.types",
    "Rig": "motet.rigs.rig",
    "Take": "motet.take",
    "Method": "motet.method",
    "Guidance": "motet.options",
    "Postprocess": "motet.options",
    "load": "motet.session",
    "read_take": "motet.take",
    "run": "motet.session",
    "stream": "motet.session",
}

__all__ = [*_MODULE_OF, "methods", "__version__"]


def __getattr__(name: str) -> object:
    if name == "methods":  # a package that can be called, see motet/methods/__init__.py
        return importlib.import_module("motet.methods")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'motet' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
