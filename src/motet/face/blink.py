"""Blinks at random times that depend on a seed alone, and lids that stay open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

BLINKS_PER_MINUTE = 17.0
"""People who talk: 15 to 25; sound tells nothing about when."""
BLOCK_S, SHORTEST_GAP_S = 10.0, 0.6
CLOSING_S, SHUT_S, OPENING_S = 0.07, 0.03, 0.13
"""Over half closed for 0.1 s, as people's lids are: 3 to 8 pictures at 60 a second."""
LIDS = [ARKIT_SHAPES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
"""Channels of the lids in the house space."""


def blink_closure(seed: int, first_frame: int, frames: int, fps: float) -> Float[Tensor, " frames"]:
    """Closure of the lids, 0..1, for absolute frames.

    Time is cut into blocks of ten seconds with a Poisson number of blinks each, so any stretch can
    be had without the ones before it.
    """
    time = (first_frame + np.arange(frames)) / fps
    closure = np.zeros(frames)
    for start, depth in _blinks(seed, time[0] - 1.0, time[-1]):
        since = time - start
        down = np.sin(np.clip(since / CLOSING_S, 0, 1) * np.pi / 2) ** 2
        up = (1 - np.clip((since - CLOSING_S - SHUT_S) / OPENING_S, 0, 1)) ** 1.5
        closure = np.maximum(closure, depth * down * up)
    return torch.from_numpy(closure)


def _blinks(seed: int, start_s: float, stop_s: float) -> Iterator[tuple[float, float]]:
    """(time, depth) of the blinks of all blocks that a stretch touches."""
    for block in range(max(0, int(start_s // BLOCK_S)), int(max(stop_s, 0.0) // BLOCK_S) + 1):
        random = np.random.default_rng([seed % 2**63, block])
        count = random.poisson(BLINKS_PER_MINUTE * BLOCK_S / 60)
        drawn = np.sort(random.uniform(0.4, BLOCK_S - SHORTEST_GAP_S, count))
        times = [
            time
            for index, time in enumerate(drawn)
            if index == 0 or time - drawn[index - 1] >= SHORTEST_GAP_S
        ]
        for time, depth in zip(times, random.uniform(0.94, 1.0, len(times)), strict=True):
            yield block * BLOCK_S + float(time), float(depth)


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
