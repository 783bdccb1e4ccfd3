"""Whether lips are closed for p, b or m, read from the phonetic encoder's features around a moment.

The encoder's own phone head classifies each step by itself, with 0.11 s of look-ahead, into 52
phones. These small binary classifiers also see what follows: a stop shows in how the next vowel
sets in. Both err in different places, so their log-odds are added
(`PhoneticEncoder.closures`).
"""

from __future__ import annotations

import dataclasses
from functools import cache, cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from motet import config as settings
from motet.checkpoint import load_strict
from motet.encoders.phonetic.heads import REACH, read_reading

SHIPPED = Path(__file__).parents[2] / "weights" / "closing.safetensors"
STEPS_A_SECOND = 50


@dataclasses.dataclass(frozen=True)
class ClosingConfig:
    """Sizes, and the encoder that the ensemble belongs to."""

    SCHEMA = 1

    front_end: str
    """Digest of the encoder whose features are its input."""
    dim: int = 256
    width: int = 48
    dropout: float = 0.4
    members: int = 6
    """Networks that differ in their seed only; their log-odds are averaged, because each of them
    errs about other voices."""


class ClosingMember(nn.Module):
    """Features around a step to the log-odds of p, b or m."""

    def __init__(self, config: ClosingConfig) -> None:
        super().__init__()
        # The features are dropped at a quarter of the rate: they are narrow and already normalised.
        self.dropout = config.dropout
        self.narrow = nn.Linear(config.dim, config.width)
        self.mix = nn.Linear(len(REACH) * config.width, config.width)
        self.out = nn.Linear(config.width, 1)

    # (batch, reach, width)
    def forward(self, around: Float[Tensor, "batch reach dim"]) -> Float[Tensor, " batch"]:
        """Log-odds of single steps."""
        drop = self.dropout if self.training else 0.0
        each = functional.dropout(
            functional.gelu(self.narrow(functional.dropout(around, drop / 4))), drop
        )
        return self.out(functional.dropout(functional.gelu(self.mix(each.flatten(1))), drop))[:, 0]


class ClosingReading(nn.Module):
    """Ensemble over seeds; averaged log-odds."""

    def __init__(self, config: ClosingConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(ClosingMember(config) for _ in range(config.members))

    @torch.inference_mode()
    def read(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Log-odds of `steps` steps from `first` on; beyond what is known the ends are taken to go
        on.

        All networks at once: what neighbouring steps share is worked out once, and the rest is one
        product for all of them.
        """
        narrow, narrow_bias, mix, mix_bias, out, out_bias = self._joined
        # (batch, known, members, width): the first layer is shared by overlapping windows
        batch, members, width = len(features), len(mix), self.config.width
        each = functional.gelu(functional.linear(features, narrow, narrow_bias)).unflatten(
            2,
            (members, width),
            # (steps, reach): known steps only, the ends repeated
        )
        at = (first + torch.arange(steps).unsqueeze(1) + torch.tensor(REACH)).clamp(
            0,
            features.shape[1] - 1,
            # (members, batch * steps, reach * width)
        )
        around = (
            each[:, at].permute(3, 0, 1, 2, 4).reshape(members, batch * steps, len(REACH) * width)
            # one batched product for all members; (members, batch * steps, 1)
        )
        odds = torch.baddbmm(out_bias, functional.gelu(torch.baddbmm(mix_bias, around, mix)), out)
        return odds.mean(0).view(batch, steps)

    @cached_property
    def _joined(self) -> tuple[Tensor, ...]:
        """Weights of all members side by side; cached, so for inference only."""
        networks = [member for member in self.members if isinstance(member, ClosingMember)]
        narrow = (
            torch.cat([network.narrow.weight for network in networks]),
            torch.cat([network.narrow.bias for network in networks]),
        )
        mix = (
            torch.stack([network.mix.weight.T for network in networks]),
            torch.stack([network.mix.bias for network in networks]).unsqueeze(1),
        )
        out = (
            torch.stack([network.out.weight.T for network in networks]),
            torch.stack([network.out.bias for network in networks]).unsqueeze(1),
        )
        return (*narrow, *mix, *out)


@cache
def load_closing(front_end: str, path: Path = SHIPPED) -> ClosingReading:
    """The shipped ensemble.

    Raises:
        CheckpointError: missing, damaged, or trained on another encoder.
    """
    checkpoint = read_reading("closure-head", front_end, path)
    reading = ClosingReading(settings.from_json(ClosingConfig, checkpoint.config))
    load_strict(reading, checkpoint.tensors, str(path))
    return reading.eval().requires_grad_(False)
