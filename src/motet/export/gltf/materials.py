"""Materials of a user's glTF file as far as they are drawn: base colour, its texture, opacity."""

from __future__ import annotations

import dataclasses
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Float, UInt8

from motet.errors import AssetError
from motet.export.gltf.accessors import Arrays
from motet.export.gltf.inspection import entries, entry

OPAQUE, MASK, BLEND = 0, 1, 2
MOST_PIXELS = 8192
"""Of a texture's side; larger ones are refused."""
_TOON = ("KHR_materials_unlit", "VRMC_materials_mtoon")
_WEBP = "EXT_texture_webp"
_PLAIN_TRANSFORM = (1.0, 1.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class DrawnMaterial:
    """What is drawn of a material."""

    colour: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    """Linear light and opacity."""
    texture: int = -1
    """Index of its image; -1: none."""
    coordinates: str = "TEXCOORD_0"
    """Attribute with its texture coordinates."""
    transform: tuple[float, float, float, float] = _PLAIN_TRANSFORM
    """Of texture coordinates: scale u, v, offset u, v."""
    opacity: int = OPAQUE
    cutoff: float = 0.5
    """Least opacity that is drawn, of `MASK`."""
    two_sided: bool = False
    toon: bool = False
    """It is drawn in two flat tones, as VRM programs do."""


def read_materials(content: dict[str, Any], path: Path) -> list[DrawnMaterial]:
    """All materials of a file.

    Raises:
        AssetError: numbers that are none, or textures that do not exist.
    """
    toon = _toon_of_vrm_0(content)
    materials = entries(content, "materials", path)
    return [
        _material(content, one, path, toon=number in toon) for number, one in enumerate(materials)
    ]


def _toon_of_vrm_0(content: dict[str, Any]) -> set[int]:
    """Materials that VRM 0 draws with MToon; they stand beside those of glTF."""
    extensions = content.get("extensions")
    vrm = extensions.get("VRM") if isinstance(extensions, dict) else None
    listed = vrm.get("materialProperties") if isinstance(vrm, dict) else None
    materials = listed if isinstance(listed, list) else []
    return {
        number
        for number, one in enumerate(materials)
        if isinstance(one, dict) and "MToon" in str(one.get("shader", ""))
    }


def _material(
    content: dict[str, Any], one: dict[str, Any], path: Path, *, toon: bool
) -> DrawnMaterial:
    shading = one.get("pbrMetallicRoughness")
    shading = shading if isinstance(shading, dict) else {}
    extensions = one.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    red, green, blue, alpha = _numbers(shading.get("baseColorFactor", (1, 1, 1, 1)), 4, path)
    (cutoff,) = _numbers([one.get("alphaCutoff", 0.5)], 1, path)
    info = shading.get("baseColorTexture")
    info = info if isinstance(info, dict) else None
    return DrawnMaterial(
        (red, green, blue, alpha),
        -1 if info is None else _image_of(content, info, path),
        f"TEXCOORD_{_coordinates(info)}",
        _transform(info, path),
        {"MASK": MASK, "BLEND": BLEND}.get(str(one.get("alphaMode")), OPAQUE),
        cutoff,
        one.get("doubleSided") is True,
        toon or any(name in extensions for name in _TOON),
    )


def _coordinates(info: dict[str, Any] | None) -> int:
    number = 0 if info is None else info.get("texCoord", 0)
    return number if isinstance(number, int) and 0 <= number < 8 else 0


def _transform(info: dict[str, Any] | None, path: Path) -> tuple[float, float, float, float]:
    """`KHR_texture_transform` without its rotation."""
    extensions = None if info is None else info.get("extensions")
    transform = extensions.get("KHR_texture_transform") if isinstance(extensions, dict) else None
    if not isinstance(transform, dict):
        return _PLAIN_TRANSFORM
    across, down = _numbers(transform.get("scale", (1, 1)), 2, path)
    right, below = _numbers(transform.get("offset", (0, 0)), 2, path)
    return across, down, right, below


def _image_of(content: dict[str, Any], info: dict[str, Any], path: Path) -> int:
    """The image of a texture; WebP stands in an extension. -1 for kinds that are not read."""
    texture = entry(content, "textures", info.get("index"), path)
    extensions = texture.get("extensions")
    webp = extensions.get(_WEBP) if isinstance(extensions, dict) else None
    holder = webp if isinstance(webp, dict) else texture
    if "source" not in holder:
        return -1  # KTX2 and the like, for which programs have a fallback or none
    entry(content, "images", holder["source"], path)
    return holder["source"]


def _numbers(values: Any, count: int, path: Path) -> tuple[float, ...]:
    try:
        numbers = np.array(values, np.float64)
        if numbers.shape == (count,) and bool((np.abs(numbers) < 1e6).all()):
            return tuple(map(float, numbers))
    except (TypeError, ValueError, OverflowError):
        pass
    raise AssetError(f"{path} is damaged: a material with numbers that are none")


def undrawn(content: dict[str, Any], path: Path) -> list[str]:
    """What of a file's materials pictures leave out, by its names in glTF.

    Raises:
        AssetError: materials or textures that are not as glTF says.
    """
    names = set[str]()
    for one in entries(content, "materials", path):
        names |= {name for name in ("normalTexture", "emissiveTexture") if name in one}
        shading = one.get("pbrMetallicRoughness")
        if isinstance(shading, dict) and "metallicRoughnessTexture" in shading:
            names.add("metallicRoughnessTexture")
    known = {"image/png", "image/jpeg", "image/webp"}
    others = {str(one.get("mimeType")) for one in entries(content, "images", path)} - known
    return [*sorted(names), *sorted(others - {"None"})]


def read_image(
    content: dict[str, Any], number: int, arrays: Arrays, path: Path, most: int
) -> UInt8[np.ndarray, "height width 4"] | None:
    """Red, green, blue and opacity of an image inside the file, at most `most` pixels wide or high.

    None for formats that are not read (KTX2) and damaged images: they are drawn without a texture.

    Raises:
        AssetError: the image lies outside of the file, or is too large.
    """
    image = entry(content, "images", number, path)
    if "bufferView" not in image:
        return None
    raw, _ = arrays.view(image["bufferView"])
    try:
        with av.open(BytesIO(raw)) as container:
            stream = container.streams.video[0]
            if max(stream.width, stream.height) > MOST_PIXELS:
                raise AssetError(
                    f"{path} has a texture of {stream.width} x {stream.height} pixels; make it"
                    f" {MOST_PIXELS} or smaller"
                )
            frame = next(container.decode(stream))
    except (av.FFmpegError, StopIteration, IndexError, ValueError, OSError):
        return None
    # Close to the picture's own resolution: no texel is skipped when it is drawn.
    shrink = min(1.0, most / max(frame.width, frame.height))
    width, height = (max(1, round(shrink * side)) for side in (frame.width, frame.height))
    return np.ascontiguousarray(frame.reformat(width, height, format="rgba").to_ndarray())


def vertex_colours(
    arrays: Arrays, attributes: dict[str, Any], content: dict[str, Any], count: int, path: Path
) -> Float[np.ndarray, "verts 4"]:
    """Colours of vertices, by which the material's are multiplied; white where there are none."""
    colours = np.ones((count, 4))
    if "COLOR_0" in attributes:
        accessor = entry(content, "accessors", attributes["COLOR_0"], path)
        kind = "VEC4" if accessor.get("type") == "VEC4" else "VEC3"
        stored = arrays.read(attributes["COLOR_0"], kind)
        if len(stored) == count:
            colours[:, : stored.shape[1]] = stored
    return colours
