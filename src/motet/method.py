"""What a method is. The stream is the primitive; a whole clip is its concatenation.

`begin` makes a state, `step` takes sound and gives what can be said so far, `finish` gives the
rest. The state belongs to the caller: one loaded method serves any number of sessions. Law, proved
by the contract tests for every method: for every cutting of the sound the results agree, and a
batch equals its members run alone with their own seeds.
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from motet.errors import ConfigError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from motet.types import Audio, Layout, MotionSpace

State = TypeVar("State")


@dataclasses.dataclass(frozen=True)
class MethodSpec:
    """What can be known of a method without importing its code. Code is named as
    `module:attribute`.
    """

    name: str
    title: str
    """One line for listings."""
    paper: str
    output: Literal["motion", "frames"]
    space: str
    """Name of the motion space of the default preset; empty for methods that answer pictures."""
    sample_rate: int
    layout: Layout
    look_ahead_s: float
    """Sound after a frame that the default preset waits for before it answers the frame (window of
    commitment included)."""
    tolerance: float
    """Largest difference between any two cuttings of the same sound (0: bit for bit)."""
    config: str
    condition: str
    presets: str
    method: str
    """A callable (config, tensors | None, facts) -> Method."""
    stages: str = ""
    """A callable (config, tensors | None) -> list of Stage; empty when the method does not
    train."""
    corpus: str = "motet.training.training_sets:performances"
    """A callable (config, folder) -> the material that `motet train` gives the stages, and a
    function that tells about it."""
    convert: str = ""
    """A callable (official tensors) -> (config, tensors); empty when there is no official
    checkpoint."""
    example: str = ""
    """A callable (config) -> a small corpus for the stages, made in code; for methods that do not
    train on a `TrainingSet`."""
    weights: str = ""
    """File name of the shipped weights; empty when none are shipped."""

    def load(self, reference: str) -> Any:
        """The object that one of the references names, e.g. `spec.load("config")`."""
        module, _, attribute = getattr(self, reference).partition(":")
        return getattr(importlib.import_module(module), attribute)

    def shipped(self) -> Path:
        """Where the shipped weights lie.

        Raises:
            ConfigError: this method ships none.
        """
        if not self.weights:
            raise ConfigError(f"{self.name} ships no weights; give --weights FILE")
        return Path(__file__).parent / "weights" / self.weights


class Method(abc.ABC, Generic[State]):
    """One way from sound to motion. Instances hold weights and nothing else."""

    space: MotionSpace
    """What its numbers mean; methods that answer pictures have none."""

    @abc.abstractmethod
    def begin(self, condition: Any, seeds: Sequence[int]) -> State:
        """State of a new session for `len(seeds)` items, each with its own randomness.

        Raises:
            ConfigError: the condition cannot be fulfilled.
        """

    @abc.abstractmethod
    def step(self, state: State, audio: Audio) -> tuple[Any, State]:
        """Take any amount of sound (batch channels time); answer the frames that are now certain.

        `Motion` (batch frames dim), or for methods whose spec says so `Frames` (batch frames height
        width 3).
        """

    @abc.abstractmethod
    def finish(self, state: State) -> Any:
        """The rest of the frames, so that all together are round(seconds * fps)."""

    @property
    def fps(self) -> float:
        """Frames a second of what it answers."""
        return self.space.fps

    def run(self, audio: Audio, condition: Any, seeds: Sequence[int]) -> Any:
        """A whole clip: one step and the end."""
        from motet.types import concatenate

        first, state = self.step(self.begin(condition, seeds), audio)
        return concatenate([first, self.finish(state)])

    def stream(
        self, pieces: Iterator[Audio], condition: Any, seeds: Sequence[int]
    ) -> Iterator[Any]:
        """The same from pieces; pieces without frames are left out."""
        state = self.begin(condition, seeds)
        for piece in pieces:
            motion, state = self.step(state, piece)
            if motion.frames:
                yield motion
        yield self.finish(state)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of training. Methods give losses; the loop is motet's."""

    name: str
    model: nn.Module
    """All parameters that a checkpoint of this stage holds."""
    trained: Sequence[nn.Module]
    """The parts whose parameters move; everything else in `model` is frozen."""
    loss: Callable[[Mapping[str, Tensor], torch.Generator], dict[str, Tensor]]
    """(batch, randomness) -> named scalar terms, already weighted; their sum is minimised."""
    batch: Callable[[Any, int, torch.Generator], Mapping[str, Tensor]]
    """(corpus, size, randomness) -> one batch."""
    complete: Callable[[Any], None] | None = None
    """Called with the corpus after training, the averaged parameters in place: fills buffers that
    follow from them."""
    facts: Callable[[Any], dict[str, Any]] | None = None
    """Called likewise after that: what the checkpoint shall say about the finished model, e.g. its
    named styles."""


def condition_from(spec: MethodSpec, values: Mapping[str, Any]) -> Any:
    """A method's condition from the options a user set; an option the method does not have is an
    error.

    Raises:
        ConfigError: names the options there are.
    """
    cls = spec.load("condition")
    fields = {field.name for field in dataclasses.fields(cls)}
    for name in values:
        if name not in fields:
            raise ConfigError(f"{spec.name} has no option {name!r}; {nearest(name, fields)}")
    return cls(**values)


def parse_options(spec: MethodSpec, given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as values of the types that the method's condition declares.

    Raises:
        ConfigError: not of that form, unknown, or not of the declared type.
    """
    fields = {field.name: field for field in dataclasses.fields(spec.load("condition"))}
    hints = typing.get_type_hints(spec.load("condition"))
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} is not of the form NAME=VALUE")
        if name not in fields:
            raise ConfigError(f"{spec.name} has no option {name!r}; {nearest(name, fields)}")
        values[name] = _typed(hints[name], value, name)
    return values


def _typed(hint: Any, text: str, name: str) -> Any:
    choices = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is Literal:
        return text
    kind = choices[0] if choices else hint
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        return kind(text)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"option {name} must be {getattr(kind, '__name__', kind)}, not {text!r}"
        ) from error
