"""Linear regressors from Whisper's features to lip measures and phones.

Both look at five steps over +-160 ms of the features' leading principal components. The lip
regressor predicts the four lip measures; the phone classifier labels speech without transcripts.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.phonetics.phones import SILENCE, SYMBOLS, PhoneSpan
from motet.phonetics.recognition import best_path, path_spans

FEATURE_RATE_HZ = 50
LIP_OFFSETS = (-8, -4, 0, 4, 8)
PHONE_OFFSETS = (-4, -2, 0, 2, 4)


@dataclasses.dataclass(frozen=True)
class Acoustics:
    """Both regressors with the projection they share."""

    mean: Float[ndarray, " features"]
    basis: Float[ndarray, "features components"]
    """Principal axes over their deviation: projected features have unit variance."""
    lips: Float[ndarray, "inputs measures"]
    """Last row: constants."""
    phones: Float[ndarray, "inputs symbols"]
    """Logits; last row: constants."""

    def measures(
        self, features: Float[ndarray, "steps features"], frames: int, fps: float
    ) -> Float[ndarray, "frames 4"]:
        """Lip measures of the fitted speaker: changes from rest, in mouth widths."""
        return (
            _with_constant(
                context(self.project(features), LIP_OFFSETS, frames, FEATURE_RATE_HZ / fps)
            )
            @ self.lips
        )

    def project(
        self, features: Float[ndarray, "steps features"]
    ) -> Float[ndarray, "steps components"]:
        """Principal components of unit variance."""
        return (np.asarray(features, np.float64) - self.mean) @ self.basis

    def recognise(
        self, features: Float[ndarray, "steps features"], switch_cost: float = 5.0
    ) -> tuple[PhoneSpan, ...]:
        """Phones with times by the best path through the phone classifier's log-probabilities.

        Args:
            switch_cost: what a change of phone costs (nats); keeps single odd steps from becoming
                phones.
        """
        components = self.project(features)
        scores = (
            _with_constant(context(components, PHONE_OFFSETS, len(components), 1.0)) @ self.phones
        )
        scores -= scores.max(axis=1, keepdims=True)
        # log-softmax, shifted first so that exp does not overflow
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return path_spans(best_path(scores, switch_cost), SYMBOLS, FEATURE_RATE_HZ)


def context(
    components: Float[ndarray, "steps components"],
    offsets: tuple[int, ...],
    frames: int,
    stride: float,
) -> Float[ndarray, "frames inputs"]:
    """Steps around each frame side by side; the ends are repeated."""
    # feature steps of 20 ms nearest to each frame
    centre = np.round(np.arange(frames) * stride).astype(int)
    return np.concatenate(
        [components[np.clip(centre + o, 0, len(components) - 1)] for o in offsets], axis=1
    )


def _with_constant(inputs: ndarray) -> ndarray:
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


def covered(spans: tuple[PhoneSpan, ...]) -> tuple[PhoneSpan, ...]:
    """Neighbouring spans of one symbol joined, so that silence cut in two counts as one."""
    joined: list[PhoneSpan] = []
    for span in spans:
        if (
            # 0.02: one step of the features
            joined
            and joined[-1].symbol == span.symbol == SILENCE
            and span.start - joined[-1].end < 0.02
        ):
            joined[-1] = PhoneSpan(joined[-1].start, span.end, SILENCE)
        else:
            joined.append(span)
    return tuple(joined)
