"""Options that several methods share, and how an option declares the input on which it acts.

No option is ever ignored: where it cannot act it is an error. So that this can be tested, every
option carries an `Example`: a value and an input for which the result differs from the default's.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from motet.acting import check_still_head, emotion_keys, gaze_target
from motet.config import Settings
from motet.errors import ConfigError

Device = typing.Literal["auto", "cpu", "cuda", "mps"]
"""Kind of processor that networks run on."""
OptionValue: TypeAlias = str | int | float | bool
T = TypeVar("T", bound=OptionValue)
_KEY = "example"


@dataclasses.dataclass(frozen=True)
class Example:
    """An input on which an option acts."""

    value: OptionValue
    """A value other than the default. `{take}`, `{video}`, `{person}`, ... in a text stand for
    files that the test makes."""
    preset: str = "tiny"
    """Preset of the method whose model has the part that the option controls."""
    sound: str = "speech"
    """Which sound of the test: `speech`, `long` (several windows), or `pause`."""
    given: Mapping[str, OptionValue] = dataclasses.field(default_factory=dict)
    """Other options that must be set with it."""


def option(
    default: T,
    example: T,
    *,
    preset: str = "tiny",
    sound: str = "speech",
    given: Mapping[str, OptionValue] | None = None,
) -> T:
    """A dataclass field with a default and the input on which `example` gives another result."""
    example_input = Example(example, preset, sound, given or {})
    return dataclasses.field(default=default, metadata={_KEY: example_input})  # type: ignore[return-value]


def example_of(field: dataclasses.Field[object]) -> Example | None:
    """The input that an option declares; None when it declares none."""
    example = field.metadata.get(_KEY)
    return example if isinstance(example, Example) else None


def check_choices(settings: Settings) -> None:
    """Make sure that every option with listed choices has one of them.

    Raises:
        ConfigError: names the option and its choices.
    """
    for name, hint in typing.get_type_hints(type(settings)).items():
        if typing.get_origin(hint) is not typing.Literal:
            continue
        choices, value = typing.get_args(hint), getattr(settings, name)
        if value not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def check_ranges(settings: Settings, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Make sure that numbers lie in their ranges, borders included.

    Raises:
        ConfigError: names the option and its range.
    """
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            raise ConfigError(f"{name} must lie between {least:g} and {most:g}, not {value}")


def changed(settings: Settings) -> list[str]:
    """Names of the options that differ from their defaults."""
    return [
        field.name
        for field in dataclasses.fields(settings)
        if getattr(settings, field.name) != field.default
    ]


def refuse(settings: Settings, names: tuple[str, ...], why: str) -> None:
    """Make sure that options which cannot act are left at their defaults.

    Raises:
        ConfigError: names the first that is set, and why it cannot act.
    """
    unusable = [name for name in changed(settings) if name in names]
    if unusable:
        raise ConfigError(f"option {unusable[0]} has no effect here: {why}")


@dataclasses.dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance scales. A method's own scale counts where one is left out."""

    audio: float | None = None
    """Scale for the audio; 1: no guidance."""
    style: float | None = None
    """Scale for the style; needs a style."""

    def options(self) -> dict[str, OptionValue]:
        """The scales that are set, under their names among the options of every method."""
        return {f"guidance_{k}": v for k, v in vars(self).items() if v is not None}


@dataclasses.dataclass(frozen=True)
class Postprocess:
    """What is done to a face after generation."""

    intensity: float = option(1.0, 0.5)
    """Scale of the mouth's motion: 1 leaves it unchanged, 0.5 mumbles, 1.3 exaggerates."""
    emotion: str = option("", "joy=0.7")
    """Acting direction: NAME=WEIGHT[@SECONDS],... (joy=0.6,anger=0.8@3,neutral=1@5). joy, anger,
    sadness, fear, disgust, surprise, contempt, cheekiness, pain, calm, or Audio2Face's, VRM's and
    MEAD's names for them."""
    head: bool = option(True, False)
    """Keep the head's rotation."""
    head_scale: float = option(1.0, 0.5)
    """Scale of the head's movement: 0.5 is calm, 1.5 lively."""
    gestures: bool = option(True, False)
    """Add nods, turns, postures and brow raises drawn from the sound's rhythm and the seed.
    Without: the method's own."""
    gaze: str = option("camera", "free")
    """Where the eyes look: `camera`, AZ,EL (degrees to the figure's left and up; beyond 12 and 8
    the head turns too), `free` (they leave the camera and come back), or `method` (the method's
    own)."""
    blink: bool = option(True, False, sound="long")
    """Keep the method's blinks and add seeded ones. Without: the lids stay open."""
    close_end: bool = option(True, False)
    """Closed lips in the first frame, and again in the last: the mouth opens and closes within
    0.12 s. Without: a clip that was cut in a vowel begins or ends with an open mouth."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.intensity <= 3.0:
            raise ConfigError(f"intensity must lie between 0 and 3, not {self.intensity}")
        if not 0.0 <= self.head_scale <= 3.0:
            raise ConfigError(f"head_scale must lie between 0 and 3, not {self.head_scale}")
        if not self.head and self.head_scale != 1.0:
            raise ConfigError("head_scale has no effect on a head that is held; leave one out")
        emotion_keys(self.emotion)
        gaze_target(self.gaze)
        if not self.head:
            check_still_head(self.gaze)
