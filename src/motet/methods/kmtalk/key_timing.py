"""Key frames as tensors: batches of them, interpolation between them, time to the nearest ones."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.nn.position import sinusoid_table
from motet.phonetics.phones import SYMBOLS

UNKNOWN_PHONE = len(SYMBOLS)
"""Number of a phone without a name."""
GAP_S = 0.5
"""Distances to neighbouring keys count up to this."""


@dataclasses.dataclass(frozen=True)
class Keys:
    """Key frames of a batch, padded at the end."""

    frame_index: Int[Tensor, "batch keys"]
    """Frame of each key, rising; padding repeats the last."""
    phones: Int[Tensor, "batch keys 2"]
    """Numbers of the phones before and after it; `UNKNOWN_PHONE` where they have no name."""
    valid: Bool[Tensor, "batch keys"]
    spoken: Int[Tensor, "batch frames"] | None = None
    """Number of the phone at each frame; None where no phones are known."""

    @property
    def count(self) -> int:
        """Keys with padding."""
        return self.frame_index.shape[1]


def interpolate(
    poses: Float[Tensor, "batch keys inner"], keys: Keys, frames: int
) -> Float[Tensor, "batch frames inner"]:
    """Key motions over time, linear between neighbouring keys, constant outside."""
    left, right, share = _neighbours(keys, frames)
    # (batch, 1), indexes with (batch, frames)
    batch = torch.arange(len(poses), device=poses.device).unsqueeze(1)
    share = share.to(poses).unsqueeze(-1)
    return poses[batch, left] * (1 - share) + poses[batch, right] * share


def key_timing(
    keys: Keys, frames: int, fps: float
) -> tuple[Bool[Tensor, "batch frames"], Float[Tensor, "batch frames three"]]:
    """Which frames are keys; and seconds since the last key, until the next, and the share of the
    way between them.
    """
    left, right, share = _neighbours(keys, frames)
    time = torch.arange(frames, device=left.device)
    batch = torch.arange(len(left), device=left.device).unsqueeze(1)
    before, after = (
        (time - keys.frame_index[batch, left]).clamp(min=0),
        (keys.frame_index[batch, right] - time).clamp(min=0),
    )
    at_key = (keys.frame_index[batch, left] == time) | (keys.frame_index[batch, right] == time)
    return at_key, torch.stack(
        [(before / fps).clamp(max=GAP_S), (after / fps).clamp(max=GAP_S), share.float()], -1
    )


def sinusoid_at(
    frame_index: Int[Tensor, "batch keys"], width: int
) -> Float[Tensor, "batch keys width"]:
    """The sinusoid table at given frames; positions repeat after 600 frames, so that
    takes may have any length.
    """
    return sinusoid_table(600, width)[frame_index.cpu() % 600]


def at_keys(
    values: Float[Tensor, "batch frames width"], frame_index: Int[Tensor, "batch keys"]
) -> Float[Tensor, "batch keys width"]:
    """Values of the key frames."""
    return values[torch.arange(len(values), device=values.device).unsqueeze(1), frame_index]


def _neighbours(keys: Keys, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Number of the key at or before each frame, of the one after it, and the share of the way."""
    time = (
        torch.arange(frames, device=keys.frame_index.device)
        .expand(len(keys.frame_index), -1)
        .contiguous()
    )
    last = keys.valid.sum(1, keepdim=True) - 1  # (batch, 1): index of the last real key
    # Padding lies beyond all times, so that `searchsorted` never finds it.
    starts = torch.where(keys.valid, keys.frame_index, torch.iinfo(torch.long).max)
    left = (torch.searchsorted(starts, time, right=True) - 1).clamp(min=0)
    right = torch.minimum(left + 1, last)
    start, stop = keys.frame_index.gather(1, left), keys.frame_index.gather(1, right)
    # 0 at the key before, 1 at the key after; constant outside the first and last key.
    share = ((time - start).clamp(min=0) / (stop - start).clamp(min=1)).clamp(max=1.0)
    return left, right, share


def pad_keys(
    frame_index: list[list[int]],
    phones: list[list[tuple[int, int]]],
    spoken: list[list[int]] | None = None,
) -> Keys:
    """Key frames of several items as one batch, with the phone of each frame where those are known
    (of equal length then).
    """
    most = max(map(len, frame_index))
    valid = torch.tensor([[n < len(row) for n in range(most)] for row in frame_index])
    # Padding repeats the last key: its features are those of a real frame.
    padded = torch.tensor([row + [row[-1]] * (most - len(row)) for row in frame_index])
    named = torch.tensor(
        [row + [(UNKNOWN_PHONE, UNKNOWN_PHONE)] * (most - len(row)) for row in phones]
    )
    return Keys(padded, named, valid, None if spoken is None else torch.tensor(spoken))
