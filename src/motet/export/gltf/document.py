"""Building a glTF document: arrays become buffer views and accessors."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

_COMPONENT = {
    "int8": 5120,
    "uint8": 5121,
    "int16": 5122,
    "uint16": 5123,
    "uint32": 5125,
    "float32": 5126,
}
_TYPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTICES, INDICES = 34962, 34963
"""Targets of buffer views."""


class Document:
    """JSON and bytes of a growing document.

    A list is created with its first entry, because glTF forbids empty lists.
    """

    def __init__(self, content: dict[str, Any] | None = None, data: bytes = b"") -> None:
        self.content: dict[str, Any] = (
            content if content is not None else {"asset": {"version": "2.0"}}
        )
        self._data = bytearray(data)

    @property
    def data(self) -> bytes:
        """All bytes."""
        return bytes(self._data)

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Append to one of the document's lists and return the index of the entry."""
        entries = self.content.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def view(self, array: np.ndarray | bytes, target: int | None = None) -> int:
        """Append bytes as a buffer view, aligned to four."""
        raw = array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes()
        # Accessors must start at multiples of their component size; four serves all.
        self._data += b"\0" * (-len(self._data) % 4)
        entry = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(raw)}
        self._data += raw
        return self.add("bufferViews", entry if target is None else {**entry, "target": target})

    def accessor(
        self,
        array: np.ndarray,
        *,
        target: int | None = None,
        normalized: bool = False,
        bounds: bool = False,
    ) -> int:
        """Append an array (count,) or (count, components).

        Args:
            bounds: state the smallest and largest value of each component (glTF asks for it for
                positions and times).
        """
        table = array.reshape(len(array), -1)
        entry: dict[str, Any] = {
            "bufferView": self.view(array, target),
            "componentType": _COMPONENT[array.dtype.name],
        }
        entry |= {"count": len(table), "type": _TYPE[table.shape[1]]}
        if normalized:
            entry["normalized"] = True
        # glTF demands bounds of positions and of animation times.
        if bounds:
            entry |= {"min": table.min(axis=0).tolist(), "max": table.max(axis=0).tolist()}
        return self.add("accessors", entry)

    def sparse(
        self,
        count: int,
        displacements: list[tuple[Int[np.ndarray, " moving"], Float[np.ndarray, "moving 3"]]],
    ) -> list[int]:
        """Append sparse displacements of `count` vertices and return one accessor for each.

        All share two buffer views. A displacement of no vertex at all is an accessor of zeros.
        """
        rows = [
            rows.astype(np.uint16 if count <= 65_536 else np.uint32) for rows, _ in displacements
        ]
        values = [values.astype(np.float32) for _, values in displacements]
        entries: list[int] = []
        if any(len(some) for some in rows):
            # All shapes share two views, one of indices and one of displacements.
            views = self.view(np.concatenate(rows)), self.view(np.concatenate(values))
        row_offset = value_offset = 0
        for some, moved in zip(rows, values, strict=True):
            low, high = (
                (moved.min(axis=0), moved.max(axis=0)) if len(moved) else (np.zeros(3), np.zeros(3))
            )
            # Vertices that are not listed do not move: the bounds include 0.
            if len(moved) < count:
                low, high = np.minimum(low, 0), np.maximum(high, 0)
            entry: dict[str, Any] = {
                "componentType": 5126,
                "count": count,
                "type": "VEC3",
                "min": low.tolist(),
                "max": high.tolist(),
            }
            if len(some):
                indices = {
                    "bufferView": views[0],
                    "byteOffset": row_offset,
                    "componentType": _COMPONENT[some.dtype.name],
                }
                entry["sparse"] = {
                    "count": len(some),
                    "indices": indices,
                    "values": {"bufferView": views[1], "byteOffset": value_offset},
                }
            entries.append(self.add("accessors", entry))
            row_offset, value_offset = row_offset + some.nbytes, value_offset + moved.nbytes
        return entries

    def finished(self) -> tuple[dict[str, Any], bytes]:
        """JSON and bytes; the JSON declares the length of the buffer."""
        if self._data:
            buffers = self.content.setdefault("buffers", [{}])
            buffers[0]["byteLength"] = len(self._data)
        return self.content, self.data
