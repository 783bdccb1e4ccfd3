"""The style encoder: a few seconds of motion to one style vector; trained by
contrast between persons.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.errors import InputError
from motet.methods.diffposetalk.config import StyleConfig
from motet.nn.position import sinusoid_table

LONGEST = 600
"""Rows of the published position table."""


class StyleEncoder(nn.Module):
    """Normalised motion to a style: linear, one position vector, post-norm transformer, mean over
    time.

    As released, every frame gets the same position, the row of the clip's length; so the order of
    the frames does not matter, and a clip must be shorter than 600 frames. `positions="frame"`
    gives each frame its own row.
    """

    def __init__(self, motion_dim: int, config: StyleConfig) -> None:
        super().__init__()
        self.config = config
        self.motion_proj = nn.Linear(motion_dim, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.expansion * config.width,
            config.dropout,
            activation="gelu",
            batch_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.drop = nn.Dropout(config.dropout)
        self.register_buffer("positions", sinusoid_table(LONGEST, config.width), persistent=False)

    def forward(self, motion: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch width"]:
        """One vector a clip.

        Raises:
            InputError: no frame, or as many as the position table has rows.
        """
        frames = motion.shape[1]
        if not 0 < frames < LONGEST:
            raise InputError(
                f"a style clip must have 1 to {LONGEST - 1} frames, not {frames}; cut a few seconds"
                " out of it"
            )
        # One row for all frames, or a row for each; see `StyleConfig.positions`.
        rows = slice(frames, frames + 1) if self.config.positions == "length" else slice(0, frames)
        x = self.motion_proj(motion)  # (batch, frames, width)
        # (batch, frames, width) -> mean over frames
        return self.transformer(self.drop(x + self.positions[rows].to(x))).mean(1)


def contrast_loss(
    first: Float[Tensor, "batch width"],
    second: Float[Tensor, "batch width"],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """NT-Xent: each vector must find its partner among all others of both views.

    Source: Chen et al. 2020, SimCLR, eq. 1.
    """
    vectors = F.normalize(torch.cat([first, second]), dim=-1)  # (2 * batch, width)
    similarity = vectors @ vectors.T / temperature
    # (2 * batch, 2 * batch); a vector is not its own partner.
    similarity = similarity.masked_fill(
        torch.eye(len(vectors), dtype=torch.bool, device=vectors.device), float("-inf")
    )
    # row i of the first view belongs to row i of the second
    partner = torch.arange(len(vectors), device=vectors.device).roll(len(first))
    return F.cross_entropy(similarity, partner)
