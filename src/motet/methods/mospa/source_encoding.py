"""Source positions as input of the denoiser."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.methods.mospa.config import SourceConfig


def source_input(
    source: Float[Tensor, "batch frames 3"], config: SourceConfig
) -> Float[Tensor, "batch frames coordinates"]:
    """Source-position encoding, from positions in metres.

    `time` divides each coordinate by its norm over the window, as released: a resting source
    becomes one of eight octants, its direction inside the octant and its distance are lost. `xyz`
    keeps the direction.
    """
    encoding = source
    if config.norm != "none":
        encoding = F.normalize(source, dim=1 if config.norm == "time" else 2)
    if config.distance:
        encoding = torch.cat([encoding, source.norm(dim=-1, keepdim=True).clamp(min=0.1).log()], -1)
    return encoding
