"""Mouth shapes from timed phones: targets blended by dominance functions.

Every phone pulls each group of mouth shapes towards its target with a strength that falls off
exponentially before and after the phone; what is seen is the mean of all targets weighted by their
dominance at that moment. A strong neighbour therefore colours a weak phone, and short phones fall
short of their targets, as in real speech.

Source: Cohen & Massaro 1993; the asymmetric fall-off and the flat core over the phone are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.face.lip_shapes import SOLVED
from motet.phonetics.phones import INDEX, PhoneSpan

GROUPS = ("opening", "rounding", "pressing")
"""Shapes that move together and so share their dominance."""
_ROUNDING = ("mouthFunnel", "mouthPucker", "mouthStretch", "mouthDimple", "mouthSmile")
_PRESSING = ("mouthRollLower", "mouthRollUpper", "mouthPress", "mouthShrugLower", "mouthFrown")
GROUP_OF = np.array([1 if n in _ROUNDING else 2 if n in _PRESSING else 0 for n in SOLVED])
CORE_EDGE_S = 0.08
"""A long phone keeps its target until so long before its border."""


@dataclasses.dataclass(frozen=True)
class DominanceModel:
    """Targets and dominance of every phone of the inventory."""

    targets: Float[ndarray, "phones shapes"]
    """Weights of the shapes `motet.face.lip_shapes.SOLVED`."""
    strength: Float[ndarray, "phones groups"]
    before_s: Float[ndarray, "phones groups"]
    """Fall-off towards the past: how early the phone begins to show."""
    after_s: Float[ndarray, "phones groups"]
    """Fall-off towards the future: how long it lingers."""

    def __call__(
        self, phones: Sequence[PhoneSpan], times: Float[ndarray, " frames"]
    ) -> Float[ndarray, "frames shapes"]:
        """Weights at these times; rest where there are no phones at all."""
        values = np.zeros((len(times), len(SOLVED)))
        starts = np.array([p.start for p in phones])
        ends = np.array([p.end for p in phones])
        # Beyond 1.5 s nothing is left of any dominance, so each stretch of frames needs only the
        # phones around it.
        for first in range(0, len(times), 100):
            t = times[first : first + 100]
            near = (
                np.flatnonzero((ends > t[0] - 1.5) & (starts < t[-1] + 1.5)) if len(phones) else []
            )
            if len(near):
                index = np.array([INDEX[phones[k].symbol] for k in near])
                values[first : first + 100] = self._blend(index, starts[near], ends[near], t)
        return values

    def _blend(self, index: ndarray, start: ndarray, end: ndarray, t: ndarray) -> ndarray:
        centre, half = (start + end) / 2, (end - start) / 2
        # (frames, phones): seconds from the middle of each phone
        away = t[:, None] - centre
        # zero inside the phone's core
        outside = np.maximum(np.abs(away) - np.maximum(half / 2, half - CORE_EDGE_S), 0.0)
        values = np.empty((len(t), len(SOLVED)))
        for group in range(len(GROUPS)):
            reach = np.where(away < 0, self.before_s[index, group], self.after_s[index, group])
            # Shifted by the largest exponent: far from every phone the nearest one still decides.
            exponent = np.log(self.strength[index, group]) - outside / reach
            share = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            columns = group == GROUP_OF
            values[:, columns] = (
                share @ self.targets[index][:, columns] / share.sum(axis=1, keepdims=True)
            )
        return values
