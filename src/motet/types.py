"""The data that crosses every public boundary: tensors together with the facts needed to use them.

World: right-handed, +Y up, +Z to the front (a face looks to +Z), metres, radians, seconds. Left and
Right are the character's own. Frame i lies at i / fps seconds; a sound of d seconds has round(d *
fps) frames.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeVar, cast

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet.audio_types import SURROUND as SURROUND
from motet.audio_types import Audio as Audio
from motet.audio_types import AudioSource
from motet.audio_types import Layout as Layout
from motet.config import JsonValue
from motet.errors import SpaceError, nearest

_SHAPE_NAMES = """
    browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
    cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
    eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft
    eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft
    mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight
    mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft
    noseSneerRight tongueOut
"""
ARKIT_SHAPES: tuple[str, ...] = tuple(_SHAPE_NAMES.split())
"""The 52 ARKit blendshapes in the house order: alphabetical. Other programs use other orders;
always go by name."""
EYE_FULL_RAD: Mapping[str, float] = {"In": 0.60, "Out": 0.60, "Down": 0.61, "Up": 0.46}
"""Rotation of an eyeball at full weight of an eyeLook shape, radians (34, 35 and 26 degrees), as
measured in recordings of the iPhone; the house figure is scaled to it."""


def frame_count(seconds: float, fps: float) -> int:
    """Frames of a sound of this length: round(seconds * fps), halves up, at least one."""
    # floor(x + 1/2): Python's round goes to the even neighbour; 1e-9 for products like 0.3 * 25.
    return max(1, math.floor(seconds * fps + 0.5 + 1e-9))


@dataclasses.dataclass(frozen=True)
class Track:
    """One named part of a motion vector."""

    name: str
    shape: tuple[int, ...]
    """Sizes of the part, e.g. (52,) or (25, 6)."""
    unit: str
    """What one number means, e.g. `weight 0..1`, `axis-angle rad`, `m`."""
    channels: tuple[str, ...] = ()
    """Names along the last axis where they have names."""

    @property
    def size(self) -> int:
        """Numbers a frame."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class MotionSpace:
    """What the numbers of a motion mean: named tracks, one after the other, at a frame rate."""

    name: str
    tracks: tuple[Track, ...]
    fps: float

    def __post_init__(self) -> None:
        if self.fps <= 0:
            raise SpaceError(f"fps must be positive, not {self.fps}")

    @property
    def dim(self) -> int:
        """Numbers a frame over all tracks."""
        return sum(track.size for track in self.tracks)

    def track(self, name: str) -> Track:
        """The track of that name.

        Raises:
            SpaceError: there is none; names the tracks there are.
        """
        for track in self.tracks:
            if track.name == name:
                return track
        raise SpaceError(
            f"the space {self.name!r} has no track {name!r};"
            f" {nearest(name, [t.name for t in self.tracks])}"
        )

    def range(self, name: str) -> slice:
        """Where a track lies in the flat vector."""
        # last index of each track, exclusive
        stops = list(itertools.accumulate(track.size for track in self.tracks))
        index = self.tracks.index(self.track(name))
        return slice(stops[index] - self.tracks[index].size, stops[index])

    def index(self, name: str, channel: str) -> int:
        """Index of one named channel in the flat vector."""
        track = self.track(name)
        if channel not in track.channels:
            raise SpaceError(
                f"track {name!r} has no channel {channel!r}; {nearest(channel, track.channels)}"
            )
        return self.range(name).start + track.channels.index(channel)

    def at(self, fps: float) -> MotionSpace:
        """The same space at another frame rate."""
        return dataclasses.replace(self, fps=fps)


def arkit_space(fps: float = 25.0) -> MotionSpace:
    """The house space: 52 ARKit blendshape weights by name and the head's rotation."""
    return MotionSpace(
        "arkit",
        (
            Track("blendshapes", (52,), "weight 0..1", ARKIT_SHAPES),
            Track("head", (3,), "axis-angle rad", ("x", "y", "z")),
        ),
        fps,
    )


_BODY_TREE = """
    pelvis:- left_hip:pelvis right_hip:pelvis spine1:pelvis left_knee:left_hip right_knee:right_hip spine2:spine1
    left_ankle:left_knee right_ankle:right_knee spine3:spine2 left_foot:left_ankle right_foot:right_ankle neck:spine3
    left_collar:spine3 right_collar:spine3 head:neck left_shoulder:left_collar right_shoulder:right_collar
    left_elbow:left_shoulder right_elbow:right_shoulder left_wrist:left_elbow right_wrist:right_elbow jaw:head left_eye:head
    right_eye:head
"""
SMPLX25_JOINTS: tuple[str, ...] = tuple(entry.partition(":")[0] for entry in _BODY_TREE.split())
"""The first 25 joints of SMPL-X in its order."""
SMPLX25_PARENTS: tuple[int, ...] = tuple(
    # joint:parent; `-` for the root
    -1 if entry.endswith("-") else SMPLX25_JOINTS.index(entry.partition(":")[2])
    for entry in _BODY_TREE.split()
)
"""Number of each joint's parent; -1 for the pelvis."""


def smplx25_space(fps: float = 30.0) -> MotionSpace:
    """A whole body: where the pelvis is, and how each of 25 joints is turned against its parent.

    The pelvis' rotation is that against the world. In the rest pose, where all rotations are zero,
    the body stands upright with straight legs and the arms stretched out to the sides, and looks to
    +Z. A rotation is the first two rows of its matrix.
    """
    return MotionSpace(
        "smplx25",
        (Track("root", (3,), "m", ("x", "y", "z")), Track("joints", (25, 6), "rotation 6D rows")),
        fps,
    )


