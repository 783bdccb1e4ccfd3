"""Conditions of a window as the denoiser takes them."""

from __future__ import annotations

import dataclasses

from jaxtyping import Float
from torch import Tensor

from motet.methods.mospa.cached_layers import CachedLayer, Known


@dataclasses.dataclass(frozen=True)
class EmbeddedConditions:
    """Conditions of a window, embedded once for all its diffusion steps."""

    tokens: Float[Tensor, "batch constant width"]
    """`tokens`: audio, source and genre before the motion. `frames`: the genre."""
    added: Float[Tensor, "batch tokens width"] | None
    """`frames`: audio and source, added to the motion's tokens."""
    frames: int
    direction: Float[Tensor, "batch frames 2"] | None = None
    """With `source_axes`: cosine and sine of the source's azimuth."""
    layers: tuple[CachedLayer, ...] | None = None
    """`tokens`, at inference: the layers with cached products."""
    known: Known | None = None
    """Queries, keys and values of the constant tokens in the first of them."""
