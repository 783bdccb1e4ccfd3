"""The BVH format: a tree of joints with offsets and channels, and a table of numbers a frame."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError

LONGEST_FRAMES, LONGEST_TEXT = 2_000_000, 1 << 29
_POSITIONS, _ROTATIONS = (
    ("Xposition", "Yposition", "Zposition"),
    (
        "Xrotation",
        "Yrotation",
        "Zrotation",
    ),
)


@dataclasses.dataclass(frozen=True)
class BvhJoint:
    """One joint as the file has it."""

    name: str
    parent: int
    """-1 for the root."""
    offset: tuple[float, float, float]
    """From the parent, in the file's unit."""
    channels: tuple[str, ...]
    """Names in file order, e.g. `Zrotation`; rotations apply right to left: R = R(first) R(second)
    R(third)."""
    end: tuple[float, float, float] | None = None
    """Offset of the end site, where there is one."""


@dataclasses.dataclass(frozen=True)
class Bvh:
    """A whole file."""

    joints: tuple[BvhJoint, ...]
    frames: Float[np.ndarray, "frames channels"]
    """Degrees and the file's unit of length, in the order of the joints and their channels."""
    frame_time_s: float

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the joints."""
        return tuple(joint.name for joint in self.joints)

    @property
    def parents(self) -> tuple[int, ...]:
        """Number of each joint's parent."""
        return tuple(joint.parent for joint in self.joints)

    def local_rotations(self) -> Float[np.ndarray, "frames joints 3 3"]:
        """Rotation of every joint against its parent."""
        from scipy.spatial.transform import Rotation

        turns = np.tile(np.eye(3), (len(self.frames), len(self.joints), 1, 1))
        for number, (joint, first) in enumerate(zip(self.joints, self._starts(), strict=True)):
            columns = [first + k for k, name in enumerate(joint.channels) if name in _ROTATIONS]
            order = "".join(name[0] for name in joint.channels if name in _ROTATIONS)
            if order:
                turns[:, number] = (
                    Rotation.from_euler(order, self.frames[:, columns], degrees=True)
                    .as_matrix()
                    .reshape(-1, 3, 3)
                )
        return turns

    def local_positions(self) -> Float[np.ndarray, "frames joints 3"]:
        """Offset of every joint from its parent: position channels take the place of the fixed
        offset.
        """
        places = np.tile(
            np.array([joint.offset for joint in self.joints]), (len(self.frames), 1, 1)
        )
        for number, (joint, first) in enumerate(zip(self.joints, self._starts(), strict=True)):
            for k, name in enumerate(joint.channels):
                if name in _POSITIONS:
                    places[:, number, _POSITIONS.index(name)] = self.frames[:, first + k]
        return places

    def world(
        self,
    ) -> tuple[Float[np.ndarray, "frames joints 3 3"], Float[np.ndarray, "frames joints 3"]]:
        """Rotation and place of every joint in the world of the file."""
        turns, places = self.local_rotations(), self.local_positions()
        for number, joint in enumerate(self.joints):
            if joint.parent >= 0:
                places[:, number] = places[:, joint.parent] + np.einsum(
                    "fij,fj->fi", turns[:, joint.parent], places[:, number]
                )
                turns[:, number] = turns[:, joint.parent] @ turns[:, number]
        return turns, places

    def _starts(self) -> list[int]:
        counts = [len(joint.channels) for joint in self.joints]
        return [sum(counts[:number]) for number in range(len(counts))]


def read_bvh(path: Path) -> Bvh:
    """Read a BVH file, gzip-compressed if its name ends in `.gz`.

    Raises:
        AssetError: missing, not BVH, or damaged; says where.
    """
    path = Path(path)
    try:
        with (
            gzip.open(path, "rt", encoding="ascii", errors="replace")
            if path.suffix == ".gz"
            else path.open(encoding="ascii", errors="replace")
        ) as file:
            text = file.read(LONGEST_TEXT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise AssetError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if len(text) > LONGEST_TEXT:
        raise AssetError(
            f"{path} is longer than {LONGEST_TEXT} characters and is refused; cut it into takes"
        )
    head, found, body = text.partition("MOTION")
    if not found or "HIERARCHY" not in head:
        raise AssetError(f"{path} is not a BVH file: it needs the words HIERARCHY and MOTION")
    try:
        joints = _hierarchy(head.split())
        if not np.isfinite([joint.offset for joint in joints]).all():
            raise ValueError("an offset is not finite")
        frames, frame_time = _motion(body, sum(len(joint.channels) for joint in joints))
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path} is damaged: {error}") from error
    return Bvh(joints, frames, frame_time)


