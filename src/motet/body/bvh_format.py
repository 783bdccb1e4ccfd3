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

MAX_FRAMES, MAX_CHARACTERS = 2_000_000, 1 << 29
_POSITIONS = ("Xposition", "Yposition", "Zposition")
_ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")


@dataclasses.dataclass(frozen=True)
class BvhJoint:
    """One joint as the file has it."""

    name: str
    parent: int
    """-1 for the root."""
    offset: tuple[float, float, float]
    """From the parent, in the file's unit."""
    channels: tuple[str, ...]
    """Names in file order, e.g. `Zrotation`; the rotation is R(first) R(second) R(third)."""
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
        """Index of each joint's parent, -1 for the root."""
        return tuple(joint.parent for joint in self.joints)

    def local_rotations(self) -> Float[np.ndarray, "frames joints 3 3"]:
        """Rotation of every joint against its parent."""
        from scipy.spatial.transform import Rotation

        rotations = np.tile(np.eye(3), (len(self.frames), len(self.joints), 1, 1))
        for index, (joint, first) in enumerate(zip(self.joints, self._starts(), strict=True)):
            columns = [first + k for k, name in enumerate(joint.channels) if name in _ROTATIONS]
            order = "".join(name[0] for name in joint.channels if name in _ROTATIONS)
            if order:
                rotation = Rotation.from_euler(order, self.frames[:, columns], degrees=True)
                rotations[:, index] = rotation.as_matrix().reshape(-1, 3, 3)
        return rotations

    def local_positions(self) -> Float[np.ndarray, "frames joints 3"]:
        """Offset of every joint from its parent; position channels replace the fixed offset."""
        offsets = np.array([joint.offset for joint in self.joints])
        positions = np.tile(offsets, (len(self.frames), 1, 1))
        for index, (joint, first) in enumerate(zip(self.joints, self._starts(), strict=True)):
            for k, name in enumerate(joint.channels):
                if name in _POSITIONS:
                    positions[:, index, _POSITIONS.index(name)] = self.frames[:, first + k]
        return positions

    def world(
        self,
    ) -> tuple[Float[np.ndarray, "frames joints 3 3"], Float[np.ndarray, "frames joints 3"]]:
        """Rotation and position of every joint in the world of the file."""
        rotations, positions = self.local_rotations(), self.local_positions()
        for index, joint in enumerate(self.joints):
            if joint.parent >= 0:
                above = rotations[:, joint.parent]
                arm = np.einsum("fij,fj->fi", above, positions[:, index])
                positions[:, index] = positions[:, joint.parent] + arm
                rotations[:, index] = above @ rotations[:, index]
        return rotations, positions

    def _starts(self) -> list[int]:
        """First column of each joint in `frames`."""
        counts = [len(joint.channels) for joint in self.joints]
        return [sum(counts[:index]) for index in range(len(counts))]


def read_bvh(path: Path) -> Bvh:
    """Read a BVH file, gzip-compressed if its name ends in `.gz`.

    Raises:
        AssetError: missing, not BVH, or damaged; says where.
    """
    path = Path(path)
    head, motion, body = _read_text(path).partition("MOTION")
    if not motion or "HIERARCHY" not in head:
        raise AssetError(f"{path} is not a BVH file: it needs the words HIERARCHY and MOTION")
    try:
        joints = _parse_hierarchy(head.split())
        if not np.isfinite([joint.offset for joint in joints]).all():
            raise ValueError("an offset is not finite")
        frames, frame_time = _parse_motion(body, sum(len(joint.channels) for joint in joints))
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path} is damaged: {error}") from error
    return Bvh(joints, frames, frame_time)


