"""A long sound that stays in its file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from motet.audio.io.sound import Block, Sound
from motet.audio_types import PIECE_S, AudioSource
from motet.errors import AudioError
from motet.types import Audio, Layout


@dataclasses.dataclass(frozen=True)
class Recording(AudioSource):
    """A checked sound file whose samples are read anew each time they are needed.

    Raises:
        AudioError: the file has changed since it was opened (while pieces are read).
    """

    sound: Sound
    sample_rate: int
    layout: Layout
    mix: tuple[float, ...] = ()
    path: Path = Path()

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.sound.channels

    @property
    def length(self) -> int:
        """Samples of each channel."""
        return self.sound.length

    def pieces(self, seconds: float = PIECE_S) -> Iterator[Audio]:
        """See `AudioSource`."""
        read = 0
        for block in cut(self.sound.blocks(), max(1, round(seconds * self.sample_rate))):
            read += block.shape[1]
            yield self._audio(block)
        if read != self.length:
            raise AudioError(f"{self.path} has changed while it was read; start again")

    def excerpt(self, seconds: float, parts: int) -> Audio:
        """See `AudioSource`."""
        if (seconds, parts) not in self._excerpts:
            self._excerpts[seconds, parts] = self._audio(self.sound.excerpt(seconds, parts))
        return self._excerpts[seconds, parts]

    def load(self) -> Audio:
        """See `AudioSource`."""
        return self._audio(np.concatenate(list(self.sound.blocks()), axis=1))

    @cached_property
    def _excerpts(self) -> dict[tuple[float, int], Audio]:
        return {}

    def _audio(self, block: Block) -> Audio:
        samples = torch.from_numpy(np.ascontiguousarray(block, dtype=np.float32))
        return Audio(samples, self.sample_rate, self.layout, self.mix)


def cut(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """Blocks of any length as blocks of `size` samples; the last one may be shorter."""
    pending: list[Block] = []
    count = 0
    for block in blocks:
        while count + block.shape[1] >= size:
            needed = size - count
            yield np.concatenate([*pending, block[:, :needed]], axis=1)
            block, pending, count = block[:, needed:], [], 0
        if block.shape[1]:
            pending.append(block)
            count += block.shape[1]
    if pending:
        yield np.concatenate(pending, axis=1)
