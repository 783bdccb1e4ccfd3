"""What an encoder emits of the features of a block."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


class Readout:
    """The features themselves.

    A readout may also look at the `context` features before the block and at those of the sound
    that the block sees ahead. The latter have seen less than they will have when they are emitted.

    Args:
        dim: channels that are emitted.
        context: features before the block.
    """

    def __init__(self, dim: int, context: int = 0) -> None:
        self.dim, self.context = dim, context

    def __call__(
        self,
        before: Float[Tensor, "context width"],
        known: Float[Tensor, "known width"],
        count: int,
    ) -> Float[Tensor, "count dim"]:
        """What is emitted of the first `count` of the known features.

        Args:
            before: the features before them, fewer at the beginning of a recording.
            known: those of the block, then those ahead.
        """
        del before
        return known[:count]
