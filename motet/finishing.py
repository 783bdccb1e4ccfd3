"""Clip-level finishing of face motion: intensity, head on or off, blinks.

Every operation works on single frames or on the absolute frame number, so a stream is finished exactly as a whole clip is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from motet.errors import ConfigError
from motet.types import ARKIT_SHAPES, Motion

MOUTH_SHAPES: tuple[str, ...] = tuple(name for name in ARKIT_SHAPES if name.startswith(("mouth", "jaw", "tongue", "cheekPuff")))
"""The shapes that speak."""


@dataclasses.dataclass(frozen=True)
class Finish:
    """What is done to a take after the method."""

    intensity: float = 1.0
    """Scale of the mouth's movement; 1 leaves it alone, 0.5 mumbles, 1.3 exaggerates."""
    head: bool = True
    """Keep the head's rotation."""
    blink: bool = True
    """Keep the blinks."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.intensity <= 3.0:
            raise ConfigError(f"intensity must lie between 0 and 3, not {self.intensity}")


def finish_motion(motion: Motion, finish: Finish, seeds: Sequence[int], first_frame: int) -> Motion:
    """Apply the finishing to motion in the `arkit` space; other spaces pass unchanged.

    Args:
        motion: (batch, frames, dim); one item for each seed.
        seeds: one for each item.
        first_frame: absolute number of the first frame, for anything that depends on time.
    """
    if motion.space.name != "arkit" or not motion.frames:
        return motion
    values = motion.values.clone()
    if finish.intensity != 1.0:
        mouth = [motion.space.index("blendshapes", name) for name in MOUTH_SHAPES]
        values[..., mouth] = (values[..., mouth] * finish.intensity).clamp(0, 1)
    if not finish.head:
        values[..., motion.space.range("head")] = 0.0
    if not finish.blink:
        lids = [motion.space.index("blendshapes", name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
        values[..., lids] = 0.0
    return Motion(torch.as_tensor(values), motion.space)
