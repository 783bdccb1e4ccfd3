"""Style encoder: a motion clip of any length to one style vector."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from motet.methods.artalk.config import StreamingConfig
from motet.nn.position import sinusoid_table


class ClipStyleEncoder(nn.Module):
    """Pre-norm transformer over frames with sinusoid positions, then the mean over frames."""

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        width = config.style_width
        self.width = width
        self.entry = nn.Linear(config.codec.motion_dim, width)
        layer = nn.TransformerEncoderLayer(
            width,
            config.style_heads,
            2 * width,
            0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.style_depth, nn.LayerNorm(width), enable_nested_tensor=False
        )

    def forward(
        self,
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """Style vectors of clips.

        Args:
            motion: normalised motion (`MotionCodec.normalise`).
            mask: True for frames that exist; None: all do. Padding neither is attended to nor
                counts in the mean, so it does not change the vector.
        """
        # (batch, frames, width)
        x = self.entry(motion) + sinusoid_table(motion.shape[1], self.width).to(motion)
        if mask is None:
            return self.transformer(x).mean(1)
        share = mask.to(x.dtype).unsqueeze(-1)  # (batch, frames, 1)
        encoded = self.transformer(x, src_key_padding_mask=~mask)
        # At least 1: an item without any frame gives zeros instead of a division by zero.
        return (encoded * share).sum(1) / share.sum(1).clamp(min=1)
