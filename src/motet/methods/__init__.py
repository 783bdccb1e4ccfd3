"""One folder per method, the same files in each; methods never import one another.

The package can be called: `motet.methods()` lists all methods. `import motet.methods.artalk` binds
the name `methods` of `motet` to this package, so the function and the package must be one object.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import sys
import types
from functools import cache

from motet.method import MethodSpec

ENTRY_POINTS = "motet.methods"
"""Group of the entry points by which other distributions add methods."""


@cache
def find_methods() -> dict[str, MethodSpec]:
    """All methods by name: the folders here and the entry points, each with a `SPEC`.

    No model code is imported.
    """
    folders = [entry.name for entry in pkgutil.iter_modules(__path__) if entry.ispkg]
    specs = [importlib.import_module(f"{__name__}.{name}").SPEC for name in folders]
    entries = importlib.metadata.entry_points(group=ENTRY_POINTS)
    specs += [entry.load() for entry in entries]
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.name)}


class _CallablePackage(types.ModuleType):
    def __call__(self) -> dict[str, MethodSpec]:
        """All methods by name."""
        return find_methods()


sys.modules[__name__].__class__ = _CallablePackage
