"""Audio net: a window of acoustic features to the audio code that drives the lips."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.speech2lip.config import HearingConfig


class AudioNet(nn.Module):
    """A window of acoustic features to the audio code that drives the lips. No smoothing over
    frames, as published.
    """

    def __init__(self, config: HearingConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (config.narrow or config.channels, *config.widths)
        self.narrow = nn.Linear(config.channels, config.narrow) if config.narrow else None
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            # Stride 2: after all layers one step is left of the window.
            layers += [nn.Conv1d(before, after, 3, 2, 1), nn.LeakyReLU(0.02)]
        self.conv = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(sizes[-1], config.out), nn.LeakyReLU(0.02), nn.Linear(config.out, config.out)
        )

    def forward(self, window: Float[Tensor, "batch rows channels"]) -> Float[Tensor, "batch out"]:
        """One audio code per window."""
        if self.training and self.config.dropout:
            # Whole channels are dropped, as if a band of the audio were missing.
            window = F.dropout1d(window.transpose(1, 2), self.config.dropout).transpose(1, 2)
        if self.narrow is not None:
            window = self.narrow(window)  # (batch, rows, narrow): fewer weights in `conv`
        # (batch, channels, 1) -> (batch, out)
        return self.head(self.conv(window.transpose(1, 2))[..., 0])
