"""What a method is. The stream is the primitive; a whole clip is its concatenation.

`begin` makes a state, `step` takes audio and returns the frames that are final so far, `finish`
returns the rest. The caller owns the state: one loaded method serves any number of sessions. Laws,
proved by the contract tests for every method: for every cutting of the audio the results agree, and
a batch equals its items run alone with their own seeds.
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast

from motet.config import JsonValue, Settings
from motet.errors import ConfigError
from motet.options import OptionValue
from motet.stage import Stage

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from motet.imported import Imported, Official
    from motet.types import Audio, Frames, Layout, Motion, MotionSpace

ConfigT = TypeVar("ConfigT", bound=Settings)
ConditionT = TypeVar("ConditionT", bound=Settings)
StateT = TypeVar("StateT")
OutT = TypeVar("OutT", bound="Motion | Frames")

Facts = Callable[[], dict[str, JsonValue]]
"""What the finished weights record about a training set (a function: naming all sources takes a
moment)."""


class Method(abc.ABC, Generic[ConfigT, ConditionT, StateT, OutT]):
    """One way from audio to motion or pictures. Instances hold weights and nothing else."""

    config: ConfigT
    """Architecture of the model."""
    device: torch.device
    """Where its networks are, set by who loads it; audio comes in and frames go out on the CPU."""
    space: MotionSpace
    """What the numbers of its motion mean; methods that draw pictures have none."""
    whole_recording: str = ""
    """Why this model needs the whole recording before its first frame; empty: it streams."""

    @abc.abstractmethod
    def begin(self, condition: ConditionT, seeds: Sequence[int]) -> StateT:
        """State of a new session for `len(seeds)` items, each with its own randomness.

        Raises:
            ConfigError: an option that this model cannot honour.
        """

    @abc.abstractmethod
    def step(self, state: StateT, audio: Audio) -> tuple[OutT, StateT]:
        """Take any amount of audio (batch channels time); return the frames that are now final.

        `Motion` (batch frames dim), or `Frames` (batch frames height width 3).
        """

    @abc.abstractmethod
    def finish(self, state: StateT) -> OutT:
        """The rest of the frames, so that all together are round(seconds * fps)."""

    @property
    def fps(self) -> float:
        """Output frame rate."""
        return self.space.fps

    def credits(self, condition: ConditionT) -> dict[str, JsonValue]:
        """Whose likeness is shown and who consented, for the provenance of a take."""
        del condition
        return {}

    def detected(self, audio: Audio, condition: ConditionT) -> dict[str, JsonValue]:
        """What the method found in the audio, for the provenance of a take; most report nothing.

        Args:
            audio: the whole recording with a batch of one, as `step` takes it.
        """
        del audio, condition
        return {}

    def beside_face(self, options: Mapping[str, OptionValue]) -> Mapping[str, OptionValue]:
        """Options of a body whose figure also has a face that speaks the same recording; the same
        for methods to which that is no matter.
        """
        return options

    def run(self, audio: Audio, condition: ConditionT, seeds: Sequence[int]) -> OutT:
        """A whole clip, worked on in pieces so that no features pile up."""
        from motet.types import concatenate

        return concatenate(list(self.stream(audio.pieces(), condition, seeds)))

    def stream(
        self, pieces: Iterator[Audio], condition: ConditionT, seeds: Sequence[int]
    ) -> Iterator[OutT]:
        """The same from pieces of audio; outputs without frames are left out."""
        state = self.begin(condition, seeds)
        for piece in pieces:
            out, state = self.step(state, piece)
            if out.frames:
                yield out
        yield self.finish(state)


AnyMethod = Method[Settings, Settings, object, "Motion | Frames"]
"""A method of which only its spec is known."""
Tensors = Mapping[str, "Tensor"]
Recipe = Mapping[str, Mapping[str, float | str]]
"""Settings of a training by stage: names and values of `motet.training.settings.TrainConfig`."""


@dataclasses.dataclass(frozen=True)
class StreamingDelay:
    """One position of a method's delay dial."""

    options: Mapping[str, OptionValue]
    """Options of the condition that give it."""
    least_s: float
    """Smallest time from the end of a frame's own sound to the frame, seconds, computation left
    out."""
    most_s: float
    cost: float
    """CPU seconds for a second of sound."""


