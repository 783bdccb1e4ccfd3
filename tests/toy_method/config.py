"""Settings of the toy method."""

import dataclasses

from motet.options import option


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    """Architecture."""

    hidden: int = 8
    """Width of the one hidden layer."""


@dataclasses.dataclass(frozen=True)
class ToyCondition:
    """Options of a take."""

    jitter: float = option(0.01, 0.1)
    """Size of the random movement of the head in radians."""


PRESETS = {"default": ToyConfig(), "tiny": ToyConfig(hidden=4)}
