"""Lips in the house space: what each mouth shape does to them, weights from measured lips, and
closing them for certain.

All lengths are in widths of the resting mouth, so that people and figures of any size compare.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.errors import InputError
from motet.types import ARKIT_SHAPES

MEASURES = ("gap", "width", "height", "chin")
"""Opening between the inner lips, distance of the corners, height from lip border to lip border,
nose base to chin."""

RESPONSE: dict[str, tuple[float, float, float, float]] = {
    "jawOpen": (0.647, -0.082, 0.523, 0.465),
    "mouthClose": (-0.647, 0.094, -0.587, 0.011),
    "mouthFunnel": (0.262, -0.109, 0.045, 0.021),
    "mouthPucker": (-0.017, -0.157, -0.075, -0.013),
    "mouthRollLower": (-0.071, 0.0, -0.067, -0.037),
    "mouthRollUpper": (-0.052, 0.004, -0.103, -0.052),
    "mouthShrugLower": (-0.092, -0.004, -0.101, -0.011),
    "mouthShrugUpper": (0.077, 0.0, 0.039, 0.004),
    "mouthDimple": (0.004, 0.198, -0.026, -0.008),
    "mouthFrown": (0.004, 0.042, 0.0, 0.004),
    "mouthLowerDown": (0.072, 0.004, 0.064, 0.082),
    "mouthPress": (-0.052, 0.222, -0.064, -0.038),
    "mouthSmile": (-0.056, 0.278, -0.108, -0.018),
    "mouthStretch": (0.008, 0.198, -0.004, 0.008),
    "mouthUpperUp": (0.09, -0.014, 0.042, 0.0),
}
"""Change of the four measures per unit of weight on the house figure (both sides together where a
shape has two)."""

# How far each shape goes in speech: the deviation that the fit allows from the tracker's own score,
# and the weight that a
# score at its person's 99th percentile stands for. The scores of small faces saturate near 0, so
# only their course counts.
_FREEDOM = {
    "jawOpen": (0.15, 0.45),
    "mouthClose": (0.06, 0.15),
    "mouthFunnel": (0.15, 0.40),
    "mouthPucker": (0.22, 0.60),
    "mouthRollLower": (0.10, 0.25),
    "mouthRollUpper": (0.08, 0.20),
    "mouthShrugLower": (0.12, 0.25),
    "mouthShrugUpper": (0.10, 0.20),
    "mouthDimple": (0.06, 0.15),
    "mouthFrown": (0.04, 0.10),
    "mouthLowerDown": (0.15, 0.40),
    "mouthPress": (0.10, 0.25),
    "mouthSmile": (0.06, 0.20),
    "mouthStretch": (0.12, 0.30),
    "mouthUpperUp": (0.12, 0.25),
}
SOLVED = tuple(RESPONSE)
_MATRIX = np.array([RESPONSE[name] for name in SOLVED]).T
_NOISE = np.array([0.010, 0.012, 0.030, 0.050])


def sides(name: str) -> tuple[str, ...]:
    """The house shapes that a shape of `RESPONSE` stands for: itself, or its left and right
    half.
    """
    return (name,) if name in ARKIT_SHAPES else (name + "Left", name + "Right")


_COLUMNS = [[ARKIT_SHAPES.index(side) for side in sides(name)] for name in SOLVED]


def measure(weights: Float[ndarray, "frames 52"]) -> Float[ndarray, "frames 4"]:
    """Lip measures (changes from rest) that these weights give on the house figure; the gap may
    come out negative (pressed).
    """
    return joined(weights) @ _MATRIX.T


def close_lips(
    weights: Float[ndarray, "frames 52"], amount: Float[ndarray, " frames"]
) -> Float[ndarray, "frames 52"]:
    """Close the lips by `amount` (0 leaves them, 1 closes them completely), first by mouthClose,
    then by less jaw.

    The gap that remains is `(1 - amount)` times what it was. mouthClose never exceeds jawOpen, as
    the shapes' convention asks.
    """
    closed = weights.copy()
    jaw, close = ARKIT_SHAPES.index("jawOpen"), ARKIT_SHAPES.index("mouthClose")
    gap = np.maximum(measure(weights)[:, 0], 0.0) * amount
    gain = RESPONSE["jawOpen"][0]
    step = np.minimum(gap / gain, np.maximum(weights[:, jaw] - weights[:, close], 0.0))
    closed[:, close] += step
    # What the jaw cannot explain comes from shapes that part the lips themselves: take those back.
    rest = gap - step * gain
    partings = [
        (c, RESPONSE[n][0] / len(sides(n)))
        for n in SOLVED
        if n != "jawOpen" and RESPONSE[n][0] > 0
        for c in _COLUMNS[SOLVED.index(n)]
    ]
    total = sum(closed[:, c] * g for c, g in partings)
    share = np.clip(rest / np.maximum(total, 1e-9), 0.0, 1.0)
    for column, _ in partings:
        closed[:, column] *= 1.0 - share
    return closed


@dataclasses.dataclass(frozen=True)
class LipRest:
    """A person's lips at rest: measures over the height of the face (forehead 10 to chin 152)."""

    gap: float
    width: float
    height: float
    chin: float


