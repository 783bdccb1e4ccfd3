"""The bitwise quantiser: a feature sequence as signs, coarse to fine, each scale coding what the
coarser ones left over.

No parameters. At a scale of p tokens the residual is averaged into p tokens, each token is
normalised and replaced by the corner of the unit hypercube sphere it lies in (one bit a channel),
and the corner, stretched back to full length, is taken off the residual. The residual is never
rescaled, so every scale adds a unit vector.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

BETA = 100.0
"""Inverse temperature of the soft bits in the entropy terms."""
ENTROPY_WEIGHT, COMMITMENT_WEIGHT, ENTROPY_SCALE = 0.1, 0.2, 100.0


def area_matrix(source: int, target: int) -> Float[Tensor, "target source"]:
    """Averages of `source` steps in `target` bins; bins overlap where the division leaves a rest.

    Bin i averages the steps floor(i n / m) to ceil((i + 1) n / m) - 1.
    """
    matrix = torch.zeros(target, source, dtype=torch.float64)
    for row in range(target):
        # The bins of adaptive average pooling.
        start, stop = row * source // target, -((-(row + 1) * source) // target)
        matrix[row, start:stop] = 1.0 / (stop - start)
    return matrix.float()


def stretch_matrix(source: int, target: int) -> Float[Tensor, "target source"]:
    """Linear interpolation from `source` to `target` steps with half-pixel centres and held
    edges.
    """
    # Half-pixel centres: source position of each target step.
    position = ((torch.arange(target, dtype=torch.float64) + 0.5) * source / target - 0.5).clamp(
        min=0
    )
    left = position.floor().long()
    share = position - left
    rows = torch.arange(target)
    matrix = torch.zeros(target, source, dtype=torch.float64)
    matrix[rows, left] += 1 - share
    matrix[rows, (left + 1).clamp(max=source - 1)] += share
    return matrix.float()


def soft_bit_entropy(probability: Tensor) -> Tensor:
    """Entropy of a bit in nats."""
    return -(
        probability * (probability + 1e-8).log()
        + (1 - probability) * (1 - probability + 1e-8).log()
    )


def quantizer_loss(
    normalised: Float[Tensor, "batch tokens bits"], code: Float[Tensor, "batch tokens bits"]
) -> Float[Tensor, ""]:
    """Sure bits, evenly used bits, and features close to their codes.

    Entropy of each token's soft bits minus entropy of the mean soft bit (bits taken as
    independent), plus commitment.

    Source: Zhao et al. 2024, Binary Spherical Quantization, eq. 8-11, with the constants of the
    published ARTalk code.
    """
    # Softmax over the two corners +-1/sqrt(bits) at temperature 1 / BETA.
    probability = torch.sigmoid(normalised * (-4.0 * BETA / math.sqrt(normalised.shape[-1])))
    per_token = soft_bit_entropy(probability).sum(-1).mean()  # low: each bit is certain
    # high: over the batch both values occur
    of_mean = soft_bit_entropy(probability.flatten(0, -2).mean(0)).sum()
    commitment = (code.detach() - normalised).square().sum(-1).mean()
    return ENTROPY_WEIGHT * (per_token - of_mean) / ENTROPY_SCALE + COMMITMENT_WEIGHT * commitment


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A quantised feature sequence."""

    bits: Bool[Tensor, "batch tokens bits"]
    """All scales one after the other, coarse first."""
    codes: tuple[Float[Tensor, "batch patch bits"], ...]
    """Unit vectors a scale, with straight-through gradients."""
    total: Float[Tensor, "batch frames bits"]
    """Sum over the scales at full length."""
    pooled: tuple[Float[Tensor, "batch patch bits"], ...]
    """Pooled residual a scale, before normalisation."""
    losses: Float[Tensor, " scales"]
    """`quantizer_loss` a scale."""


