"""Long recordings in pieces, cut where it is quiet."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from motet.data.speech.utterance import SPEECH_RATE_HZ

_HOP = SPEECH_RATE_HZ // 50


def cut_at_pauses(
    samples: Float[np.ndarray, " time"], shortest_s: float = 6.0, longest_s: float = 12.0
) -> list[tuple[int, int]]:
    """Sample ranges that together cover the recording; each ends at the quietest place between the
    two lengths.
    """
    frames = len(samples) // _HOP
    energy = np.square(samples[: frames * _HOP].reshape(frames, _HOP)).mean(1)
    smooth = np.convolve(energy, np.ones(15) / 15, "same")
    cuts = [0]
    while (frames - cuts[-1] // _HOP) / 50 > longest_s:
        first = cuts[-1] // _HOP + int(shortest_s * 50)
        cuts.append(
            (first + int(np.argmin(smooth[first : first + int((longest_s - shortest_s) * 50)])))
            * _HOP
        )
    return list(zip(cuts, [*cuts[1:], len(samples)], strict=True))
