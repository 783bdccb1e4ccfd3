"""A stretch of a stream, addressed by absolute position: what sliding windows are cut from."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class WindowBuffer:
    """The known, still needed part of a stream of steps (samples, features, frames).

    Positions count from the beginning of the stream. A value: every operation gives a new buffer,
    so a session can be forked. Appending and dropping cost constant time a step on average, however
    small the pieces: neighbouring pieces are joined when they are of similar length.
    """

    pieces: tuple[Float[Tensor, "batch steps *channels"], ...]
    """The stretch in order; at least one tensor, which may be empty."""
    first: int = 0
    """Position of the first step that is kept."""

    @classmethod
    def empty(cls, batch: int, *channels: int) -> WindowBuffer:
        """A stream before its first step."""
        return cls((torch.zeros(batch, 0, *channels),))

    @property
    def stop(self) -> int:
        """Position after the last known step."""
        return self.first + sum(piece.shape[1] for piece in self.pieces)

    def append(self, values: Float[Tensor, "batch steps *channels"]) -> WindowBuffer:
        """With more known steps."""
        if not values.shape[1]:
            return self
        pieces = [*self.pieces, values]
        # Joined as in a binary counter: every step is copied log2(steps) times at most.
        while len(pieces) > 1 and pieces[-1].shape[1] >= pieces[-2].shape[1]:
            pieces[-2:] = [torch.cat(pieces[-2:], 1)]
        return dataclasses.replace(self, pieces=tuple(pieces))

    def known(self, start: int, stop: int) -> Float[Tensor, "batch steps *channels"]:
        """Those of the steps `start` to before `stop` that are known, on the default device: the
        buffer lies on the CPU, networks read where they compute.

        Raises:
            ValueError: a step that was known has been dropped.
        """
        start = max(start, 0)
        # Zeros there would be a silent error of the method's own arithmetic.
        if start < self.first and stop > start:
            raise ValueError(f"step {start} has been dropped; the first one kept is {self.first}")
        values = torch.cat(self.pieces, 1) if len(self.pieces) > 1 else self.pieces[0]
        stretch = values[:, max(0, start - self.first) : max(0, stop - self.first)]
        return stretch.to(torch.get_default_device())

    def window(self, start: int, stop: int) -> Float[Tensor, "batch size *channels"]:
        """Exactly the steps `start` to before `stop`; zeros before the stream and where nothing is
        known yet.

        Raises:
            ValueError: a step that was known has been dropped.
        """
        known = self.known(start, stop)
        # zeros in front of the stream, at most the whole window
        before = min(max(0, -start), stop - start)
        # `pad` counts from the last axis: nothing for the channels, then the steps (axis 1).
        padding = [0, 0] * (known.ndim - 2) + [before, stop - start - before - known.shape[1]]
        return torch.nn.functional.pad(known, padding) if any(padding) else known

    def resized(self, stop: int) -> WindowBuffer:
        """The stream ended at `stop`: later steps are cut off, missing ones are zeros."""
        return WindowBuffer((self.window(self.first, max(self.first, stop)),), self.first)

    def drop_before(self, position: int) -> WindowBuffer:
        """Without the steps before `position`."""
        pieces, first = list(self.pieces), self.first
        while len(pieces) > 1 and first + pieces[0].shape[1] <= position:
            first += pieces.pop(0).shape[1]
        count = min(max(0, position - first), pieces[0].shape[1])
        return WindowBuffer((_compact(pieces[0][:, count:]), *pieces[1:]), first + count)


def _compact(view: Tensor) -> Tensor:
    """The same values; copied once most of the memory behind the view is no longer needed."""
    unused = view.untyped_storage().nbytes() - view.numel() * view.element_size()
    return view.clone() if unused > view.numel() * view.element_size() else view
