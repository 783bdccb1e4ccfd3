"""One piece of speech with everything training may know of it."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.phonetics.phones import PhoneSpan

SPEECH_RATE_HZ = 16_000


@dataclasses.dataclass(frozen=True)
class Utterance:
    """Speech at 16 kHz with its origin and, where they are known, its timed phones."""

    name: str
    """Unique inside its source; safe as a file name."""
    source: str
    """Name of the reader."""
    samples: Float[np.ndarray, " time"]
    """float32 at 16 kHz in [-1, 1]."""
    language: str
    """ISO 639-1."""
    speaker: str
    licence: str
    phones: tuple[PhoneSpan, ...] = ()
    """Empty where unknown."""
    text: str = ""
    split: str = "train"
    """`train`, `validation` or `test`."""

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / SPEECH_RATE_HZ
