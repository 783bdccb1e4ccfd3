"""Key motions of one recording for a file: `motet keys`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from motet.methods.kmtalk.key_file import write_keys
from motet.methods.kmtalk.keys import KeyFrames
from motet.phonetics.phone_source import Phones
from motet.types import MotionSpace


@dataclasses.dataclass(frozen=True)
class KeyTake:
    """Key motions of one recording, as they are written, edited and read back."""

    keys: KeyFrames
    poses: Float[Tensor, "keys dim"]
    """On the scale of the take: after post-processing of its values."""
    phones: Phones
    frames: int
    """Of the whole recording."""


def write_take(path: Path, take: KeyTake, space: MotionSpace) -> str:
    """Write the keys with the source of their times; returns a summary of it.

    Raises:
        InputError: the file cannot be written.
    """
    phones = take.phones
    facts = {
        "source": phones.source,
        "confidence": round(phones.confidence, 3),
        "notes": list(phones.notes),
    }
    write_keys(path, take.keys, take.poses, space, take.frames, facts)
    share = 100 * len(take.keys.frames) / take.frames
    notes = "".join(f"\n  {note}" for note in phones.notes)
    return (
        f"{len(take.keys.frames)} keys ({share:.0f} % of {take.frames} frames) from"
        f" {phones.source}, confidence {phones.confidence:.2f}{notes}"
    )
