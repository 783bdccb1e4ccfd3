"""Position encodings: rotary embedding and the sinusoid table."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def rotary_angles(
    positions: Float[Tensor, " tokens"], width: int, base: float = 10000.0
) -> tuple[Float[Tensor, "tokens half"], Float[Tensor, "tokens half"]]:
    """Cosines and sines of the rotary embedding, for `rotate_pairs`.

    Args:
        positions: any real positions, in tokens.
        width: channels of a head; even.
        base: longest wavelength divided by 2 pi.

    Source: Su et al. 2021, RoFormer, eq. 15.
    """
    # (half): one angular rate for each pair of channels
    rates = base ** (-torch.arange(0, width, 2, dtype=torch.float32)[: width // 2] / width)
    angles = positions.float().unsqueeze(-1) * rates  # (tokens, half)
    return angles.cos(), angles.sin()


def rotate_pairs(
    x: Float[Tensor, "*batch tokens width"], angles: tuple[Tensor, Tensor]
) -> Float[Tensor, "*batch tokens width"]:
    """Rotate each neighbouring pair of channels (0 and 1, 2 and 3, ...) by the token's angles."""
    cosine, sine = angles
    # (*batch, tokens, half) each; a pair (a, b) is rotated as the complex number a + ib.
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)


def sinusoid_table(length: int, width: int) -> Float[Tensor, "length width"]:
    """Row t holds sin(t w_i) and cos(t w_i) in turn, w_i from 1 down to 1/10000.

    Source: Vaswani et al. 2017, section 3.5.
    """
    position = torch.arange(length, dtype=torch.float32).unsqueeze(1)  # (length, 1)
    # (width / 2)
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(position * rates)
    table[:, 1::2] = torch.cos(position * rates)
    return table
