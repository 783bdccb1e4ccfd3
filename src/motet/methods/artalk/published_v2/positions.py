"""Positions of tokens and audio features in generation T, and which tokens see which."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor


def token_positions(patches: tuple[int, ...], conditions: int) -> Tensor:
    """Rotary position of every token: conditions count up; a token of a scale stands in the middle
    of its stretch.

    The middle is rounded to whole frames, halves to the even one.
    """
    frames = patches[-1]
    positions = [torch.arange(conditions * frames)]
    for patch in patches:
        positions.append(
            conditions * frames
            # the middle of each of `patch` equal parts
            + torch.round(torch.linspace(0, frames - 1, 2 * patch + 1)[1::2]).long()
        )
    return torch.cat(positions)


def audio_positions(steps: int, frames: int, conditions: int) -> Tensor:
    """Rotary position of every feature step, in whole frames; computed in single precision as the
    original does.
    """
    return (
        conditions * frames
        + torch.floor(torch.linspace(0, frames, steps + 1, dtype=torch.float32)[:steps]).long()
    )


def visible_prefix(patches: tuple[int, ...], conditions: int) -> Tensor:
    """How many leading tokens every row may look at."""
    past = conditions * patches[-1]  # tokens of the conditions
    # A token attends to the conditions and to all scales up to its own.
    ends = itertools.accumulate(patches, initial=past)
    next(ends)
    return torch.tensor(
        [past] * past
        + [end for end, patch in zip(ends, patches, strict=True) for _ in range(patch)]
    )
