"""The audio encoder of a method: one protocol for all, and one loader by name.

An encoder turns samples into acoustic features at a fixed rate, as a stream: all state is a value
that the caller keeps. Law, proved by tests: every chunking of the samples gives the same features.
An encoder whose features depend on the whole recording keeps the protocol too, gives everything in
`finish`, and says so (`look_ahead_s` is infinite, `EncoderSpec.streams` is False).
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import ConfigError, nearest
from motet.nn.device import CPU, on_device

EncoderState = TypeVar("EncoderState")


class AudioEncoder(Protocol[EncoderState]):
    """Streaming acoustic features."""

    sample_rate: int
    """Samples a second that it expects."""
    channels: int
    """Channels of the samples; more than one: (batch, time, channels)."""
    frame_rate: float
    """Features a second; feature k lies at k / frame_rate seconds."""
    dim: int
    """Channels of a feature."""
    look_ahead_s: float
    """Seconds of sound after a feature's time that it waits for; infinite: the whole recording."""
    expects_level: bool
    """Whether it is to get speech at the level that `motet.audio.speech_level` brings it to."""

    def begin(self, batch: int) -> EncoderState:
        """State before the first sample."""
        ...

    def step(
        self, state: EncoderState, samples: Float[Tensor, "batch time *channels"]
    ) -> tuple[Float[Tensor, "batch steps dim"], EncoderState]:
        """The features that these samples complete, and the new state."""
        ...

    def finish(self, state: EncoderState) -> Float[Tensor, "batch steps dim"]:
        """The remaining features, as if silence followed."""
        ...


