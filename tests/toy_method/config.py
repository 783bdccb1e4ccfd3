"""Settings of the toy method."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    """Architecture."""

    hidden: int = 8
    """Width of the one hidden layer."""


@dataclasses.dataclass(frozen=True)
class ToyCondition:
    """What a user may set."""

    jitter: float = 0.01
    """Size of the random movement of the head in radians."""


PRESETS = {"default": ToyConfig(), "tiny": ToyConfig(hidden=4)}
