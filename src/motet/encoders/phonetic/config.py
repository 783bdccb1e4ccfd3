"""Settings of the phonetic encoder; free of torch."""

from __future__ import annotations

import dataclasses

from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class PhoneticConfig:
    """Architecture: log-mel at 100 Hz, one strided convolution that sees a little of the future,
    then causal blocks at 50 Hz.
    """

    SCHEMA = 1

    phones: tuple[str, ...]
    """Symbols of the phone head, in order."""
    lips: tuple[str, ...]
    """Names of the lip head's channels, in order."""
    mel_bins: int = 80
    """Mel bands."""
    mel_floor: float = 1e-6
    """Energy added to every band before the logarithm; what lies below it is not heard."""
    width: int = 256
    """Channels of the features."""
    expansion: int = 3
    """Inner width of a block over its outer width."""
    kernel: int = 7
    """Taps of each block's causal filter."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    """Spacing of the taps of each block, in features of 20 ms; their number is the depth."""
    mel_before: int = 5
    """Mel frames before a feature's own time that the first convolution sees."""
    mel_after: int = 10
    """Mel frames after it: the look-ahead."""
    teacher_dims: int = 96
    """Principal components of the teacher that the distillation head predicts."""

    def __post_init__(self) -> None:
        if (
            self.kernel < 2
            or self.width < 1
            or not self.dilations
            or self.mel_before < 0
            or self.mel_after < 0
            or self.mel_floor <= 0
        ):
            raise ConfigError(
                "a phonetic encoder needs a positive width and floor, at least one block, a kernel"
                " of at least 2 taps, no negative mel context"
            )

    @property
    def look_ahead_s(self) -> float:
        """Seconds of sound after a feature's time that it depends on: mel frames of 10 ms and half
        a window of 25 ms.
        """
        return self.mel_after * 0.010 + 0.0125

    @property
    def context_s(self) -> float:
        """Seconds of sound before a feature's time that it can depend on."""
        return (self.kernel - 1) * sum(self.dilations) * 0.020 + self.mel_before * 0.010 + 0.0125