def _hierarchy(words: Sequence[str]) -> tuple[BvhJoint, ...]:
    joints: list[BvhJoint] = []
    open_joints: list[int] = []
    place = list(words).index("HIERARCHY") + 1
    in_end = False
    while place < len(words):
        word = words[place]
        if word in ("ROOT", "JOINT"):
            joints.append(
                BvhJoint(
                    words[place + 1], open_joints[-1] if open_joints else -1, (0.0, 0.0, 0.0), ()
                )
            )
            open_joints.append(len(joints) - 1)
            place += 2
        elif word == "End":
            in_end = True
            place += 2
        elif word == "OFFSET":
            offset = (float(words[place + 1]), float(words[place + 2]), float(words[place + 3]))
            joints[open_joints[-1]] = dataclasses.replace(
                joints[open_joints[-1]], **{"end" if in_end else "offset": offset}
            )
            place += 4
        elif word == "CHANNELS":
            count = int(words[place + 1])
            names = tuple(words[place + 2 : place + 2 + count])
            if not set(names) <= {*_POSITIONS, *_ROTATIONS} or not 0 <= count <= 6:
                raise ValueError(f"channels {names} are not known")
            joints[open_joints[-1]] = dataclasses.replace(joints[open_joints[-1]], channels=names)
            place += 2 + count
        elif word == "}":
            if in_end:
                in_end = False
            else:
                open_joints.pop()
            place += 1
        else:
            place += 1
    if (
        not joints
        or open_joints
        or joints[0].parent != -1
        or any(joint.parent == -1 for joint in joints[1:])
    ):
        raise ValueError("its tree of joints does not close, or has not one root")
    return tuple(joints)


def _motion(text: str, channels: int) -> tuple[np.ndarray, float]:
    words = text.split()
    if words[0] != "Frames:" or words[2:4] != ["Frame", "Time:"]:
        raise ValueError("after MOTION the lines 'Frames: n' and 'Frame Time: s' are needed")
    count, frame_time = int(words[1]), float(words[4])
    if not 0 < count <= LONGEST_FRAMES or not 1e-4 < frame_time < 10:
        raise ValueError(f"{count} frames of {frame_time} s are not possible")
    numbers = np.array(words[5:], np.float64)
    if len(numbers) < count * channels:
        raise ValueError(
            f"{count} frames of {channels} numbers were promised, {len(numbers)} numbers are there"
        )
    frames = numbers[: count * channels].reshape(count, channels)
    if not np.isfinite(frames).all():
        raise ValueError("it contains numbers that are not finite")
    return frames, frame_time


def write_text(bvh: Bvh) -> str:
    """The file's text. Numbers have six decimals, the frame time ten: at 30 fps fewer drift from
    the sound.
    """
    lines = ["HIERARCHY"]
    children = [
        [k for k, joint in enumerate(bvh.joints) if joint.parent == number]
        for number in range(len(bvh.joints))
    ]

    order: list[int] = []

    def write(number: int, depth: int) -> None:
        order.append(number)
        joint, indent = bvh.joints[number], "\t" * depth
        lines.extend(
            [f"{indent}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}", f"{indent}{{"]
        )
        lines.append(f"{indent}\tOFFSET {_numbers(joint.offset)}")
        lines.append(f"{indent}\tCHANNELS {len(joint.channels)} {' '.join(joint.channels)}")
        for child in children[number]:
            write(child, depth + 1)
        if joint.end is not None:
            lines.extend(
                [
                    f"{indent}\tEnd Site",
                    f"{indent}\t{{",
                    f"{indent}\t\tOFFSET {_numbers(joint.end)}",
                    f"{indent}\t}}",
                ]
            )
        lines.append(f"{indent}}}")

    write(0, 0)
    lines += ["MOTION", f"Frames: {len(bvh.frames)}", f"Frame Time: {bvh.frame_time_s:.10f}"]
    # Columns stand in the order in which the joints are written, which is by depth first.
    starts = np.cumsum([0, *(len(joint.channels) for joint in bvh.joints)])
    columns = np.concatenate([np.arange(starts[number], starts[number + 1]) for number in order])
    lines += [_numbers(row) for row in bvh.frames[:, columns]]
    return "\n".join(lines) + "\n"


def _numbers(values: Sequence[float] | np.ndarray) -> str:
    # Adding zero turns -0.0 into 0.0.
    return " ".join(f"{round(float(value), 6) + 0.0:.6f}" for value in values)
