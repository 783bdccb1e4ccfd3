"""The network: a strided convolution over log-mel, then residual blocks of dilated causal depthwise
filters.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.encoders.phonetic.config import PhoneticConfig


@dataclasses.dataclass(frozen=True)
class PhoneticFeatures:
    """Predictions of the encoder every 20 ms; feature i lies at i / 50 s."""

    hidden: Float[Tensor, "*batch steps width"]
    """Normalised features: what the methods train on."""
    teacher: Float[Tensor, "*batch steps components"]
    """Predicted principal components of Whisper's encoder, each of unit variance."""
    phones: Float[Tensor, "*batch steps phones"]
    """Log-probabilities of the phones, in the order of `PhoneticConfig.phones`."""
    lips: Float[Tensor, "*batch steps lips"]
    """Rough lip shape, each channel of zero mean and unit variance, in the order of
    `PhoneticConfig.lips`."""


class CausalBlock(nn.Module):
    """x + W2 gelu(W1 norm(filter(x))): each channel is filtered over the past, then the channels
    are mixed.
    """

    def __init__(self, width: int, inner: int, kernel: int, dilation: int, depth: int) -> None:
        super().__init__()
        # steps of the past that the first output needs
        self.reach, self.dilation = (kernel - 1) * dilation, dilation
        self.filter = nn.Conv1d(width, width, kernel, dilation=dilation, groups=width)
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, inner),
            nn.Linear(inner, width),
        )
        # 1 / sqrt(depth): the sum of all blocks starts with unit variance
        self.gain = nn.Parameter(torch.full((width,), depth**-0.5))

    def forward(
        self, x: Float[Tensor, "batch steps width"], past: Float[Tensor, "batch reach width"]
    ) -> tuple[Tensor, Tensor]:
        """Output of these steps and the past for the next ones."""
        seen = torch.cat([past, x], 1)
        # weight (width, 1, kernel) without its middle axis
        filtered = _Depthwise.apply(seen, self.filter.weight[:, 0], self.filter.bias, self.dilation)
        y = x + self.gain * self.down(F.gelu(self.up(self.norm(filtered))))
        # The new past is counted from the end, so a piece shorter than the reach keeps old steps.
        return y, seen[:, seen.shape[1] - self.reach :]


class _Depthwise(torch.autograd.Function):
    """Causal depthwise convolution as a sum of shifted products, with its gradient.

    On a CPU several times faster, forwards and backwards, than the general routine; and every step
    is added up in the same order whatever the number of steps, so that a stream gives the same bits
    as one piece.
    """

    @staticmethod
    def forward(ctx: Any, seen: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        # (batch, steps + (kernel - 1) * dilation, width) to (batch, steps, width)
        steps = seen.shape[1] - (weight.shape[1] - 1) * dilation
        ctx.save_for_backward(seen, weight)
        ctx.dilation = dilation
        total = seen[:, :steps] * weight[:, 0]
        total += bias
        for tap in range(1, weight.shape[1]):
            total.addcmul_(seen[:, tap * dilation : tap * dilation + steps], weight[:, tap])
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (grad,), (seen, weight), dilation = grads, ctx.saved_tensors, ctx.dilation
        steps, to_seen, to_weight = grad.shape[1], torch.zeros_like(seen), []
        # d out / d seen is the same shifted sum, read backwards
        for tap in range(weight.shape[1]):
            at = slice(tap * dilation, tap * dilation + steps)
            to_seen[:, at].addcmul_(grad, weight[:, tap])
            to_weight.append((grad * seen[:, at]).sum((0, 1)))
        return to_seen, torch.stack(to_weight, 1), grad.sum((0, 1)), None


class PhoneticNet(nn.Module):
    """Log-mel frames to features and heads; all state is passed in and out."""

    def __init__(self, config: PhoneticConfig) -> None:
        super().__init__()
        self.config = config
        inner, depth = config.expansion * config.width, len(config.dilations)
        self.taps = config.mel_before + 1 + config.mel_after
        self.entry, self.entry_norm = (
            nn.Linear(self.taps * config.mel_bins, config.width),
            nn.LayerNorm(config.width),
        )
        self.blocks = nn.ModuleList(
            CausalBlock(config.width, inner, config.kernel, d, depth) for d in config.dilations
        )
        self.norm = nn.LayerNorm(config.width)
        self.teacher_head = nn.Linear(config.width, config.teacher_dims)
        self.phone_head = nn.Linear(config.width, len(config.phones))
        self.lip_head = nn.Linear(config.width, len(config.lips))

    def begin(self, batch: int = 1) -> list[Tensor]:
        """The past of every block before the beginning: zeros."""
        weight = self.entry.weight
        return [weight.new_zeros(batch, block.reach, self.config.width) for block in self.blocks]  # type: ignore[misc]

    def hidden(
        self, mel: Float[Tensor, "batch frames bins"], past: list[Tensor]
    ) -> tuple[Float[Tensor, "batch steps width"], list[Tensor]]:
        """Features of as many steps as the frames allow: step k sees the frames 2k ... 2k + taps -
        1 of `mel`.
        """
        # (batch, steps, taps * bins): stride two turns 100 Hz into 50 Hz
        windows = mel.unfold(1, self.taps, 2).transpose(2, 3).flatten(2)
        x, states = self.entry_norm(F.gelu(self.entry(windows))), []
        for block, before in zip(self.blocks, past, strict=True):
            x, after = block(x, before)
            states.append(after)
        return self.norm(x), states

    def heads(self, hidden: Float[Tensor, "batch steps width"]) -> PhoneticFeatures:
        """The named predictions from the features."""
        return PhoneticFeatures(
            hidden,
            self.teacher_head(hidden),
            self.phone_head(hidden).log_softmax(-1),
            self.lip_head(hidden),
        )
