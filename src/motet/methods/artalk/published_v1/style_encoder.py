"""Style encoder of the published model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.artalk.config import ReleasedConfig
from motet.nn.position import sinusoid_table

STYLE_TABLE_ROWS = 600


class StyleEncoder(nn.Module):
    """A clip of motion to one vector (after DiffPoseTalk), with the error of the released model in
    the positions.

    The row of the sinusoid table at the *length* of the clip is added to every frame, so positions
    are not distinguished; the weights were trained that way.
    """

    motion_mean: Tensor
    motion_std: Tensor

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        width = config.style_width
        self.register_buffer("motion_mean", torch.zeros(config.codec.motion_dim))
        self.register_buffer("motion_std", torch.ones(config.codec.motion_dim))
        self.register_buffer("position", sinusoid_table(STYLE_TABLE_ROWS, width).unsqueeze(0))
        self.entry = nn.Linear(config.codec.motion_dim, width)
        layer = nn.TransformerEncoderLayer(
            width, config.style_heads, config.style_inner, 0.1, activation="gelu", batch_first=True
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.style_depth, enable_nested_tensor=False
        )

    def forward(self, motion: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch width"]:
        """Mean over the frames of the encoded clip."""
        x = (
            self.entry((motion - self.motion_mean) / self.motion_std)
            # One row for all frames, that of the clip's length: the released error.
            + self.position[:, motion.shape[1]]
        )
        return self.transformer(x).mean(1)
