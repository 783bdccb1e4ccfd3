"""Sizes of Whisper's encoder; free of torch."""

from __future__ import annotations

import dataclasses

from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class WhisperConfig:
    """Architecture of an encoder; the defaults are Whisper tiny."""

    SCHEMA = 1

    width: int = 384
    """Channels of the features."""
    layers: int = 4
    heads: int = 6
    """Attention heads of each layer."""

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads) < 1 or self.width % self.heads:
            raise ConfigError(
                "a Whisper encoder needs at least one layer, and a width that its heads divide"
            )


@dataclasses.dataclass(frozen=True)
class WhisperStreaming:
    """How a stream is decoded, in steps of 20 ms."""

    look_ahead: int = 13
    """Steps after a block that its features see."""
    hop: int = 8
    """New steps of a block."""
    past: int = 125
    """Steps whose keys and values are kept: what features see of the past."""
    refresh: int = 9
    """Steps before a block that it computes again before their keys and values are kept."""

    def __post_init__(self) -> None:
        ranges = {"look_ahead": (0, 50), "hop": (1, 50), "past": (1, 250), "refresh": (0, 50)}
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"{name} of a Whisper stream lies between {least} and {most} steps of 20 ms,"
                    f" not {getattr(self, name)}"
                )

    @property
    def look_ahead_s(self) -> float:
        """Seconds of sound after a feature's time that the first step of a block waits for."""
        # a whole block, the look-ahead, and half a mel window of 25 ms
        return (self.hop + self.look_ahead) * 0.02 + 0.0125
