"""Edits of a face take: layers over a base that never changes.

Layers are applied in their order; times are seconds. The page computes the same formulas while a
user drags (`studio/`); `tests/editing_cases.json` holds both to 1e-6.

| layer | effect at frame time t |
|---|---|
| `key {channels, t, value, in, out, mode}` | `set`: v + w (value - v); `add`: v + w value |
| `region {t0, t1, groups, gain, offset, fade}` | v + w (gain v + offset - v) |
| `shift {t0, t1, groups, dt}` | v + w (v(t - dt) - v): positive dt comes later |
| `take {t0, t1, groups, take_id, fade}` | v + w (other(t) - v) |
| `close_lips {t, width}` | lips closed by w, see `motet.face.lip_shapes.close_lips` |

w is 1 inside and falls to 0 outside over a cosine ramp. Weights stay in 0..1 after every layer.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float

from motet import config as settings
from motet.config import JsonValue
from motet.errors import ConfigError, SpaceError, nearest
from motet.face.lip_shapes import close_lips
from motet.types import ARKIT_SHAPES, Clip, Motion

Group = Literal["mouth", "brows", "eyes", "cheeks", "head"]
GROUPS: dict[str, tuple[str, ...]] = {
    "mouth": tuple(n for n in ARKIT_SHAPES if n.startswith(("jaw", "mouth", "tongue"))),
    "brows": tuple(n for n in ARKIT_SHAPES if n.startswith("brow")),
    "eyes": tuple(n for n in ARKIT_SHAPES if n.startswith("eye")),
    "cheeks": tuple(n for n in ARKIT_SHAPES if n.startswith(("cheek", "nose"))),
    "head": ("head.x", "head.y", "head.z"),
}
"""Channels that are edited together."""
CHANNELS = (*ARKIT_SHAPES, *GROUPS["head"])
"""Names of the numbers of a frame in the `arkit` space."""
SHIFT_FADE_S = 0.1
"""Ramp of a shift at both ends."""
MOST_LAYERS, LONGEST_RAMP_S, MOST_SHIFT_S = 10_000, 10.0, 0.2
KEY = "edits"
"""Where a take's provenance keeps its layers."""
_LOG = logging.getLogger("motet.run")
Values = Float[np.ndarray, "frames 55"]
Times = Float[np.ndarray, "frames"]


@dataclasses.dataclass(frozen=True)
class KeyLayer:
    """A key pose of some channels."""

    channels: tuple[str, ...]
    t: float
    value: float
    ramp_in: float = 0.1
    """Seconds before the key in which the value is approached (`in` in files)."""
    ramp_out: float = 0.1
    """Seconds after it in which the take is returned to (`out` in files)."""
    mode: Literal["set", "add"] = "set"


@dataclasses.dataclass(frozen=True)
class RegionLayer:
    """A stretch whose groups are scaled and moved."""

    t0: float
    t1: float
    groups: tuple[Group, ...]
    gain: float = 1.0
    offset: float = 0.0
    fade: float = 0.1
    """Seconds of the ramp outside each end."""


@dataclasses.dataclass(frozen=True)
class ShiftLayer:
    """A stretch whose groups come earlier or later."""

    t0: float
    t1: float
    groups: tuple[Group, ...]
    dt: float


@dataclasses.dataclass(frozen=True)
class TakeLayer:
    """A stretch whose groups come from another take of the same sound."""

    t0: float
    t1: float
    groups: tuple[Group, ...]
    take_id: str
    fade: float = 0.1


@dataclasses.dataclass(frozen=True)
class CloseLipsLayer:
    """Lips that are closed at a moment."""

    t: float
    width: float = 0.08
    """Seconds from open to open; the lips are closed in the middle."""


Layer: TypeAlias = KeyLayer | RegionLayer | ShiftLayer | TakeLayer | CloseLipsLayer
LAYERS: dict[str, type[Layer]] = {
    "key": KeyLayer,
    "region": RegionLayer,
    "shift": ShiftLayer,
    "take": TakeLayer,
    "close_lips": CloseLipsLayer,
}
_RENAMED = {"in": "ramp_in", "out": "ramp_out"}
Read = Callable[[str], Motion]
"""The motion of another take by its id."""


