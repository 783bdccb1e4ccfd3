"""Buffering of streams: any pieces in, pieces of one exact length out."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Framing:
    """Cuts a stream of samples into frames of `size`, one every `hop` samples; a value, so streams
    can be forked.

    The frames do not depend on how the stream was cut into pieces. With `hop` larger than `size`
    the samples between two frames are dropped.

    Raises:
        ValueError: `size` or `hop` is not positive.
    """

    size: int
    hop: int
    pending: Float[Tensor, "*batch time"] | None = None
    """Samples that may still be needed, the first of the next frame first."""
    skip: int = 0
    """Samples of the coming piece that belong to no frame."""

    def __post_init__(self) -> None:
        if self.size <= 0 or self.hop <= 0:
            raise ValueError(f"size and hop must be positive, not {self.size} and {self.hop}")

    def step(
        self, samples: Float[Tensor, "*batch time"]
    ) -> tuple[Float[Tensor, "*batch frames size"], Framing]:
        """Take the next piece; answer the frames that are complete now."""
        skipped = min(self.skip, samples.shape[-1])
        samples = samples[..., skipped:]
        held = samples if self.pending is None else torch.cat([self.pending, samples], dim=-1)
        count = max(0, (held.shape[-1] - self.size) // self.hop + 1)
        frames = (
            held.unfold(-1, self.size, self.hop)
            if count
            else held.new_zeros(*held.shape[:-1], 0, self.size)
        )
        used = count * self.hop
        rest = dataclasses.replace(
            self,
            pending=held[..., used:].clone(),
            skip=self.skip - skipped + max(0, used - held.shape[-1]),
        )
        return frames, rest

    def finish(self) -> Float[Tensor, "*batch frames size"]:
        """The frames that begin before the end of the stream, filled up with zeros."""
        held = self.pending
        if held is None or not held.shape[-1]:
            return torch.zeros(*(held.shape[:-1] if held is not None else ()), 0, self.size)
        count = -(-held.shape[-1] // self.hop)
        padded = torch.nn.functional.pad(
            held, (0, max(0, (count - 1) * self.hop + self.size - held.shape[-1]))
        )
        return padded.unfold(-1, self.size, self.hop)[..., :count, :]
