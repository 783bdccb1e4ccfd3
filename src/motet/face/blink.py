"""Blinks with people's timing: drawn from a seed, and held back until the speaker stresses
something, as people blink with their speech. So two recordings of one seed do not blink in unison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

CELL_S = 3.5
"""Each cell of time has one blink: people who talk blink 12 to 24 times a minute."""
DUE_S = (0.3, 2.3)
"""Earliest and latest moment of a cell at which its blink is due."""
WAIT_S = 1.0
"""It waits so long for an accent; so blinks of neighbouring cells are half a second apart."""
LEAD_S = 0.10
"""From the accent to shut lids: they begin to move only when the accent is known, also in a
stream."""
CLOSING_S, OPENING_S = 0.065, 0.125
"""Over half closed for 0.08 s, as people's lids are: 3 to 8 pictures at 60 a second."""
OWN_KNEE, OWN_SLOPE = 0.3, 0.2
"""The method's own lids above the knee are flattened: its blinks beside the drawn ones would be a
flutter."""
NO_ACCENTS: Float[np.ndarray, " accents"] = np.zeros(0)
LIDS = [ARKIT_SHAPES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
"""Channels of the lids in the house space."""


def blink_closure(
    seed: int,
    first_frame: int,
    frames: int,
    fps: float,
    accents: Float[np.ndarray, " accents"] = NO_ACCENTS,
) -> Float[Tensor, " frames"]:
    """Closure of the lids, 0..1, for absolute frames.

    Time is cut into cells with one blink each: short clips blink too, no stretch is crowded, and
    any stretch can be had without the ones before it. Lids are shut in a frame, not between two.

    Args:
        accents: times of stressed syllables in order, from at least a cell before the first frame.
    """
    time = (first_frame + np.arange(frames)) / fps
    closure = np.zeros(frames)
    start, stop = time[0] - OPENING_S - 1 / fps, time[-1] + CLOSING_S + 1 / fps
    for shut, depth in _blinks(seed, start, stop, accents):
        since = time - round(shut * fps) / fps
        down = np.sin(np.clip(since / CLOSING_S + 1, 0, 1) * np.pi / 2) ** 2
        up = (1 - np.clip(since / OPENING_S, 0, 1)) ** 1.5
        closure = np.maximum(closure, depth * down * up)
    return torch.from_numpy(closure)


def _blinks(
    seed: int, start_s: float, stop_s: float, accents: Float[np.ndarray, " accents"]
) -> Iterator[tuple[float, float]]:
    """(time of full closure, depth) of the blinks of all cells that a stretch touches."""
    last = int(max(stop_s, 0.0) // CELL_S)
    for cell in range(max(0, int(start_s // CELL_S)), last + 1):
        random = np.random.default_rng([seed % 2**63, cell])
        due = cell * CELL_S + random.uniform(*DUE_S)
        # Accents later than `due + WAIT_S` change nothing, so a stream knows as much as a whole.
        following = accents[np.searchsorted(accents, due) :][:1]
        begins = min([*following.tolist(), due + WAIT_S])
        yield begins + LEAD_S, float(random.uniform(0.94, 1.0))


class Blink(FrameOperator):
    """Drawn blinks, one seed for each item, over the method's own lids."""

    def __init__(self, seeds: Sequence[int], fps: float) -> None:
        self.seeds, self.fps = tuple(seeds), fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        schedule = torch.stack(
            [self._closure(*item, motion, cues) for item in enumerate(self.seeds)]
        )
        motion = motion.clone()
        own = motion[..., LIDS]
        own = torch.where(own > OWN_KNEE, OWN_KNEE + OWN_SLOPE * (own - OWN_KNEE), own)
        motion[..., LIDS] = torch.maximum(own, schedule.to(motion).unsqueeze(-1))
        return motion

    def _closure(self, item: int, seed: int, motion: Tensor, cues: FaceCues) -> Tensor:
        """Closure of one item's lids, (frames,)."""
        accents = NO_ACCENTS
        if cues.rhythm:
            accents = cues.rhythm[item % len(cues.rhythm)].accents[:, 0]
        return blink_closure(seed, cues.first_frame, motion.shape[1], self.fps, accents)


class OpenLids(FrameOperator):
    """Lids that stay open."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        motion = motion.clone()
        motion[..., LIDS] = 0.0
        return motion
