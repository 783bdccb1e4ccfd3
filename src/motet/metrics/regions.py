"""Named vertex sets ("lips", "upper face") with a digest that reports state.

The published sets belong to their owners and are read from the user's files: lists of numbers
(`lve.txt`, `fdd.txt` of CodeTalker), `FLAME_masks.pkl` (read without running it), `.npy`, `.json`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motet.array_files import read_array
from motet.config import parse_json
from motet.errors import AssetError, nearest

KNOWN_SIZES = {
    "biwi_codetalker_lips": 4996,
    "biwi_codetalker_upper": 7784,
    "flame_lips": 254,
    "facediffuser_lips": 428,
    "facediffuser_upper": 1501,
}
"""How many vertices the published sets have; a file that says it is one of them and has another
number is refused."""


@dataclasses.dataclass(frozen=True)
class Region:
    """A set of vertices with a name."""

    name: str
    indices: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Eight hex digits over the numbers in their order."""
        # A fixed integer type: the digest must not depend on the platform.
        return hashlib.sha256(np.asarray(self.indices, np.int64).tobytes()).hexdigest()[:8]

    @property
    def label(self) -> str:
        """As reports print it, e.g. `flame_lips_254 #1a2b3c4d`."""
        return f"{self.name}_{len(self.indices)} #{self.digest}"


def read_region(
    path: str | Path, name: str, part: str | Iterable[str] = "", verts: int | None = None
) -> Region:
    """A region from a file.

    Args:
        part: for files with several sets (FLAME masks, JSON objects): one, or several that are
            united, e.g. ("forehead", "eye_region").
        verts: vertices of the mesh; numbers beyond are an error.

    Raises:
        AssetError: not there, unreadable, without that part, or numbers that are no vertices of the
            mesh.
    """
    path = Path(path)
    try:
        result = _indices(path, (part,) if isinstance(part, str) else tuple(part))
    except FileNotFoundError as error:
        raise AssetError(
            f"{path} does not exist; regions are read from the files of the data set (see"
            " docs/benchmarks/evaluation.md)"
        ) from error
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise AssetError(f"{path} cannot be read as vertex numbers: {error}") from error
    if not result or min(result) < 0 or (verts is not None and max(result) >= verts):
        raise AssetError(
            f"{path} holds no vertex numbers of a mesh of {verts or 'any number of'} vertices"
        )
    if KNOWN_SIZES.get(name, len(result)) != len(result):
        raise AssetError(
            f"{path} has {len(result)} vertices, the published set {name!r} has"
            f" {KNOWN_SIZES[name]};"
            " give it another name"
        )
    return Region(name, tuple(result))


def _indices(path: Path, parts: tuple[str, ...]) -> list[int]:
    if path.suffix == ".npy":
        return [int(i) for i in read_array(path).reshape(-1)]
    if path.suffix == ".pkl":
        from motet.restricted_unpickle import read_inert

        # The published masks are pickles; they are read without running anything.
        return _part(read_inert(path.read_bytes()), parts, path)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return _part(parse_json(text), parts, path)
    return [int(number) for number in re.split(r"[\s,]+", text.strip()) if number]


def _part(content: object, parts: tuple[str, ...], path: Path) -> list[int]:
    if not isinstance(content, dict):
        return [int(i) for i in np.asarray(content).reshape(-1)]
    for part in parts:
        if part not in content:
            raise AssetError(f"{path} has no set {part!r}; {nearest(part, map(str, content))}")
    return list(
        # Sets overlap at their borders; each vertex counts once, first place wins.
        dict.fromkeys(int(i) for part in parts for i in np.asarray(content[part]).reshape(-1))
    )
