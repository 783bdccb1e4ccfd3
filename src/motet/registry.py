"""Finding methods: every folder under `src/motet/methods` and every entry point of the group
`motet.methods` with a `SPEC`.

No model code is imported by looking.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from functools import cache

from motet import methods as _folder
from motet.errors import ConfigError, nearest
from motet.method import MethodSpec

DEFAULT = "artalk"


@cache
def methods() -> dict[str, MethodSpec]:
    """All methods by name."""
    found: dict[str, MethodSpec] = {}
    for module in pkgutil.iter_modules(_folder.__path__):
        if module.ispkg:
            spec = importlib.import_module(f"{_folder.__name__}.{module.name}").SPEC
            found[spec.name] = spec
    for entry in importlib.metadata.entry_points(group="motet.methods"):
        spec = entry.load()
        found[spec.name] = spec
    return dict(sorted(found.items()))


def method_spec(name: str) -> MethodSpec:
    """The method of that name.

    Raises:
        ConfigError: there is none; names those there are.
    """
    known = methods()
    if name not in known:
        raise ConfigError(f"no method {name!r}; {nearest(name, known)}")
    return known[name]


def specs_of(names: str) -> tuple[MethodSpec, ...]:
    """The methods that a name, or two names with a comma between them, stand for.

    Raises:
        ConfigError: no such method, or two that do not make one figure (a face and a body do).
    """
    found = tuple(method_spec(name.strip()) for name in names.split(","))
    if len(found) > 1 and sorted(spec.space for spec in found) != ["arkit", "smplx25"]:
        spaces = ", ".join(f"{spec.name} ({spec.space})" for spec in found)
        raise ConfigError(
            "together run one method for the face (arkit) and one for the body (smplx25), not"
            f" {spaces}"
        )
    return found
