"""Stream operators on face motion: one interface for everything done to generated frames.

An operator takes the frames of one step (batch, frames, dim) with what the sound says about them,
and gives frames; what it remembers is a value that the caller keeps. So a stream is processed
exactly as a whole take is. Operators that need the whole recording in one step say so.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.face.rhythm import Rhythm

OperatorState = TypeVar("OperatorState")


@dataclasses.dataclass(frozen=True)
class FaceCues:
    """What is known about the frames of one step besides their motion."""

    first_frame: int = 0
    """Absolute number of the first of them."""
    aperture: Float[Tensor, "batch frames"] | None = None
    """Lip gap estimated from the sound, mouth widths."""
    mouth: Float[Tensor, "batch frames shapes"] | None = None
    """Weights of `motet.face.lip_shapes.SOLVED` regressed from the sound."""
    closure_evidence: Float[Tensor, "batch frames"] | None = None
    """Probability that the lips are closed for p, b or m, estimated from the sound."""
    closure_amount: Float[Tensor, "batch frames"] | None = None
    """How far the lips are to be closed, 0..1, where the times of p, b and m are known."""
    silent: Bool[Tensor, "batch frames"] | None = None
    """True where nobody speaks."""
    rhythm: tuple[Rhythm, ...] = ()
    """Accents, phrases and loudness of the sound: of each item, or one for all."""


NO_CUES = FaceCues()


class Operator(abc.ABC, Generic[OperatorState]):
    """One thing done to face motion."""

    @abc.abstractmethod
    def begin(self, batch: int) -> OperatorState:
        """State before the first frame."""

    @abc.abstractmethod
    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: OperatorState, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch ready dim"], OperatorState]:
        """The frames that are ready, and the new state."""

    def finish(self, state: OperatorState) -> list[Float[Tensor, "batch rest dim"]]:
        """The frames held back; most operators hold none."""
        del state
        return []


class FrameOperator(Operator[None]):
    """An operator that needs no memory: each frame by itself, or by its absolute number."""

    def begin(self, batch: int) -> None:
        """Nothing to remember."""

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: None, cues: FaceCues
    ) -> tuple[Float[Tensor, "batch frames dim"], None]:
        """All frames, at once."""
        return (self.apply(motion, cues) if motion.shape[1] else motion), None

    @abc.abstractmethod
    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""


class OperatorChain(Operator[tuple[Any, ...]]):
    """Operators one after the other. One that holds frames back must stand behind all that read
    cues.
    """

    def __init__(self, operators: Sequence[Operator[Any]]) -> None:
        self.operators = tuple(operators)

    def begin(self, batch: int) -> tuple[Any, ...]:
        """States of all operators."""
        return tuple(operator.begin(batch) for operator in self.operators)

    def step(
        self, motion: Float[Tensor, "batch frames dim"], state: tuple[Any, ...], cues: FaceCues
    ) -> tuple[Float[Tensor, "batch ready dim"], tuple[Any, ...]]:
        """The frames that have passed all operators."""
        states = []
        for operator, own in zip(self.operators, state, strict=True):
            motion, own = operator.step(motion, own, cues)
            states.append(own)
        return motion, tuple(states)

    def finish(self, state: tuple[Any, ...]) -> list[Float[Tensor, "batch rest dim"]]:
        """What operators held back, passed through those behind them."""
        rest: list[Tensor] = []
        for operator, own in zip(self.operators, state, strict=True):
            processed = []
            for frames in rest:
                frames, own = operator.step(frames, own, NO_CUES)
                processed.append(frames)
            rest = [*processed, *operator.finish(own)]
        return rest

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues = NO_CUES
    ) -> Float[Tensor, "batch frames dim"]:
        """A whole take: `begin`, one `step`, `finish`."""
        first, state = self.step(motion, self.begin(len(motion)), cues)
        return torch.cat([first, *self.finish(state)], 1)
