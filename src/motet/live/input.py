"""The channels of a live input, brought to those of a method."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AudioError, ConfigError
from motet.method import MethodSpec
from motet.options import OptionValue

Samples = Float[Tensor, "channels time"]


class InputMixer:
    """Interleaved input channels to the method's one or two.

    Args:
        spec: the method.
        rate: sample rate of the input, Hz.
        channels: of the input.
        options: of the method; `source` places one channel for a binaural method.
        channel: the channel with the speech, from 1, of methods that take one; None: their mean.

    Raises:
        ConfigError: channels that the method cannot use.
    """

    def __init__(
        self,
        spec: MethodSpec,
        rate: int,
        channels: int,
        options: Mapping[str, OptionValue],
        channel: int | None = None,
    ) -> None:
        if not 1 <= channels <= 64:
            raise ConfigError(f"channels must lie between 1 and 64, not {channels}")
        if channel is not None and (spec.layout != "mono" or not 1 <= channel <= channels):
            raise ConfigError(
                f"there is no channel {channel} to take alone: {spec.name} takes {spec.layout}"
                f" sound and the input has {channels}; leave --channel out"
            )
        self._spec, self._rate, self.channels = spec, rate, channels
        self._channel = channel
        self._position = str(options.get("source", ""))
        self.width = 2 if spec.layout == "binaural" else 1
        """Channels that come out."""
        if self.width == 2 and channels != 2 and (channels != 1 or not self._position):
            raise ConfigError(
                f"{spec.name} needs binaural input: two channels (--channels 2), or one channel"
                " with its position (--source AZ,EL,DIST)"
            )
        self.reset()

    def reset(self) -> None:
        """Before the first sample of an utterance."""
        self._spatial = None
        if self.width == 2 and self.channels == 1 and len(self._position.split(",")) == 3:
            from motet.audio.spatial.spatialise import Ray, SpatialStream, position_from_angles

            try:
                position = position_from_angles(*map(float, self._position.split(",")))
            except ValueError as error:
                raise ConfigError(
                    f"source must be AZ,EL,DIST (three numbers), not {self._position!r}"
                ) from error
            self._spatial = SpatialStream([Ray(position, self._spec.fps)], self._rate)

    def push(self, samples: Samples) -> Samples:
        """The method's channels of these samples.

        Raises:
            AudioError: another number of channels.
        """
        if samples.ndim != 2 or len(samples) != self.channels:
            raise AudioError(f"{self.channels} channels are expected, not {tuple(samples.shape)}")
        if self._channel is not None:
            return samples[self._channel - 1 : self._channel]
        if self.width == 1:
            return samples.mean(0, keepdim=True)
        if self._spatial is not None:
            return self._spatial.push(samples[0])
        return samples.expand(2, -1)

    def flush(self) -> Samples:
        """What was held back at the end of an utterance."""
        return torch.zeros(self.width, 0) if self._spatial is None else self._spatial.finish()
