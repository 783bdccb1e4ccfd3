"""Operators of the published command line: Savitzky-Golay smoothing, a jaw that only opens."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator, Operator

WIDE_WINDOW, DELAY = 9, 4
"""Frames of the longer filter, and how many frames a stream must hold back for it."""


def smooth(
    motion: Float[Tensor, "frames dim"], head: slice = slice(100, 103)
) -> Float[Tensor, "frames dim"]:
    """Second-order fits over 5 frames; the head's channels third-order over 9. Ends follow the fit
    of the outermost window.

    Raises:
        ValueError: fewer than 9 frames (the operator passes such a clip unfiltered instead).
    """
    from scipy.signal import savgol_filter

    raw = motion.detach().cpu().numpy().astype(np.float32)
    filtered = savgol_filter(raw, 5, 2, axis=0)
    filtered[:, head] = savgol_filter(raw[:, head], WIDE_WINDOW, 3, axis=0)
    return torch.from_numpy(filtered.astype(np.float32))


def smooth_wide(motion: Float[Tensor, "frames dim"]) -> Float[Tensor, "frames dim"]:
    """Third-order fits over 9 frames on all channels: what the training code shows in its
    videos.
    """
    from scipy.signal import savgol_filter

    raw = motion.detach().cpu().numpy().astype(np.float32)
    return torch.from_numpy(savgol_filter(raw, WIDE_WINDOW, 3, axis=0))


@dataclasses.dataclass(frozen=True)
class SmoothingState:
    """Raw frames still needed: the last nine, of which the tail may be filtered already."""

    raw: Float[Tensor, "batch frames dim"]
    done: int = 0
    """How many of them have been emitted."""


class SavitzkyGolay(Operator[SmoothingState]):
    """`smooth` as a stream; bit for bit the same, 4 frames late. Clips shorter than nine frames
    stay unfiltered.
    """

    def __init__(self, head: slice, dim: int) -> None:
        self.head, self.dim = head, dim

    def begin(self, batch: int) -> SmoothingState:
        """No frame yet."""
        return SmoothingState(torch.zeros(batch, 0, self.dim))

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: SmoothingState, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch ready dim"], SmoothingState]:
        """The frames whose neighbourhood is complete."""
        raw = torch.cat([state.raw, motion], 1)
        ready = raw.shape[1] - DELAY
        if raw.shape[1] < WIDE_WINDOW or ready <= state.done:
            return raw[:, :0], dataclasses.replace(state, raw=raw)
        drop = raw.shape[1] - WIDE_WINDOW
        return self._smooth(raw)[:, state.done : ready], SmoothingState(raw[:, drop:], ready - drop)

    def finish(self, state: SmoothingState) -> list[Float[Tensor, "batch rest dim"]]:
        """The frames held back, filtered up to the true end."""
        short = state.raw.shape[1] < WIDE_WINDOW
        return [(state.raw if short else self._smooth(state.raw))[:, state.done :]]

    def _smooth(self, raw: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch frames dim"]:
        return torch.stack([smooth(item, self.head) for item in raw])


class OpenJawOnly(FrameOperator):
    """The jaw's rotation about its other two axes set to zero.

    Args:
        jaw: where its axis-angle lies in a frame.
    """

    def __init__(self, jaw: slice) -> None:
        self.jaw = jaw

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        motion = motion.clone()
        motion[..., self.jaw.start + 1 : self.jaw.stop] = 0.0
        return motion
