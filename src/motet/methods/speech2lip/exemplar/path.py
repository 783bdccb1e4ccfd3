"""Which exemplar is shown when: near in shape, and each the successor of the one before wherever
possible, for what was filmed in a row moves as it should.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from motet.methods.speech2lip.exemplar.model import ExemplarModel

CANDIDATES = 40
"""Exemplars considered for a frame, the nearest in shape; their successors are added."""
_SWITCH, _JUMP = 0.8, 1.0
"""Cost of leaving a run of footage at all, and for each unit that the appearance jumps by, against
a squared distance of shapes in standard deviations. Less (0.35, 0.6) changes runs 1.6 times as
often and lowers the sync confidence of held-out speech (0.82 of filmed, not 0.88)."""
_TURN_RAD = 0.14
"""A head turned otherwise by this much (8 degrees) counts as a deviation of the shape: what a turn
hides cannot be warped out of a frame.
"""
NONE = -1
"""Before the first frame."""


class Paths:
    """Chooses exemplars for a course of shapes.

    Args:
        weight: how much each number of the shape counts.
        turns: rotation of the head in every exemplar, axis times angle in radians.
    """

    def __init__(
        self,
        model: ExemplarModel,
        weight: Float[Tensor, " shape"],
        turns: Float[Tensor, "count 3"],
    ) -> None:
        scale = (weight.sqrt() / model.scale).numpy()
        self._scale = scale
        self._shapes: Float[ndarray, "count shape"] = model.shapes.numpy() * scale
        self._turns: Float[ndarray, "count 3"] = turns.numpy() / _TURN_RAD
        self._looks: Float[ndarray, "count looks"] = model.looks.float().numpy()
        count, follows = len(self._shapes), model.follows.numpy()
        # The exemplar that was filmed next; itself where a run ends.
        self.successor: Int[ndarray, "count"] = np.arange(count)
        self.successor[:-1][follows[1:]] += 1

    def choose(
        self, shapes: Float[Tensor, "frames shape"], before: int, turns: Float[Tensor, "commit 3"]
    ) -> list[int]:
        """The exemplars of the first frames; the later ones are only looked at.

        Args:
            before: exemplar of the frame before, or `NONE`.
            turns: rotation of the head in the frames that are decided; it is taken to stay after
                them.
        """
        wanted = shapes.numpy() * self._scale
        commit, turned = len(turns), turns.numpy() / _TURN_RAD
        turned = np.concatenate([turned, np.repeat(turned[-1:], len(wanted) - commit, 0)])
        # Squared distances in deviations, (frames, count)
        distance = ((wanted[:, None] - self._shapes[None]) ** 2).sum(-1)
        distance += ((turned[:, None] - self._turns[None]) ** 2).sum(-1)
        most = min(CANDIDATES, distance.shape[1] - 1)
        nearest = np.argpartition(distance, most, axis=1)[:, :CANDIDATES]
        # Successors of candidates of the frame before are candidates too: runs must be possible.
        states: list[ndarray] = []
        for index, own in enumerate(nearest):
            earlier = states[-1] if index else np.array([before] if before != NONE else [], int)
            states.append(np.union1d(own, self.successor[earlier]))
        # Dynamic programming (Viterbi): `cost` of the best path to each state of the frame.
        cost = distance[0][states[0]]
        if before != NONE:
            cost = cost + self._change(np.array([before]), states[0])[0]
        previous: list[ndarray] = []
        for index in range(1, len(states)):
            # (states before, states)
            total = cost[:, None] + self._change(states[index - 1], states[index])
            previous.append(total.argmin(0))
            cost = total.min(0) + distance[index][states[index]]
        chosen = [int(cost.argmin())]
        for best in reversed(previous):
            chosen.append(int(best[chosen[-1]]))
        chosen.reverse()
        return [int(states[index][number]) for index, number in enumerate(chosen)][:commit]

    def _change(self, one: ndarray, other: ndarray) -> Float[ndarray, "one other"]:
        """Cost of every step from one set of exemplars to another."""
        next_ = self.successor[one]
        jump = np.linalg.norm(self._looks[next_][:, None] - self._looks[other][None], axis=-1)
        same = next_[:, None] == other[None]
        return np.where(same & (next_ != one)[:, None], 0.0, _SWITCH + _JUMP * jump)