def layers_from_json(values: JsonValue) -> list[Layer]:
    """Layers from a JSON list.

    Raises:
        ConfigError: names the layer and what is wrong with it.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) > MOST_LAYERS:
        raise ConfigError(f"edits are a list of at most {MOST_LAYERS} layers")
    return [_layer(value, number) for number, value in enumerate(values)]


def layers_to_json(layers: Sequence[Layer]) -> list[JsonValue]:
    """The inverse of `layers_from_json`."""
    names = {kind: name for name, kind in LAYERS.items()}
    written = {long: short for short, long in _RENAMED.items()}
    return [
        {
            "type": names[type(layer)],
            **{written.get(k, k): v for k, v in settings.to_json(layer).items()},
        }
        for layer in layers
    ]


def _layer(value: JsonValue, number: int) -> Layer:
    if not isinstance(value, Mapping) or str(value.get("type")) not in LAYERS:
        raise ConfigError(f"layer {number} has no type; known: {', '.join(LAYERS)}")
    fields = {_RENAMED.get(k, k): v for k, v in value.items() if k != "type"}
    try:
        layer = settings.from_json(LAYERS[str(value["type"])], fields)
        _check(layer)
    except ConfigError as error:
        raise ConfigError(f"layer {number}: {error}") from error
    return layer


def _check(layer: Layer) -> None:
    for name, value in vars(layer).items():
        # also catches NaN, for which every comparison is false
        if isinstance(value, float) and not abs(value) <= 1e5:
            raise ConfigError(f"{name} must be a number of reasonable size, not {value}")
        if name in ("fade", "ramp_in", "ramp_out", "width") and not 0 <= value <= LONGEST_RAMP_S:
            raise ConfigError(f"{name} must lie between 0 and {LONGEST_RAMP_S:g} s, not {value}")
        known = {"channels": CHANNELS, "groups": tuple(GROUPS)}.get(name, ())
        for entry in value if known else ():
            if entry not in known:
                raise ConfigError(f"there is no {name[:-1]} {entry!r}; {nearest(entry, known)}")
    if not isinstance(layer, KeyLayer | CloseLipsLayer) and layer.t1 < layer.t0:
        raise ConfigError(f"t1 ({layer.t1}) lies before t0 ({layer.t0})")
    if isinstance(layer, ShiftLayer) and abs(layer.dt) > MOST_SHIFT_S:
        raise ConfigError(f"dt must lie between -{MOST_SHIFT_S} and {MOST_SHIFT_S} s")


def edited(motion: Motion, layers: Sequence[Layer], read: Read) -> Motion:
    """A face motion with layers applied.

    Args:
        read: gives the motions that `take` layers name.

    Raises:
        SpaceError: the motion is not a single face in the `arkit` space.
    """
    if motion.space.name != "arkit" or motion.values.ndim != 2:
        raise SpaceError(f"edits are for takes of a face (arkit), not {motion.space.name!r}")
    # in double: layers are sums over sums
    values = motion.values.double().cpu().numpy().copy()
    times = np.arange(len(values)) / motion.space.fps
    for layer in layers:
        values = _applied(layer, values, times, read)
        np.clip(values[:, : len(ARKIT_SHAPES)], 0, 1, out=values[:, : len(ARKIT_SHAPES)])
    # Weights within 0..1 that no layer touches keep their bits: float32 to float64 and back is
    # exact.
    return Motion(torch.from_numpy(values).to(motion.values), motion.space)


def edited_clip(clip: Clip, layers: Sequence[Layer], read: Read) -> Clip:
    """A take with layers applied, which its provenance lists.

    Raises:
        SpaceError: see `edited`; also a take without motion.
    """
    if clip.motion is None:
        raise SpaceError("the take has no motion to edit")
    facts = {**clip.provenance, KEY: layers_to_json(layers)}
    return dataclasses.replace(clip, motion=edited(clip.motion, layers, read), provenance=facts)


def _applied(layer: Layer, values: Values, times: Times, read: Read) -> Values:
    match layer:
        case KeyLayer():
            weight = ramp(times, layer.t, layer.t, layer.ramp_in, layer.ramp_out)
            columns = [CHANNELS.index(name) for name in layer.channels]
            old = values[:, columns]
            # set: towards the value; add: by the value
            step = layer.value - old if layer.mode == "set" else np.full_like(old, layer.value)
            return _with(values, columns, old + weight[:, None] * step)
        case RegionLayer():
            weight = ramp(times, layer.t0, layer.t1, layer.fade, layer.fade)
            columns = columns_of(layer.groups)
            old = values[:, columns]
            # v + w (gain v + offset - v)
            step = layer.gain * old + layer.offset - old
            return _with(values, columns, old + weight[:, None] * step)
        case ShiftLayer():
            weight = ramp(times, layer.t0, layer.t1, SHIFT_FADE_S, SHIFT_FADE_S)
            columns = columns_of(layer.groups)
            # positive dt: what was earlier is seen now
            other = sampled(values[:, columns], times, times - layer.dt)
            return _blended(values, columns, other, weight)
        case TakeLayer():
            weight = ramp(times, layer.t0, layer.t1, layer.fade, layer.fade)
            columns, motion = columns_of(layer.groups), read(layer.take_id)
            own = motion.values.double().cpu().numpy()[:, columns]
            other = sampled(own, np.arange(len(own)) / motion.space.fps, times)
            return _blended(values, columns, other, weight)
        case CloseLipsLayer():
            half = layer.width / 2
            weight = ramp(times, layer.t, layer.t, half, half)
            weight[_nearest_frame(times, layer.t)] = 1.0  # short closures fall between frames
            shapes = list(range(len(ARKIT_SHAPES)))
            return _with(values, shapes, close_lips(values[:, shapes], weight))
        case _:
            typing.assert_never(layer)


def ramp(times: Times, t0: float, t1: float, before: float, after: float) -> Times:
    """1 within t0..t1, falling to 0 over a cosine of that many seconds outside."""
    outside = np.maximum(
        # 0 inside, growing to 1 at the end of a ramp
        _share(np.maximum(t0 - times, 0), before),
        _share(np.maximum(times - t1, 0), after),
    )
    return 0.5 + 0.5 * np.cos(math.pi * np.minimum(outside, 1))


def _share(distance: Times, length: float) -> Times:
    """Distance over the length of a ramp; a ramp of no length is a step."""
    # 1e-9: a frame on the border counts as inside
    return distance / length if length > 0 else np.where(distance > 1e-9, 1.0, 0.0)


def sampled(values: np.ndarray, times: Times, moments: Times) -> np.ndarray:
    """Values at other moments: straight between frames, resting before the first and after the
    last.
    """
    result = np.empty((len(moments), values.shape[1]))
    for column, row in enumerate(values.T):
        result[:, column] = np.interp(moments, times, row)
    return result


def columns_of(groups: Sequence[str]) -> list[int]:
    """Where the channels of groups lie in a frame."""
    return [CHANNELS.index(name) for group in groups for name in GROUPS[group]]


def _blended(values: Values, columns: list[int], other: np.ndarray, weight: Times) -> Values:
    old = values[:, columns]
    return _with(values, columns, old + weight[:, None] * (other - old))


def _with(values: Values, columns: list[int], new: np.ndarray) -> Values:
    changed = values.copy()
    changed[:, columns] = new
    return changed


def _nearest_frame(times: Times, t: float) -> int:
    return int(np.argmin(np.abs(times - t)))


@dataclasses.dataclass(frozen=True)
class EditFile:
    """Edits of a take as the studio saves them."""

    layers: tuple[Layer, ...]
    seeds: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Seed of each take that a `take` layer names; all else is as in the edited take."""

    def seed_of(self, take: str) -> int:
        """The seed of a take that a layer names.

        Raises:
            ConfigError: the file does not tell it.
        """
        if take not in self.seeds:
            raise ConfigError(f"the edits name a take {take[:40]!r} whose seed they do not tell")
        return self.seeds[take]

    def applied(self, clip: Clip, generate: Callable[[int], Motion]) -> Clip:
        """A take with the edits.

        Args:
            generate: the motion of a seed, all else as in the clip.

        Raises:
            ConfigError: a layer names a take whose seed is not told.
        """
        if clip.motion is not None:
            seconds = clip.motion.seconds
            for layer in self.layers:
                start = layer.t if isinstance(layer, KeyLayer | CloseLipsLayer) else layer.t0
                if start > seconds:
                    _LOG.warning(
                        "an edit at %.2f s lies after the end of the take (%.2f s)", start, seconds
                    )
        generated = functools.cache(generate)
        return edited_clip(clip, self.layers, lambda take: generated(self.seed_of(take)))


def read_edit_file(text: str | bytes) -> EditFile:
    """Edits from the text of a file: a list of layers, or an object with `layers` and `seeds`.

    Raises:
        ConfigError: not JSON, or not edits.
    """
    try:
        content = settings.parse_json(text)
    except ValueError as error:
        raise ConfigError(f"the edits are not JSON: {str(error)[:80]}") from error
    if not isinstance(content, dict):
        return EditFile(tuple(layers_from_json(content)))
    seeds = content.get("seeds") or {}
    # `type` and not isinstance: true is an int in Python
    if not isinstance(seeds, dict) or not all(type(seed) is int for seed in seeds.values()):
        raise ConfigError("seeds of edits are an object: id of a take -> whole number")
    return EditFile(tuple(layers_from_json(content.get("layers"))), seeds)


def read_edits(text: str | bytes) -> list[Layer]:
    """Layers from the text of a file; see `read_edit_file`.

    Raises:
        ConfigError: not JSON, or not edits.
    """
    return list(read_edit_file(text).layers)
