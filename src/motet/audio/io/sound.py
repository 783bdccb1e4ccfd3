"""What a reader returns before it is checked: samples, or a way to read those of a long sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from motet.audio_types import part_starts
from motet.types import Layout

Block = Float[np.ndarray, "channels time"]


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much of a sound is accepted and kept, in samples times channels."""

    accept: int
    keep: int
    """Longer sounds are measured and can be read again."""


@dataclasses.dataclass
class Gauge:
    """Measures blocks as they are read, and keeps them as long as they are few.

    Args:
        keep: samples times channels that are kept at most.
    """

    keep: int
    channels: int = 0
    length: int = 0
    """Samples of each channel."""
    level: float = 0.0
    """Largest absolute value."""
    first_not_finite: int | None = None
    """First sample that is no finite number."""
    pieces: list[Block] | None = dataclasses.field(default_factory=list)
    """None once there were too many."""

    def add(self, block: Block) -> None:
        """Take the next block."""
        if not block.size:
            return
        self.channels = len(block)
        level = float(np.abs(block).max())
        if not np.isfinite(level) and self.first_not_finite is None:
            bad = ~np.isfinite(block).all(axis=0)
            self.first_not_finite = self.length + int(np.argmax(bad))
        self.level = max(self.level, level)
        self.length += block.shape[1]
        if self.length * self.channels > self.keep:
            self.pieces = None
        if self.pieces is not None:
            self.pieces.append(block)


@dataclasses.dataclass(frozen=True)
class Sound:
    """A file as read."""

    rate: int
    channels: int
    length: int
    """Samples of each channel."""
    level: float
    """Largest absolute value."""
    first_not_finite: int | None
    samples: Block | None
    """None of a sound longer than was to be kept."""
    read: Callable[[], Iterator[Block]]
    """Reads the same samples again, in blocks of any size."""
    layout: Layout | None = None
    """Surround layout, where the file declares one."""
    declared_s: float | None = None
    """Declared seconds, if the file holds less."""

    def blocks(self) -> Iterator[Block]:
        """All samples in order."""
        return iter([self.samples]) if self.samples is not None else self.read()

    def excerpt(self, seconds: float, parts: int) -> Block:
        """Of a longer sound that many parts, evenly spread, of this total length."""
        longest = int(seconds * self.rate)
        if self.length <= longest:
            return np.concatenate([np.zeros((self.channels, 0), np.float32), *self.blocks()], 1)
        starts, size = part_starts(self.length, longest, parts)
        blocks: list[Block] = []
        first = 0
        for block in self.blocks():
            # Parts are longer than blocks or shorter: every overlap is taken.
            for start in starts:
                piece = block[:, max(start - first, 0) : max(start + size - first, 0)]
                if piece.shape[1]:
                    blocks.append(piece.copy())
            first += block.shape[1]
        return np.concatenate(blocks, axis=1)


def aligned(blocks: Iterator[Block], late: int, length: int) -> Iterator[Block]:
    """Blocks behind `late` samples of silence, cut to `length` samples in all."""
    left = length
    for block in blocks:
        if late:
            silence = np.zeros((len(block), min(late, left)), np.float32)
            late, left = 0, left - silence.shape[1]
            yield silence
        if left <= 0:
            return
        yield block[:, :left]
        left -= block[:, :left].shape[1]