def lip_changes(lip: Float[ndarray, "frames 4"], rest: LipRest) -> Float[ndarray, "frames 4"]:
    """Tracked measures (over face height) as changes from rest in mouth widths.

    The height of the face grows with the falling chin, so every measure is first put over the
    *resting* face height.
    """
    fall = (lip[:, 3] - rest.chin) / (1.0 - lip[:, 3])
    scaled = lip[:, :3] * (1.0 + fall)[:, None]
    gap = np.maximum(scaled[:, 0] - rest.gap, 0.0)
    return (
        np.stack([gap, scaled[:, 1] - rest.width, scaled[:, 2] - rest.height, fall], axis=1)
        / rest.width
    )


def fit_mouth(
    changes: Float[ndarray, "frames 4"],
    scores: Float[ndarray, "frames 52"],
    top: Float[ndarray, "52"],
    sweeps: int = 60,
) -> Float[ndarray, "frames 52"]:
    """Mouth weights that reproduce measured lips on the house figure and otherwise follow the
    tracker's scores.

    Per frame the minimum of |A w - changes|^2 / noise^2 + |w - prior|^2 / freedom^2 within 0 <= w
    <= 1, by coordinate descent over all frames at once. The prior is the score (neutral already
    taken off) over the person's top score.

    Raises:
        InputError: the arrays do not belong together.
    """
    if changes.shape != (len(scores), 4) or scores.shape[1:] != (52,):
        raise InputError(
            f"lip changes {changes.shape} and scores {scores.shape} do not belong together;"
            " expected (frames, 4) and (frames, 52)"
        )
    reach = np.array([_FREEDOM[n][1] for n in SOLVED])
    high = np.array([top[c].mean() for c in _COLUMNS])
    # A score that hardly ever leaves 0 tells little: its reach shrinks with its range.
    reach = reach * np.clip(high / 0.02, 0.0, 1.0)
    prior = np.clip(joined(scores) / np.maximum(high, 1e-4), 0.0, 1.3) * reach
    return spread(solve_mouth(changes, prior, sweeps))


def joined(weights: Float[ndarray, "frames 52"]) -> Float[ndarray, "frames shapes"]:
    """The weights of `SOLVED` from the house weights: the mean of both sides."""
    return np.stack([weights[:, columns].mean(axis=1) for columns in _COLUMNS], axis=1)


def spread(mouth: Float[ndarray, "frames shapes"]) -> Float[ndarray, "frames 52"]:
    """House weights from weights of `SOLVED`: both sides alike, everything else 0."""
    weights = np.zeros((len(mouth), 52))
    for i, columns in enumerate(_COLUMNS):
        weights[:, columns] = mouth[:, i : i + 1]
    return weights


def solve_mouth(
    changes: Float[ndarray, "frames 4"], prior: Float[ndarray, "frames shapes"], sweeps: int = 60
) -> Float[ndarray, "frames shapes"]:
    """Weights of `SOLVED` nearest to a prior that reproduce lip measures on the house figure,
    within 0..1 and mouthClose <= jawOpen.
    """
    freedom = np.array([_FREEDOM[n][0] for n in SOLVED])
    a = _MATRIX / _NOISE[:, None]
    hessian = a.T @ a + np.diag(1.0 / freedom**2)
    target = (changes / _NOISE) @ a + prior / freedom**2
    w = np.clip(prior, 0.0, 1.0)
    jaw, close = SOLVED.index("jawOpen"), SOLVED.index("mouthClose")
    for _ in range(sweeps):
        for i in range(len(SOLVED)):
            top = w[:, jaw] if i == close else 1.0
            w[:, i] = np.clip(w[:, i] + (target[:, i] - w @ hessian[i]) / hessian[i, i], 0.0, top)
    w[:, close] = np.minimum(w[:, close], w[:, jaw])
    return w
