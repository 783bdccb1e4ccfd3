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
