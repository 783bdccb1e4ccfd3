"""One stream an item of a batch, and one for all items while they receive the same samples, as the
takes of one recording do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AudioError

RowStateT = TypeVar("RowStateT")


class RowStream(Protocol[RowStateT]):
    """One channel of sound to features."""

    def begin(self) -> RowStateT:
        """State before the first sample."""
        ...

    def step(
        self, state: RowStateT, samples: Float[Tensor, " time"]
    ) -> tuple[Float[Tensor, "steps dim"], RowStateT]:
        """The features that these samples complete, and the new state."""
        ...

    def finish(self, state: RowStateT) -> Float[Tensor, "steps dim"]:
        """The remaining features."""
        ...


@dataclasses.dataclass(frozen=True)
class BatchState(Generic[RowStateT]):
    """States of the streams of a batch."""

    batch: int
    rows: tuple[RowStateT, ...]
    """One an item, or one for all items."""


def begin_rows(stream: RowStream[RowStateT], batch: int) -> BatchState[RowStateT]:
    """State of a batch before the first sample."""
    return BatchState(batch, (stream.begin(),))


def step_rows(
    stream: RowStream[RowStateT],
    state: BatchState[RowStateT],
    samples: Float[Tensor, "batch time"],
) -> tuple[Float[Tensor, "batch steps dim"], BatchState[RowStateT]]:
    """The features that these samples complete, and the new state.

    Raises:
        AudioError: not one channel an item, not floating point, or not finite.
    """
    check_samples(samples)
    rows = state.rows
    # The items differ for the first time: the common state is copied to each. States are values, so
    # sharing one is safe.
    if len(rows) < state.batch and not bool((samples == samples[:1]).all()):
        rows = rows * state.batch
    # not strict: while one state serves the whole batch, only the first row is encoded
    results = [stream.step(row, part) for row, part in zip(rows, samples.float(), strict=False)]
    after = BatchState(state.batch, tuple(row for _, row in results))
    return _batched([features for features, _ in results], state.batch), after


def finish_rows(
    stream: RowStream[RowStateT], state: BatchState[RowStateT]
) -> Float[Tensor, "batch steps dim"]:
    """The remaining features."""
    return _batched([stream.finish(row) for row in state.rows], state.batch)


def check_samples(samples: Float[Tensor, "batch time"]) -> None:
    """Refuse samples that no encoder can use.

    Raises:
        AudioError: not one channel an item, not floating point, or not finite.
    """
    if samples.ndim != 2:
        raise AudioError(
            "a speech encoder takes one channel an item, (batch, time); these samples have the"
            f" shape {tuple(samples.shape)}; mix them to mono first"
        )
    check_values(samples)


def check_values(samples: Tensor) -> None:
    """Refuse values that no encoder can use, in samples of any shape.

    Raises:
        AudioError: not floating point, or not finite.
    """
    if not samples.is_floating_point():
        raise AudioError(
            f"samples must be floating point in [-1, 1], not {samples.dtype}; divide integers by"
            " their full scale"
        )
    if not bool(torch.isfinite(samples).all()):
        raise AudioError(
            "the sound contains values that are not finite (NaN or infinity); repair or re-export"
            " the recording"
        )


def _batched(rows: Sequence[Tensor], batch: int) -> Float[Tensor, "batch steps dim"]:
    return torch.stack(list(rows)) if len(rows) == batch else rows[0].expand(batch, -1, -1)
