"""A user's own assignment of an avatar's names (`--map FILE.json`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from motet.config import parse_json
from motet.errors import AssetError, ConfigError, nearest

BONES = ("head", "neck", "jaw", "leftEye", "rightEye")
MAX_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class AvatarMap:
    """Names assigned by hand."""

    shapes: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    """The avatar's morph target or expression -> ARKit shape or viseme; None keeps it still."""
    bones: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    """`head`, `neck`, `jaw`, `leftEye`, `rightEye` -> the avatar's node; None leaves it still."""

    def shapes_of(self, names: Iterable[str]) -> dict[str, str | None]:
        """The assignments by the avatar's names; also those written the other way round.

        Raises:
            ConfigError: neither side of an assignment is a name of the avatar.
        """
        known = set(names)
        shapes: dict[str, str | None] = {}
        for left, right in self.shapes.items():
            if left in known:
                shapes[left] = right
            # Written the other way round: ARKit name first.
            elif right in known and right is not None:
                shapes[right] = left
            else:
                raise ConfigError(
                    f"the map assigns {left[:40]!r}, which is neither a morph target nor an"
                    f" expression of the avatar; {nearest(left, sorted(known))}"
                )
        return shapes


def read_map(path: Path) -> AvatarMap:
    """Read `{"MyShape": "jawOpen", "Other": null, "bones": {"head": "MyBone"}}`.

    Raises:
        AssetError: the file is missing, or not such JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AssetError(f"{path} is larger than {MAX_BYTES} bytes and is not read")
        content = parse_json(path.read_bytes())
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise AssetError(f"{path} is not JSON: {str(error)[:80]}") from error
    bones = content.pop("bones", {}) if isinstance(content, dict) else None
    for part in (content, bones):
        if not isinstance(part, dict) or not all(
            value is None or isinstance(value, str) for value in part.values()
        ):
            raise AssetError(
                f"{path} is no map of an avatar; write it as"
                ' {"MyShape": "jawOpen", "Other": null, "bones": {"head": "MyBone"}}'
            )
    unknown = next((bone for bone in bones if bone not in BONES), None)
    if unknown is not None:
        raise AssetError(f"{path} maps the bone {unknown[:40]!r}; {nearest(unknown, BONES)}")
    return AvatarMap(content, bones)
