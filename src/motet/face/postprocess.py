"""Clip-level finishing of face motion: intensity, head on or off, blinks.

Every operation works on single frames or on the absolute frame number, so a stream is finished
exactly as a whole clip is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.options import Postprocess
from motet.types import ARKIT_SHAPES, Motion

MOUTH_SHAPES: tuple[str, ...] = tuple(
    name for name in ARKIT_SHAPES if name.startswith(("mouth", "jaw", "tongue", "cheekPuff"))
)
"""The shapes that speak."""


BLINKS_A_MINUTE = 17.0
"""People who talk: 15 to 25; sound tells nothing about when."""
BLOCK_S, SHORTEST_GAP_S = 10.0, 0.6
CLOSING_S, SHUT_S, OPENING_S = 0.09, 0.03, 0.18


def blink_closure(seed: int, first_frame: int, frames: int, fps: float) -> Float[Tensor, "frames"]:
    """Closure of the lids 0..1 for absolute frames: blinks at random times that depend on the seed
    alone.

    Time is cut into blocks of ten seconds with a Poisson number of blinks each, so any stretch can
    be had without the ones before it. A blink closes in 0.09 s, stays shut for 0.03 s and opens in
    0.18 s.
    """
    time = (first_frame + np.arange(frames)) / fps
    closure = np.zeros(frames)
    for start, depth in _blinks(seed, time[0] - 1.0, time[-1]):
        since = time - start
        down = np.sin(np.clip(since / CLOSING_S, 0, 1) * np.pi / 2) ** 2
        closure = np.maximum(
            closure,
            depth * down * (1 - np.clip((since - CLOSING_S - SHUT_S) / OPENING_S, 0, 1)) ** 1.5,
        )
    return torch.from_numpy(closure)


def _blinks(seed: int, start_s: float, stop_s: float) -> Iterator[tuple[float, float]]:
    """(time, depth) of the blinks of all blocks that a stretch touches."""
    for block in range(max(0, int(start_s // BLOCK_S)), int(max(stop_s, 0.0) // BLOCK_S) + 1):
        random = np.random.default_rng([seed % 2**63, block])
        wanted = np.sort(
            random.uniform(
                0.4, BLOCK_S - SHORTEST_GAP_S, random.poisson(BLINKS_A_MINUTE * BLOCK_S / 60)
            )
        )
        kept = [
            moment
            for index, moment in enumerate(wanted)
            if index == 0 or moment - wanted[index - 1] >= SHORTEST_GAP_S
        ]
        for moment, depth in zip(kept, random.uniform(0.88, 1.0, len(kept)), strict=True):
            yield block * BLOCK_S + float(moment), float(depth)


def finish_motion(
    motion: Motion, finish: Postprocess, seeds: Sequence[int], first_frame: int
) -> Motion:
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
    lids = [motion.space.index("blendshapes", name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    if finish.blink:
        closure = torch.stack(
            [blink_closure(seed, first_frame, motion.frames, motion.space.fps) for seed in seeds]
        )
        values[..., lids] = torch.maximum(values[..., lids], closure.to(values).unsqueeze(-1))
    else:
        values[..., lids] = 0.0
    return Motion(torch.as_tensor(values), motion.space)
