"""Arrays of untrusted glTF files: every offset, count and index is checked before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motet.errors import AssetError
from motet.export.gltf.inspection import entry

MAX_ELEMENTS = 20_000_000
"""Of one array, counted in numbers."""
_COMPONENTS = {
    5120: np.dtype("<i1"), 5121: np.dtype("<u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
    5125: np.dtype("<u4"), 5126: np.dtype("<f4"),
}  # fmt: skip
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Arrays:
    """The arrays of one file.

    Args:
        content: the document.
        data: the bytes of its own buffer.
        path: named in errors.
    """

    def __init__(self, content: dict[str, Any], data: bytes, path: Path) -> None:
        self._content, self._data, self._path = content, data, path

    def read(self, number: Any, kind: str) -> np.ndarray:
        """One accessor as float64 or integers, (count, components); `SCALAR`s as (count,).

        Normalised integers become fractions.

        Raises:
            AssetError: the accessor is of another kind, compressed, or leads outside the file.
        """
        accessor = entry(self._content, "accessors", number, self._path)
        if accessor.get("type") != kind:
            raise self._damaged(f"array {number} is no {kind}")
        count, size = self._whole(accessor, "count"), _SIZES[kind]
        if count * size > MAX_ELEMENTS:
            raise self._damaged(f"array {number} has {count} entries")
        component = self._component(accessor)
        if "bufferView" in accessor:
            values = self._table(accessor, component, count, size)
        else:
            values = np.zeros((count, size), component)
        if "sparse" in accessor:
            values = self._with_sparse(values, accessor["sparse"], component, size)
        if not np.isfinite(values).all():
            raise self._damaged(f"array {number} has numbers that are not finite")
        values = _fractions(values) if accessor.get("normalized") is True else values
        return values[:, 0] if kind == "SCALAR" else values

    def view(self, number: Any) -> tuple[bytes, int]:
        """Bytes of a buffer view, and its stride (0: packed).

        Raises:
            AssetError: it is compressed, in another buffer, or leads outside the file.
        """
        view = entry(self._content, "bufferViews", number, self._path)
        extensions = view.get("extensions")
        if isinstance(extensions, dict) and "EXT_meshopt_compression" in extensions:
            raise AssetError(
                f"{self._path} has compressed meshes (EXT_meshopt_compression), which cannot be"
                " drawn; save it without compression, or write a .glb, which keeps them"
            )
        start, length = self._whole(view, "byteOffset", 0), self._whole(view, "byteLength")
        if view.get("buffer") != 0 or start + length > len(self._data):
            raise self._damaged(f"block {number} lies outside of it")
        return self._data[start : start + length], self._whole(view, "byteStride", 0)

    def _table(
        self, holder: dict[str, Any], component: np.dtype, count: int, size: int
    ) -> np.ndarray:
        raw, stride = self.view(holder["bufferView"])
        start, width = self._whole(holder, "byteOffset", 0), size * component.itemsize
        stride = stride or width
        if count and (stride < width or start + stride * (count - 1) + width > len(raw)):
            raise self._damaged("an array is longer than its block")
        return np.ndarray((count, size), component, raw, start, (stride, component.itemsize)).copy()

    def _with_sparse(
        self, values: np.ndarray, sparse: Any, component: np.dtype, size: int
    ) -> np.ndarray:
        """Values of some rows that replace those of the array."""
        if not isinstance(sparse, dict):
            raise self._damaged("a sparse array without indices")
        count, indices, changed = (sparse.get(key) for key in ("count", "indices", "values"))
        if (
            not isinstance(count, int) or not 0 < count <= len(values)
            or not isinstance(indices, dict) or not isinstance(changed, dict)
            or "bufferView" not in indices or "bufferView" not in changed
        ):  # fmt: skip
            raise self._damaged("a sparse array without indices")
        rows = self._table(indices, self._component(indices), count, 1)[:, 0]
        if rows.dtype.kind != "u" or rows.max() >= len(values):
            raise self._damaged("a sparse array with an index outside of it")
        values[rows] = self._table(changed, component, count, size)
        return values

    def _component(self, holder: dict[str, Any]) -> np.dtype:
        component = _COMPONENTS.get(holder.get("componentType"))
        if component is None:
            raise self._damaged("an array of an unknown type")
        return component

    def _whole(self, holder: dict[str, Any], key: str, default: int | None = None) -> int:
        value = holder.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
            raise self._damaged(f"{key} is {str(value)[:20]}")
        return value

    def _damaged(self, what: str) -> AssetError:
        return AssetError(f"{self._path} is damaged: {what}")


def _fractions(values: np.ndarray) -> np.ndarray:
    """Normalised integers: the largest is 1, the smallest signed one is -1."""
    most = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1
    return np.maximum(values.astype(np.float64) / most, -1.0)
