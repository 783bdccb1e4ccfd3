"""What a reader returns before it is checked."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.types import Layout


@dataclasses.dataclass(frozen=True)
class Sound:
    """Samples of a file as read."""

    samples: Float[np.ndarray, "channels time"]
    rate: int
    layout: Layout | None = None
    """Surround layout, where the file declares one."""
    declared_s: float | None = None
    """Declared seconds, if the file holds less."""
