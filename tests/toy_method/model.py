"""Two layers from the loudness of a frame to the jaw."""

import torch
from torch import Tensor, nn

from tests.toy_method.config import ToyConfig


class ToyModel(nn.Module):
    """Loudness (batch, frames, 1) to jaw opening (batch, frames, 1)."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.inner = nn.Linear(1, config.hidden)
        self.outer = nn.Linear(config.hidden, 1)

    def forward(self, loudness: Tensor) -> Tensor:
        """Jaw opening in 0..1."""
        return torch.sigmoid(self.outer(torch.tanh(self.inner(loudness))))