@dataclasses.dataclass(frozen=True)
class MethodSpec:
    """What a method declares about itself, without importing its code.

    Code is named as `module:attribute` and read by the accessors below.
    """

    name: str
    title: str
    """One line for listings."""
    paper: str
    output: Literal["motion", "frames"]
    space: str
    """Name of the motion space of the default preset; empty for methods that draw pictures."""
    fps: float
    """Output frame rate of the default preset."""
    sample_rate: int
    """Input sample rate, Hz."""
    layout: Layout
    """Input channels."""
    look_ahead_s: float
    """Streaming delay: audio after a frame that the default preset needs before it emits the frame
    (the emitted part of the window included)."""
    delays: tuple[StreamingDelay, ...] = dataclasses.field(default=(), kw_only=True)
    """Positions of the delay dial, the quickest first; empty: the delay cannot be chosen."""
    tolerance: float
    """Largest difference between any two cuttings of the same audio (0: bit for bit)."""
    evaluation: Literal["face", "body", "person"]
    """Protocol of `motet eval`: speech of unseen speakers; sounds with known source positions; the
    held-out end of a person's footage."""
    config: str
    """Dataclass of the architecture."""
    condition: str
    """Dataclass of the options of a take."""
    presets: str
    """Architectures by name; `default` and `tiny` at least."""
    method: str
    """(config, tensors or None for random weights, facts) -> Method."""
    whole_recording: str = ""
    """Why the default preset needs the whole recording; empty: it streams."""
    detects: bool = False
    """Whether takes record what was found in the audio (`Method.detected`)."""
    deterministic: bool = False
    """Whether every seed gives the same motion: takes differ by their blinks only."""
    stages: str = ""
    """(config, tensors or None) -> list of Stage; empty: the method does not train."""
    recipes: str = ""
    """Settings of the papers' trainings: preset -> stage -> names and values of `TrainConfig`;
    empty: none are published."""
    training_set: str = ""
    """(config, folder) -> the training set that the stages draw batches from, and its `Facts`."""
    convert: str = ""
    """(official files, settings by hand) -> Imported; empty: there is no official checkpoint."""
    example: str = ""
    """(config) -> a small training set made in code; empty: random performances in the method's
    space serve."""
    weights: str = ""
    """File name of the shipped weights; empty: none are shipped."""
    onnx: str = ""
    """(method, condition) -> `motet.nn.stateful_graph.StatefulGraph`; empty: no ONNX."""
    person_weights: str = ""
    """(folder of a fitted person) -> path of the person's weights; empty: the method has no option
    `person`."""

    @property
    def streams(self) -> bool:
        """Whether the default preset emits frames before the recording has ended."""
        return not self.whole_recording

    def config_type(self) -> type[Settings]:
        """Dataclass of the architecture."""
        return cast(type[Settings], self._attribute(self.config))

    def condition_type(self) -> type[Settings]:
        """Dataclass of the options of a take."""
        return cast(type[Settings], self._attribute(self.condition))

    def architectures(self) -> Mapping[str, Settings]:
        """Presets by name."""
        return cast(Mapping[str, Settings], self._attribute(self.presets))

    def build(
        self, config: Settings, tensors: Tensors | None, facts: Mapping[str, JsonValue]
    ) -> AnyMethod:
        """The method from its weights, or with random ones without tensors.

        Raises:
            CheckpointError: the tensors do not fit.
        """
        return cast(Callable[..., AnyMethod], self._attribute(self.method))(config, tensors, facts)

    def build_stages(self, config: Settings, tensors: Tensors | None = None) -> list[Stage[object]]:
        """Training stages in their order.

        Raises:
            ConfigError: this method does not train.
        """
        make = self._required(self.stages, "does not train")
        return cast(Callable[..., list[Stage[object]]], make)(config, tensors)

    def recipe(self, preset: str) -> Recipe:
        """Settings of the paper's training of a preset by stage; empty where none are known."""
        if not self.recipes:
            return {}
        return cast(Mapping[str, Recipe], self._attribute(self.recipes)).get(preset, {})

    def read_training_set(self, config: Settings, folder: Path) -> tuple[object, Facts]:
        """The training set in a folder.

        Raises:
            ConfigError: this method names no reader.
            InputError: the folder has nothing to train on.
        """
        read = self._required(self.training_set, "names no reader of a training set")
        return cast(Callable[..., tuple[object, Facts]], read)(config, folder)

    def example_training_set(self, config: Settings) -> object:
        """A small training set made in code.

        Raises:
            ConfigError: this method has none of its own.
        """
        make = self._required(self.example, "has no example training set")
        return cast(Callable[[Settings], object], make)(config)

    def convert_official(
        self, files: Sequence[Official], overrides: Mapping[str, JsonValue]
    ) -> Imported[Settings]:
        """Configuration and tensors from the authors' files.

        Args:
            files: as `read_official` gives them, in any order.
            overrides: settings by hand, nested as in the configuration.

        Raises:
            ConfigError: there is no official checkpoint of this method, or a setting is unknown.
            CheckpointError: the tensors are not those of a known model.
        """
        convert = self._required(self.convert, "has no official checkpoint to import")
        return cast(Callable[..., "Imported[Settings]"], convert)(files, overrides)

    def shipped(self) -> Path:
        """Path of the shipped weights.

        Raises:
            ConfigError: this method ships none.
        """
        if not self.weights:
            raise ConfigError(f"{self.name} ships no weights; give --weights FILE")
        return Path(__file__).parent / "weights" / self.weights

    def weights_of_person(self, folder: Path) -> Path:
        """Path of the weights of a fitted person.

        Raises:
            ConfigError: this method has no persons, or this one is not trained yet.
            AssetError: not the folder of a person.
        """
        find = self._required(self.person_weights, "has no option 'person'")
        return cast(Callable[[Path], Path], find)(folder)

    def _required(self, reference: str, problem: str) -> object:
        if not reference:
            raise ConfigError(f"{self.name} {problem}")
        return self._attribute(reference)

    def _attribute(self, reference: str) -> object:
        module, _, attribute = reference.partition(":")
        return getattr(importlib.import_module(module), attribute)