class ResidualQuantizer(nn.Module):
    """Coarse-to-fine signs of a feature sequence of `patches[-1]` steps."""

    def __init__(self, patches: Sequence[int], bits: int) -> None:
        super().__init__()
        self.patches, self.bits, self.frames = tuple(patches), bits, patches[-1]
        self.tokens = sum(patches)
        self.starts = (0, *itertools.accumulate(patches))
        for scale, patch in enumerate(patches):
            self.register_buffer(f"pool{scale}", area_matrix(self.frames, patch), persistent=False)
            self.register_buffer(
                f"stretch{scale}", stretch_matrix(patch, self.frames), persistent=False
            )

    def pool(
        self, scale: int, features: Float[Tensor, "batch frames bits"]
    ) -> Float[Tensor, "batch patch bits"]:
        """Averages of the full-length features at a scale."""
        return (
            features
            if self.patches[scale] == self.frames
            else self.get_buffer(f"pool{scale}") @ features
        )

    def stretch(
        self, scale: int, codes: Float[Tensor, "batch patch bits"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Codes of a scale at full length."""
        return (
            codes
            if self.patches[scale] == self.frames
            else self.get_buffer(f"stretch{scale}") @ codes
        )

    def scale_of(self, scale: int) -> slice:
        """Slice of a scale among all tokens."""
        return slice(self.starts[scale], self.starts[scale + 1])

    def levels(self) -> Tensor:
        """Scale number of every token."""
        return torch.tensor(
            [scale for scale, patch in enumerate(self.patches) for _ in range(patch)]
        )

    def codes_of(self, bits: Tensor, like: Tensor) -> Float[Tensor, "batch tokens bits"]:
        """Unit vectors of bits."""
        return (bits.to(like.dtype) * 2 - 1) / math.sqrt(self.bits)

    def quantize(
        self, features: Float[Tensor, "batch frames bits"], gains: Sequence[Tensor] | None = None
    ) -> Quantized:
        """Signs of the features, scale after scale, with gradients and losses; `gains` shorten the
        codes as in `signs`.
        """
        residual, total = features, torch.zeros_like(features)  # (batch, frames, bits)
        bits, codes, pooled, losses = [], [], [], []
        for scale in range(len(self.patches)):
            token = self.pool(scale, residual)
            normalised = F.normalize(token, dim=-1)  # (batch, patch, bits), on the unit sphere
            sign = normalised > 0
            corner = self.codes_of(sign, normalised)
            # Straight-through: the corner going forward, the identity going back.
            code = normalised + (corner - normalised).detach()
            if gains is not None and scale < len(gains):
                code = code * gains[scale]
            losses.append(quantizer_loss(normalised, corner))
            stretched = self.stretch(scale, code)
            # The residual passes gradients of the features, not of the codes taken off it (as
            # published).
            residual, total = residual - stretched.detach(), total + stretched
            bits.append(sign), codes.append(code), pooled.append(token)
        return Quantized(
            torch.cat(bits, 1), tuple(codes), total, tuple(pooled), torch.stack(losses)
        )

    def signs(
        self,
        features: Float[Tensor, "batch frames bits"],
        flips: Sequence[Tensor] | None = None,
        gains: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, Float[Tensor, "batch tokens bits"]]:
        """Bits of the features and the codes as generator inputs, without losses.

        Args:
            flips: True where the input has the opposite bit, a mask for each scale but the last.
                The next scales then code what *that* leaves over, so their bits repair the damage:
                a generator learns to correct itself.
            gains: lengths of the input codes, for each scale but the last, broadcast
                over tokens and bits.

        Returns:
            The bits before flipping (the targets) and the codes after flipping (the inputs).
        """
        residual = features
        bits, codes = [], []
        for scale in range(len(self.patches)):
            sign = self.pool(scale, residual) > 0
            # Flipped bits imitate errors of the generator; the next scale codes what they leave
            # (bitwise self-correction).
            seen = sign ^ flips[scale] if flips is not None and scale < len(flips) else sign
            code = self.codes_of(seen, features)
            if gains is not None and scale < len(gains):
                code = code * gains[scale]
            residual = residual - self.stretch(scale, code)
            bits.append(sign), codes.append(code)
        return torch.cat(bits, 1), torch.cat(codes, 1)

    def total(
        self, codes: Float[Tensor, "batch tokens bits"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Sum of the codes of all scales at full length."""
        return sum(
            (self.stretch(i, codes[:, self.scale_of(i)]) for i in range(1, len(self.patches))),
            self.stretch(0, codes[:, self.scale_of(0)]),
        )

    def add_scale(
        self, running: Tensor | None, scale: int, codes: Float[Tensor, "batch patch bits"]
    ) -> tuple[Tensor, Tensor | None]:
        """Add a scale to the running sum; returns the sum and the generator's input for the next
        scale (None after the last).
        """
        stretched = self.stretch(scale, codes)
        running = stretched if running is None else running + stretched
        return running, self.pool(scale + 1, running) if scale + 1 < len(self.patches) else None

    def next_inputs(
        self, codes: Float[Tensor, "batch known bits"], scales: int | None = None
    ) -> Float[Tensor, "batch inputs bits"]:
        """Inputs of the generator for the scales 1 .. `scales`: the running sum so far, averaged
        to the next scale's length.
        """
        last = len(self.patches) - 1 if scales is None else scales
        running, inputs = None, []
        for scale in range(last):
            running, ahead = self.add_scale(running, scale, codes[:, self.scale_of(scale)])
            inputs.append(ahead)
        return torch.cat([item for item in inputs if item is not None], 1)
