"""Blinks at random times that depend on a seed alone, and lids that stay open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

BLINK_EVERY_S, SHORTEST_GAP_S = 3.5, 0.6
"""People who talk blink 12 to 24 times a minute; sound tells nothing about when."""
CLOSING_S, OPENING_S = 0.065, 0.125
"""Over half closed for 0.08 s, as people's lids are: 3 to 8 pictures at 60 a second."""
LIDS = [ARKIT_SHAPES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
"""Channels of the lids in the house space."""


def blink_closure(seed: int, first_frame: int, frames: int, fps: float) -> Float[Tensor, " frames"]:
    """Closure of the lids, 0..1, for absolute frames.

    Time is cut into cells with one blink each, anywhere within: short clips blink too, no stretch
    is crowded, and any stretch can be had without the ones before it. Lids are shut in a frame,
    not between two.
    """
    time = (first_frame + np.arange(frames)) / fps
    closure = np.zeros(frames)
    for shut, depth in _blinks(seed, time[0] - OPENING_S - 1 / fps, time[-1] + CLOSING_S + 1 / fps):
        since = time - round(shut * fps) / fps
        down = np.sin(np.clip(since / CLOSING_S + 1, 0, 1) * np.pi / 2) ** 2
        up = (1 - np.clip(since / OPENING_S, 0, 1)) ** 1.5
        closure = np.maximum(closure, depth * down * up)
    return torch.from_numpy(closure)


def _blinks(seed: int, start_s: float, stop_s: float) -> Iterator[tuple[float, float]]:
    """(time of full closure, depth) of the blinks of all cells that a stretch touches."""
    last = int(max(stop_s, 0.0) // BLINK_EVERY_S)
    for cell in range(max(0, int(start_s // BLINK_EVERY_S)), last + 1):
        random = np.random.default_rng([seed % 2**63, cell])
        time = random.uniform(SHORTEST_GAP_S, BLINK_EVERY_S)
        yield cell * BLINK_EVERY_S + float(time), float(random.uniform(0.94, 1.0))


class Blink(FrameOperator):
    """The method's own blinks and a seeded schedule of them, one seed for each item."""

    def __init__(self, seeds: Sequence[int], fps: float) -> None:
        self.seeds, self.fps = tuple(seeds), fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        schedule = torch.stack(
            [blink_closure(s, cues.first_frame, motion.shape[1], self.fps) for s in self.seeds]
        )
        motion = motion.clone()
        motion[..., LIDS] = torch.maximum(motion[..., LIDS], schedule.to(motion).unsqueeze(-1))
        return motion


class OpenLids(FrameOperator):
    """Lids that stay open."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        motion = motion.clone()
        motion[..., LIDS] = 0.0
        return motion
