"""What Whisper's features say about speech: phones, closed lips, the gap between the lips.

One small network looks at a step and some steps before it and predicts the phone and whether p, b
or m closes the lips; a linear map predicts the gap. Steps after it are not needed: the features
themselves see the sound that follows. The heads are trained on features of whole recordings and of
streams with several look-aheads, so one set serves both.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from motet.encoders.whisper.attached import load_attached
from motet.phonetics.phones import SYMBOLS

SHIPPED = Path(__file__).parents[2] / "weights" / "speech_heads.safetensors"
CONTEXT = (-8, -4, -2, -1, 0)
"""Steps of 20 ms that the heads look at."""


@dataclasses.dataclass(frozen=True)
class SpeechHeadsConfig:
    """Sizes, and the encoder that the heads belong to."""

    SCHEMA = 1

    front_end: str
    """Digest of the encoder whose features are read."""
    dim: int = 384
    """Channels of a feature."""
    width: int = 128
    """Channels of a step after the first layer."""
    inner: int = 256
    dropout: float = 0.3
    phones: tuple[str, ...] = SYMBOLS
    """Phones in the order of the logits."""


class SpeechHeads(nn.Module):
    """Features to logits of phones and closed lips, and to the gap between the lips."""

    mean: Float[Tensor, " dim"]
    deviation: Float[Tensor, " dim"]
    gap_weight: Float[Tensor, "context dim"]
    gap_bias: Float[Tensor, ""]

    def __init__(self, config: SpeechHeadsConfig) -> None:
        super().__init__()
        self.config = config
        self.narrow = nn.Linear(config.dim, config.width)
        self.mix = nn.Linear(len(CONTEXT) * config.width, config.inner)
        self.out = nn.Linear(config.inner, len(config.phones) + 1)
        self.register_buffer("mean", torch.zeros(config.dim))
        self.register_buffer("deviation", torch.ones(config.dim))
        self.register_buffer("gap_weight", torch.zeros(len(CONTEXT), config.dim))
        self.register_buffer("gap_bias", torch.zeros(()))

    def forward(
        self, around: Float[Tensor, "*batch context dim"]
    ) -> tuple[Float[Tensor, "*batch phones"], Float[Tensor, "*batch"]]:
        """Logits of phones, and log-odds of closed lips, of single steps with their context."""
        return self._logits(self._narrowed(around).flatten(-2))

    def read(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> tuple[Float[Tensor, "batch steps phones"], Float[Tensor, "batch steps"]]:
        """The same for `steps` steps from `first` on; beyond what is known the ends go on."""
        # What neighbouring steps share is computed once.
        narrowed = self._narrowed(features)
        # (batch, steps, context * width)
        return self._logits(narrowed[:, context_of(first, steps, features.shape[1])].flatten(-2))

    def phones(
        self, features: Float[Tensor, "batch known dim"]
    ) -> Float[Tensor, "batch known phones"]:
        """Probabilities of the phones at every step."""
        return self.read(features, 0, features.shape[1])[0].softmax(-1)

    def gap(
        self, features: Float[Tensor, "batch known dim"], steps: Tensor
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths, at the given steps."""
        at = steps.unsqueeze(1) + torch.tensor(CONTEXT)
        around = features[:, at.clamp(0, features.shape[1] - 1)]
        # b batch, f frame, r position in the context, d channel
        return torch.einsum("bfrd,rd->bf", around, self.gap_weight) + self.gap_bias

    def _narrowed(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch width"]:
        return self._drop(functional.gelu(self.narrow((x - self.mean) / self.deviation)))

    def _logits(self, x: Float[Tensor, "*batch inputs"]) -> tuple[Tensor, Tensor]:
        logits = self.out(self._drop(functional.gelu(self.mix(x))))
        # The last logit is closed lips, the others are phones.
        return logits[..., :-1], logits[..., -1]

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.config.dropout, self.training)


def context_of(first: int, steps: int, known: int) -> Tensor:
    """Indices (steps, context) of the steps around each of `steps` steps from `first` on."""
    at = first + torch.arange(steps).unsqueeze(1) + torch.tensor(CONTEXT)
    return at.clamp(0, known - 1)


@cache
def load_heads(front_end: str, path: Path = SHIPPED) -> SpeechHeads:
    """The shipped heads.

    Raises:
        CheckpointError: missing, damaged, or trained on another encoder.
    """
    return load_attached(
        path,
        front_end,
        SpeechHeadsConfig,
        SpeechHeads,
        "train heads for yours with  motet train speech-heads",
    )
