"""What the published command line does to finished motion: Savitzky-Golay smoothing, a still head,
a jaw that only opens.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.types import Motion

WIDE_WINDOW, DELAY = 9, 4
"""Frames of the longer filter, and how many frames a causal smoother must hold back for it."""


def smooth(
    motion: Float[Tensor, "frames dim"], head: slice = slice(100, 103)
) -> Float[Tensor, "frames dim"]:
    """Second-order fits over 5 frames; the head's channels third-order over 9. Ends follow the fit
    of the outermost window.

    Raises:
        ValueError: fewer than 9 frames (the causal smoother passes such a clip unfiltered instead).
    """
    from scipy.signal import savgol_filter

    raw = motion.detach().cpu().numpy().astype(np.float32)
    out = savgol_filter(raw, 5, 2, axis=0)
    out[:, head] = savgol_filter(raw[:, head], WIDE_WINDOW, 3, axis=0)
    return torch.from_numpy(out.astype(np.float32))


def smooth_wide(motion: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames dim"]:
    """Third-order fits over 9 frames on all channels: what the training code shows in its
    videos.
    """
    from scipy.signal import savgol_filter

    return torch.from_numpy(
        savgol_filter(motion.detach().cpu().numpy().astype(np.float32), WIDE_WINDOW, 3, axis=0)
    )


@dataclasses.dataclass(frozen=True)
class CausalSmoother:
    """`smooth` for frames that come piece by piece; bit for bit the same, 4 frames late. A value:
    every call answers its successor.
    """

    head: slice
    kept: Float[Tensor, "frames dim"]
    """Raw frames still needed: the last nine of which the tail may be filtered."""
    done: int = 0
    """How many of the kept frames are already answered."""

    def push(
        self, frames: Float[Tensor, "frames dim"]
    ) -> tuple[Float[Tensor, "ready dim"], CausalSmoother]:
        """Take raw frames; answer those whose neighbourhood is complete."""
        known = torch.cat([self.kept, frames])
        ready = len(known) - DELAY
        if len(known) < WIDE_WINDOW or ready <= self.done:
            return known[:0], dataclasses.replace(self, kept=known)
        out = smooth(known, self.head)[self.done : ready]
        drop = max(0, len(known) - WIDE_WINDOW)
        return out, dataclasses.replace(self, kept=known[drop:], done=ready - drop)

    def finish(self) -> Float[Tensor, "rest dim"]:
        """The frames held back, filtered up to the true end; a clip shorter than nine frames comes
        back unfiltered.
        """
        return (smooth(self.kept, self.head) if len(self.kept) >= WIDE_WINDOW else self.kept)[
            self.done :
        ]


def hold_head(motion: Motion) -> Motion:
    """The head's rotation set to zero (`fix_pose`)."""
    return motion.with_track("head", torch.zeros_like(motion["head"]))


def open_jaw_only(motion: Motion) -> Motion:
    """The jaw's rotation about its other two axes set to zero."""
    jaw = motion["jaw"].clone()
    jaw[..., 1:] = 0.0
    return motion.with_track("jaw", jaw)
