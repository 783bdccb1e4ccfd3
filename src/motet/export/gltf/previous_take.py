"""Removing the take that an earlier run of motet wrote into an avatar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.export.gltf.inspection import entries

MARK = "motet"
"""Key in the `extras` of animations that motet wrote, and of the asset."""


def remove_takes(content: dict[str, Any], data: bytes, path: Path) -> bytes:
    """Remove motet's animations, and their bytes where these are the last of the file."""
    asset = content.get("asset")
    by_motet = _marked(asset) if isinstance(asset, dict) else False
    animations = entries(content, "animations", path)
    old = [one for one in animations if _marked(one) or (by_motet and one.get("name") == "take")]
    if not old:
        return data
    content["animations"] = [one for one in animations if not any(one is take for take in old)]
    # Others may refer to the same times or values.
    unused = _accessors(old) - _accessors(content["animations"])
    if not content["animations"]:
        del content["animations"]
    return _without_last(content, data, unused, path)


def _marked(holder: dict[str, Any]) -> bool:
    extras = holder.get("extras")
    return isinstance(extras, dict) and MARK in extras


def _accessors(animations: list[dict[str, Any]]) -> set[int]:
    samplers = [
        sampler
        for animation in animations
        if isinstance(animation.get("samplers"), list)
        for sampler in animation["samplers"]
        if isinstance(sampler, dict)
    ]
    numbers = {number for sampler in samplers for number in map(sampler.get, ("input", "output"))
               if isinstance(number, int)}  # fmt: skip
    return numbers


def _without_last(content: dict[str, Any], data: bytes, unused: set[int], path: Path) -> bytes:
    """The bytes without those of unused accessors at the end; nothing refers to their numbers."""
    accessors = entries(content, "accessors", path)
    views = entries(content, "bufferViews", path)
    while accessors and len(accessors) - 1 in unused:
        view, last = accessors[-1].get("bufferView"), len(views) - 1
        # Only bytes at the very end can go without renumbering anything.
        if not views or view != last or _shared(content, last, path):
            break
        start, length = views[last].get("byteOffset", 0), views[last].get("byteLength")
        if not isinstance(start, int) or not isinstance(length, int) or start < 0:
            break
        # up to three bytes of padding
        if len(data) - (start + length) not in range(4) or "extensions" in views[last]:
            break
        accessors.pop()
        views.pop()
        data = data[:start]
    return data


def _shared(content: dict[str, Any], view: int, path: Path) -> bool:
    holders = [*entries(content, "accessors", path)[:-1], *entries(content, "images", path)]
    return any(holder.get("bufferView") == view or "sparse" in holder and _in_sparse(holder, view)
               for holder in holders)  # fmt: skip


def _in_sparse(accessor: dict[str, Any], view: int) -> bool:
    sparse = accessor["sparse"]
    parts = sparse.values() if isinstance(sparse, dict) else ()
    return any(isinstance(part, dict) and part.get("bufferView") == view for part in parts)