Conversion = Callable[["Motion", MotionSpace], "Motion"]
_CONVERSIONS: dict[tuple[str, str], Conversion] = {}


def register_conversion(source: str, target: str, conversion: Conversion) -> None:
    """Make `Motion.to` able to go from one space to another. Only for conversions that are real."""
    _CONVERSIONS[source, target] = conversion


@dataclasses.dataclass(frozen=True)
class Motion:
    """Motion in a stated space.

    Raises:
        SpaceError: the last axis has not the size of the space.
    """

    values: Float[Tensor, "*batch frames dim"]
    space: MotionSpace

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or self.values.shape[-1] != self.space.dim:
            raise SpaceError(
                f"motion in {self.space.name!r} needs the axes (..., frames, {self.space.dim}),"
                f" these are {tuple(self.values.shape)}"
            )

    def __getitem__(self, track: str) -> Tensor:
        """View of one track, in that track's shape."""
        # (*batch, frames, size) to (*batch, frames, *shape)
        return self.values[..., self.space.range(track)].unflatten(
            -1, self.space.track(track).shape
        )

    def channel(self, track: str, channel: str) -> Float[Tensor, "*batch frames"]:
        """View of one named channel."""
        return self.values[..., self.space.index(track, channel)]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.values.shape[-2]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.space.fps

    def with_track(self, name: str, values: Tensor) -> Motion:
        """A copy in which one track is replaced."""
        copy = self.values.clone()
        # the axes of the track joined to one
        copy[..., self.space.range(name)] = values.flatten(-len(self.space.track(name).shape))
        return Motion(copy, self.space)

    def slice(self, start: int, stop: int | None = None) -> Motion:
        """The frames from `start` to `stop`."""
        return Motion(self.values[..., start:stop, :], self.space)

    def item(self, index: int) -> Motion:
        """One item of a batch."""
        return Motion(self.values[index], self.space)

    @classmethod
    def joined(cls, pieces: Sequence[Self]) -> Motion:
        """Motions of one space, one after the other."""
        return Motion(torch.cat([piece.values for piece in pieces], dim=-2), pieces[0].space)

    def to(self, space: MotionSpace) -> Motion:
        """The same motion in another space, where a real conversion exists.

        Raises:
            SpaceError: no conversion is known; names those that are.
        """
        if space.name == self.space.name and space.tracks == self.space.tracks:
            return self if space.fps == self.space.fps else self.at(space.fps)
        conversion = _CONVERSIONS.get((self.space.name, space.name))
        if conversion is None:
            known = [f"{a} -> {b}" for a, b in _CONVERSIONS if a == self.space.name]
            raise SpaceError(
                f"no conversion {self.space.name} -> {space.name}; from here there is"
                f" {', '.join(known) or 'none'}"
            )
        return conversion(self, space)

    def at(self, fps: float) -> Motion:
        """Resampled in time by linear interpolation; lasts as long as before (to within half a
        frame).
        """
        count = frame_count(self.seconds, fps)
        # double precision: frame numbers of an hour times a ratio
        position = (torch.arange(count, dtype=torch.float64) * (self.space.fps / fps)).clamp(
            max=self.frames - 1
        )
        left = position.floor().long()
        right = (left + 1).clamp(max=self.frames - 1)
        share = (position - left).to(self.values.dtype).unsqueeze(-1)
        values = self.values[..., left, :] * (1 - share) + self.values[..., right, :] * share
        return Motion(values, self.space.at(fps))


@dataclasses.dataclass(frozen=True)
class Topology:
    """Triangles over a set of vertices; shared by all frames of a mesh."""

    faces: Int[Tensor, "faces 3"]
    """Vertex numbers, counter-clockwise seen from outside."""


@dataclasses.dataclass(frozen=True)
class Meshes:
    """Posed surfaces, metres."""

    vertices: Float[Tensor, "*batch frames verts 3"]
    topology: Topology


@dataclasses.dataclass(frozen=True)
class Frames:
    """Pictures, sRGB, row 0 at the top."""

    rgb: UInt8[Tensor, "*batch frames height width 3"]
    fps: float

    @property
    def frames(self) -> int:
        """Number of pictures."""
        return self.rgb.shape[-4]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.fps

    def slice(self, start: int, stop: int | None = None) -> Frames:
        """The pictures from `start` to `stop`."""
        return Frames(self.rgb[..., start:stop, :, :, :], self.fps)

    def item(self, index: int) -> Frames:
        """One item of a batch."""
        return Frames(self.rgb[index], self.fps)

    @classmethod
    def joined(cls, pieces: Sequence[Self]) -> Frames:
        """Pictures of one rate, one after the other."""
        return Frames(torch.cat([piece.rgb for piece in pieces], dim=-4), pieces[0].fps)


OutT = TypeVar("OutT", bound=Motion | Frames)
"""What a method generates: motion, or pictures."""


def concatenate(pieces: Sequence[OutT]) -> OutT:
    """Motions of one space, or pictures of one rate, one after the other."""
    return cast(Callable[[Sequence[OutT]], OutT], type(pieces[0]).joined)(pieces)


def item_of(out: OutT, index: int) -> OutT:
    """One item of a batch of motion or pictures."""
    return cast(OutT, out.item(index))


@dataclasses.dataclass(frozen=True)
class Clip:
    """Motion or pictures with their sound on one clock, and how they were made."""

    audio: AudioSource | None
    motion: Motion | None
    frames: Frames | None = None
    provenance: Mapping[str, JsonValue] = dataclasses.field(default_factory=dict)
    """Of takes: method, weights digest, seed, options, source file. Of data: licence, speaker,
    language, phones."""
