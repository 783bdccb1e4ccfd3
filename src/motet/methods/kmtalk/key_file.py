"""Key motions as a file: written by `motet keys`, edited by hand, read back with `motet run
--keys`.

JSON: `{"format": "motet-keys/1", "space", "fps", "frames", "keys": [{"frame", "time_s", "phones":
[before, after], "edited": false, "pose": {channel: value}}]}`. Only keys marked as
edited replace the predicted ones; all others are predicted anew. Keys may be added (any frame) and
channels left out (they stay as predicted).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.atomic_write import write_bytes
from motet.config import parse_json
from motet.errors import AssetError, nearest
from motet.methods.kmtalk.key_edits import KeyEdits
from motet.methods.kmtalk.keys import UNKNOWN_PHONE, KeyFrames, Pair
from motet.phonetics.phones import INDEX, SYMBOLS
from motet.types import MotionSpace

FORMAT = "motet-keys/1"
_LARGEST_VALUE = 1e6
"""Larger numbers are no pose: they would only become infinite later."""
_LARGEST_BYTES = 200_000_000


def write_keys(
    path: Path,
    key_frames: KeyFrames,
    poses: Float[Tensor, "keys dim"],
    space: MotionSpace,
    frames: int,
    facts: Mapping[str, Any],
) -> Path:
    """Write key motions for editing; the file appears only when it is complete."""
    channels = channel_names(space)
    keys = [
        {
            "frame": frame,
            "time_s": round(frame / space.fps, 4),
            "phones": [_symbol(number) for number in pair],
            "edited": False,
            "pose": {
                name: round(float(value), 5) for name, value in zip(channels, pose, strict=True)
            },
        }
        for frame, pair, pose in zip(key_frames.frames, key_frames.phones, poses, strict=True)
    ]
    content = {
        "format": FORMAT,
        "space": space.name,
        "fps": space.fps,
        "frames": frames,
        **facts,
        "keys": keys,
    }
    return write_bytes(path, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def read_keys(path: str | Path, space: MotionSpace, frames: int) -> KeyEdits:
    """The edited keys of a file that fits the recording.

    Raises:
        AssetError: not there, not such a file, of another space or length, without an edited key,
            or with values that are no numbers.
    """
    content = _content(Path(path))
    if content.get("format") != FORMAT:
        raise AssetError(
            f"{path} is no file of key motions ({FORMAT}); write one with  motet keys AUDIO -o"
            " keys.json"
        )
    if (
        content.get("space") != space.name
        or content.get("fps") != space.fps
        or content.get("frames") != frames
    ):
        stated = f"{content.get('space')!r}, {content.get('frames')} frames at {content.get('fps')}"
        raise AssetError(
            f"{path} belongs to another take ({stated}; this one is {space.name!r}, {frames} frames"
            f" at {space.fps:g}); write the keys again"
        )
    try:
        edited = [key for key in content["keys"] if key.get("edited")]
        rows = [_row(key, space, frames) for key in edited]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AssetError(
            f"{path} is damaged: {type(error).__name__} {error}; write the keys again"
        ) from error
    if not rows:
        raise AssetError(
            f'{path} has no edited key; set "edited": true at the keys that you changed'
        )
    edited_frames, phones, poses, is_set = zip(*rows, strict=True)
    return KeyEdits(edited_frames, phones, torch.stack(poses), torch.stack(is_set))


def channel_names(space: MotionSpace) -> list[str]:
    """A name for every number of a frame: blendshapes by their own, others as track.channel."""
    names: list[str] = []
    for track in space.tracks:
        own = track.channels or tuple(str(index) for index in range(track.size))
        names += own if track.name == "blendshapes" else [f"{track.name}.{name}" for name in own]
    return names


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise AssetError(
                f"{path} has {path.stat().st_size / 1e6:.0f} MB, which no file of keys has"
            )
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssetError(
            f"{path} does not exist; write it with  motet keys AUDIO -o {path.name}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise AssetError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise AssetError(
            f"{path} holds a {type(content).__name__} instead of key motions; write it with  motet"
            " keys"
        )
    return content


def _row(
    key: Mapping[str, Any], space: MotionSpace, frames: int
) -> tuple[int, Pair, Tensor, Tensor]:
    """Frame, phones, pose and the mask of stated channels of one key."""
    frame, names = int(key["frame"]), channel_names(space)
    if not 0 <= frame < frames:
        raise AssetError(f"the key at frame {frame} lies outside the take of {frames} frames")
    pose, is_set = torch.zeros(space.dim), torch.zeros(space.dim, dtype=torch.bool)
    for name, value in key["pose"].items():
        if name not in names:
            raise AssetError(
                f"a key has the channel {name!r}, which {space.name!r} has not;"
                f" {nearest(name, names)}"
            )
        if not abs(float(value)) <= _LARGEST_VALUE:
            raise AssetError(f"{name} at frame {frame} is {str(value)[:20]}, which no pose has")
        pose[names.index(name)], is_set[names.index(name)] = float(value), True
    before, after = ([*key.get("phones", []), "", ""])[:2]
    return frame, (INDEX.get(before, UNKNOWN_PHONE), INDEX.get(after, UNKNOWN_PHONE)), pose, is_set


def _symbol(number: int) -> str:
    return SYMBOLS[number] if number < len(SYMBOLS) else ""
