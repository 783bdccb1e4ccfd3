"""A motion method in front of another method: its curves are the acoustic features.

A method that draws pictures needs no audio encoder of its own: what a mouth does was learnt from
hours of speech by the methods for curves, and is taken from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motet.config import Settings
from motet.method import Method
from motet.nn.device import CPU, on_device
from motet.options import OptionValue
from motet.types import ARKIT_SHAPES, Audio, Motion

_AHEAD_S = 0.4
"""Look-ahead that is stated for any method: what it waits for shows by what it has emitted."""


class MotionEncoder:
    """Curves of a face at its frame rate, as a stream. All items get the motion of seed 0: the
    mouth is to say the same in every take.

    Args:
        method: a method whose motion begins with the 52 ARKit shapes.
        condition: options of its takes.
    """

    channels, expects_level, dim, look_ahead_s = 1, False, len(ARKIT_SHAPES), _AHEAD_S

    def __init__(
        self, method: Method[Settings, Settings, object, Motion], condition: Settings
    ) -> None:
        self._method, self._condition = method, condition
        self.sample_rate, self.frame_rate = 16_000, method.fps

    def begin(self, batch: int) -> object:
        """A session of the method."""
        return self._method.begin(self._condition, (0,) * batch)

    def step(
        self, state: object, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch frames dim"], object]:
        """Curves that are final now."""
        if not samples.shape[1]:
            return torch.zeros(len(samples), 0, self.dim), state
        # one channel more: (batch, 1, time)
        out, state = self._method.step(state, Audio(samples.unsqueeze(1), self.sample_rate, "mono"))
        return self._curves(out), state

    def finish(self, state: object) -> Float[Tensor, "batch frames dim"]:
        """The rest."""
        # The method's networks may be on a GPU; features are read on the CPU.
        with on_device(CPU):
            return self._curves(self._method.finish(state))

    def _curves(self, out: Motion) -> Float[Tensor, "batch frames dim"]:
        return out.values[..., : self.dim].to(CPU).float()


MotionOf = Callable[[str, Mapping[str, OptionValue]], MotionEncoder]
"""The name of a method and options of a take, to its curves as features."""


@runtime_checkable
class Driven(Protocol):
    """A method that is driven by other methods' curves."""

    def drive_with(self, motion: MotionOf) -> None:
        """Say where they come from."""
        ...