def _read_text(path: Path) -> str:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="ascii", errors="replace") as file:
            # One character more than allowed: a small .gz can unpack to any size.
            text = file.read(MAX_CHARACTERS + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise AssetError(f"{path} cannot be read: {reason}") from error
    if len(text) > MAX_CHARACTERS:
        raise AssetError(
            f"{path} is longer than {MAX_CHARACTERS} characters and is refused; cut it into takes"
        )
    return text


def _parse_hierarchy(words: Sequence[str]) -> tuple[BvhJoint, ...]:
    joints: list[BvhJoint] = []
    open_joints: list[int] = []  # indices of the joints whose brace is not closed yet
    position = list(words).index("HIERARCHY") + 1
    in_end_site = False
    while position < len(words):
        word, arguments = words[position], words[position + 1 : position + 8]
        position += 1
        if word in ("ROOT", "JOINT"):
            parent = open_joints[-1] if open_joints else -1
            open_joints.append(len(joints))
            joints.append(BvhJoint(arguments[0], parent, (0.0, 0.0, 0.0), ()))
            position += 1
        elif word == "End":
            in_end_site = True
            position += 1
        elif word == "OFFSET":
            offset = (float(arguments[0]), float(arguments[1]), float(arguments[2]))
            field = {"end" if in_end_site else "offset": offset}
            joints[open_joints[-1]] = dataclasses.replace(joints[open_joints[-1]], **field)
            position += 3
        elif word == "CHANNELS":
            channels = _parse_channels(arguments)
            joints[open_joints[-1]] = dataclasses.replace(
                joints[open_joints[-1]], channels=channels
            )
            position += 1 + len(channels)
        elif word == "}" and in_end_site:
            in_end_site = False
        elif word == "}":
            open_joints.pop()
    roots = [index for index, joint in enumerate(joints) if joint.parent == -1]
    if open_joints or roots != [0]:
        raise ValueError("its tree of joints does not close, or has not one root")
    return tuple(joints)


def _parse_channels(arguments: Sequence[str]) -> tuple[str, ...]:
    count = int(arguments[0])
    channels = tuple(arguments[1 : 1 + count])
    if not set(channels) <= {*_POSITIONS, *_ROTATIONS} or not 0 <= count <= 6:
        raise ValueError(f"channels {channels} are not known")
    return channels


def _parse_motion(text: str, channels: int) -> tuple[np.ndarray, float]:
    words = text.split()
    if words[0] != "Frames:" or words[2:4] != ["Frame", "Time:"]:
        raise ValueError("after MOTION the lines 'Frames: n' and 'Frame Time: s' are needed")
    count, frame_time = int(words[1]), float(words[4])
    if not 0 < count <= MAX_FRAMES or not 1e-4 < frame_time < 10:
        raise ValueError(f"{count} frames of {frame_time} s are not possible")
    numbers = np.array(words[5:], np.float64)
    if len(numbers) < count * channels:
        raise ValueError(
            f"{count} frames of {channels} numbers are announced, the file has {len(numbers)}"
        )
    frames = numbers[: count * channels].reshape(count, channels)
    if not np.isfinite(frames).all():
        raise ValueError("it contains numbers that are not finite")
    return frames, frame_time


def write_text(bvh: Bvh) -> str:
    """Text of a BVH file.

    Numbers have six decimals, the frame time ten: with fewer, 30 fps drift from the sound.
    """
    lines, order = ["HIERARCHY"], []
    _write_joint(bvh, 0, "", lines, order)
    lines += ["MOTION", f"Frames: {len(bvh.frames)}", f"Frame Time: {bvh.frame_time_s:.10f}"]
    # Columns stand in the order in which the joints are written, which is by depth first.
    starts = np.cumsum([0, *(len(joint.channels) for joint in bvh.joints)])
    columns = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in order])
    lines += [_format(row) for row in bvh.frames[:, columns]]
    return "\n".join(lines) + "\n"


def _write_joint(bvh: Bvh, index: int, indent: str, lines: list[str], order: list[int]) -> None:
    """Append a joint and everything below it to the lines, and its index to the order."""
    order.append(index)
    joint = bvh.joints[index]
    lines += [f"{indent}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}", f"{indent}{{"]
    lines.append(f"{indent}\tOFFSET {_format(joint.offset)}")
    lines.append(f"{indent}\tCHANNELS {len(joint.channels)} {' '.join(joint.channels)}")
    for child, other in enumerate(bvh.joints):
        if other.parent == index:
            _write_joint(bvh, child, indent + "\t", lines, order)
    if joint.end is not None:
        lines += [f"{indent}\tEnd Site", f"{indent}\t{{"]
        lines += [f"{indent}\t\tOFFSET {_format(joint.end)}", f"{indent}\t}}"]
    lines.append(f"{indent}}}")


def _format(values: Sequence[float] | np.ndarray) -> str:
    # Adding zero turns -0.0 into 0.0.
    return " ".join(f"{round(float(value), 6) + 0.0:.6f}" for value in values)