class SpeechEncoder(AudioEncoder[EncoderState], Protocol[EncoderState]):
    """An encoder whose features also tell what the lips do (two features for each frame of 40 ms).

    Features beyond those given are unknown: closures are then improbable, the aperture is that of
    the nearest known features.
    """

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` features from number `first` on."""
        ...

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths; the first frame begins with feature `first`."""
        ...


@runtime_checkable
class MouthEncoder(Protocol):
    """An encoder among whose features are mouth shapes regressed from the sound."""

    mouth_mean: Float[Tensor, " shapes"]
    """Their mean over the training set."""

    def mouth(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps shapes"]:
        """Weights of `motet.face.lip_shapes.SOLVED` among the features."""
        ...


@runtime_checkable
class OfflineEncoder(Protocol):
    """An encoder that encodes whole recordings, in long windows, and can also stream."""

    def streaming(self, look_ahead_s: float = 0.3, hop_s: float = 0.16) -> SpeechEncoder[Any]:
        """The same network as a stream.

        Args:
            look_ahead_s: least seconds of sound after a feature's time that it sees.
            hop_s: seconds of sound from one block of features to the next.
        """
        ...


def encode(
    encoder: AudioEncoder[Any], samples: Float[Tensor, "batch time *channels"]
) -> Float[Tensor, "batch steps dim"]:
    """Features of a whole recording: `begin`, one `step`, `finish`."""
    first, state = encoder.step(encoder.begin(len(samples)), samples)
    return torch.cat([first, encoder.finish(state)], 1)


class Waveform:
    """The samples themselves as features: for methods that encode each window with a network of
    their own.

    Args:
        sample_rate: samples a second, in and out.
    """

    look_ahead_s, expects_level = 0.0, False

    def __init__(self, sample_rate: int, channels: int = 1) -> None:
        self.sample_rate, self.frame_rate = sample_rate, float(sample_rate)
        self.channels = self.dim = channels

    def begin(self, batch: int) -> tuple[int, ...]:
        """Shape of no samples."""
        # Only the shape: a stream without memory still has to know the batch in `finish`.
        return (batch, 0) if self.channels == 1 else (batch, 0, self.channels)

    def step(
        self, state: tuple[int, ...], samples: Float[Tensor, "batch time *channels"]
    ) -> tuple[Float[Tensor, "batch time *channels"], tuple[int, ...]]:
        """What came in."""
        return samples, state

    def finish(self, state: tuple[int, ...]) -> Float[Tensor, "batch 0 *channels"]:
        """Nothing is held back."""
        return torch.zeros(state)


class WholeRecordingEncoder:
    """An encoder that cannot stream, behind the streaming protocol: it buffers all samples.

    Args:
        features: (batch, time, ...) to (batch, steps, dim).
    """

    look_ahead_s, expects_level = math.inf, False

    def __init__(
        self,
        features: Callable[[Tensor], Tensor],
        sample_rate: int,
        frame_rate: float,
        dim: int,
        channels: int = 1,
    ) -> None:
        self._features = features
        self.sample_rate, self.channels = sample_rate, channels
        self.frame_rate, self.dim = frame_rate, dim

    def begin(self, batch: int) -> tuple[Tensor, ...]:
        """No samples yet; the empty tensor keeps the size of the batch."""
        return (torch.zeros(batch, 0),)

    def step(
        self, state: tuple[Tensor, ...], samples: Float[Tensor, "batch time *channels"]
    ) -> tuple[Float[Tensor, "batch 0 dim"], tuple[Tensor, ...]]:
        """Buffer the samples."""
        pieces = (*state, samples) if samples.shape[1] else state
        return torch.zeros(len(samples), 0, self.dim), pieces

    @torch.inference_mode()
    def finish(self, state: tuple[Tensor, ...]) -> Float[Tensor, "batch steps dim"]:
        """All features."""
        # Only the empty start: nothing came.
        if len(state) == 1:
            return torch.zeros(len(state[0]), 0, self.dim)
        return self._features(torch.cat(state[1:], 1))


@dataclasses.dataclass(frozen=True)
class EncoderSpec:
    """What can be known of an encoder without importing its code."""

    title: str
    sample_rate: int
    frame_rate: float
    streams: bool
    load: str
    """`module:function` of (weights, dim) to the encoder."""
    reason: str = ""
    """Why it needs the whole recording, for those that do not stream."""


_TRANSFORMER = "its transformer attends over the whole recording"
ENCODERS: dict[str, EncoderSpec] = {
    "phonetic": EncoderSpec(
        "phonetic features of the shipped network, 0.11 s look-ahead",
        16_000,
        50.0,
        True,
        "motet.encoders.phonetic.encoder:load_phonetic_encoder",
    ),
    "bands": EncoderSpec(
        "log energy in bands, no weights (tests)",
        16_000,
        50.0,
        True,
        "motet.encoders.band_energy:load_band_energy",
    ),
    "wav2vec2": EncoderSpec(
        "wav2vec 2.0 or XLS-R from a state dict of yours",
        16_000,
        50.0,
        False,
        "motet.encoders.pretrained:load_transformer",
        _TRANSFORMER,
    ),
    "hubert": EncoderSpec(
        "HuBERT from a state dict of yours",
        16_000,
        50.0,
        False,
        "motet.encoders.pretrained:load_transformer",
        _TRANSFORMER,
    ),
    "mimi": EncoderSpec(
        "MIMI's unquantised latents from a state dict of yours",
        16_000,
        25.0,
        False,
        "motet.encoders.pretrained:load_mimi",
        "its resampler and transformer are run over the whole recording",
    ),
    "whisper": EncoderSpec(
        "Whisper tiny's encoder, shipped; others from a CTranslate2 file of yours",
        16_000,
        50.0,
        False,
        "motet.encoders.whisper.encoder:load_whisper_encoder",
        "as loaded it sees windows of 20 s; its `streaming()` sees a short look-ahead",
    ),
    "lips": EncoderSpec(
        "the features of `whisper` and mouth shapes regressed from them",
        16_000,
        50.0,
        False,
        "motet.encoders.lips:load_lip_encoder",
        "as loaded it sees windows of 20 s; its `streaming()` sees a short look-ahead",
    ),
    "speech": EncoderSpec(
        "the features of `whisper` and a phone channel",
        16_000,
        50.0,
        False,
        "motet.encoders.speech:load_speech_features",
        "as loaded it sees windows of 20 s; `in_mode('stream')` sees a short look-ahead",
    ),
    "deepspeech": EncoderSpec(
        "letter scores of a speech model that can no longer be installed (`deepspeech_encoder`)",
        16_000,
        50.0,
        False,
        "motet.encoders.deepspeech:load_deepspeech",
        "its input is normalised over the whole recording",
    ),
    "binaural": EncoderSpec(
        "1,136 hand-made features for each of two ears",
        30_720,
        30.0,
        False,
        "motet.encoders.binaural:load_binaural",
        "decibels, tuning and beats refer to the whole recording",
    ),
    "monaural": EncoderSpec(
        "68 hand-made features of the mean of two ears",
        30_720,
        30.0,
        False,
        "motet.encoders.binaural:load_monaural",
        "decibels, tuning and beats refer to the whole recording",
    ),
}


def load_encoder(name: str, weights: Path | None = None, *, dim: int = 0) -> AudioEncoder[Any]:
    """The encoder of this name, on the CPU.

    Args:
        weights: a file of yours; None: the shipped weights, where there are any.
        dim: channels that the caller needs; 0: whatever the encoder gives. `bands` needs it.

    Raises:
        ConfigError: no such encoder, no weights for it, or another number of channels.
        CheckpointError: the weights do not fit.
    """
    if name not in ENCODERS:
        raise ConfigError(f"no audio encoder {name!r}; {nearest(name, ENCODERS)}")
    module, _, function = ENCODERS[name].load.partition(":")
    with on_device(CPU):
        encoder = getattr(importlib.import_module(module), function)(weights, dim)
    if dim and encoder.dim != dim:
        raise ConfigError(
            f"the audio encoder {name!r} gives {encoder.dim} channels, {dim} are needed; load the"
            " weights that belong together"
        )
    return encoder
