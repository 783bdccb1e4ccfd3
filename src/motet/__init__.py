"""motet: sound in, human motion out.

Five published systems behind one interface. Everything here is loaded on first use, so that
importing the package and asking the command line for help cost nothing::

    import motet

    take = motet.run("speech.wav", method="artalk", seed=3)
    take.save("take.glb")
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOME = {
    "Audio": "motet.types",
    "Clip": "motet.types",
    "Frames": "motet.types",
    "Meshes": "motet.types",
    "Motion": "motet.types",
    "MotionSpace": "motet.types",
    "Rig": "motet.rigs.rig",
    "Method": "motet.method",
    "methods": "motet.registry",
    "load": "motet.session",
    "run": "motet.session",
    "stream": "motet.session",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'motet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
