"""From FLAME coefficients to ARKit weights, by a map that was fitted once on the user's FLAME.

ARKit shapes on the user's head give displacements D w of its vertices, FLAME's coefficients give
displacements A x that are linear but for the jaw, whose square is a feature too. The weights of a
frame are the least squares

    min over 0 <= w <= 1 of |D w - A x|^2 + ridge |w|^2

in which only D'D + ridge and D'A enter: the map is 52 x 52 and 52 x 104 numbers, and the user's
FLAME is not needed to use it. Bounds matter: FLAME's coefficients have both signs, and what a
negative one does is mostly another ARKit shape.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.atomic_write import write_bytes
from motet.errors import AssetError, SpaceError
from motet.rigs.flame import N_EXPRESSION
from motet.rigs.flame_figure import flame_parameters, in_flame
from motet.types import ARKIT_SHAPES, EYE_FULL_RAD, Motion, arkit_space

FORMAT = "motet-flame-map/1"
N_FEATURES = N_EXPRESSION + 4
"""Expression, jaw rotation about x, y and z, square of the rotation about x."""
STEPS = 400
"""Of the projected gradient; weights then stand still to 1e-4."""


@dataclasses.dataclass(frozen=True)
class FlameArkit:
    """The map of one FLAME file."""

    gram: Float[Tensor, "52 52"]
    """D'D + ridge, mean over the face's vertices, square millimetres."""
    cross: Float[Tensor, "52 104"]
    """D'A, the same."""
    residual_mm: float
    """Root of the mean squared distance between both surfaces over typical motion."""
    motion_mm: float
    """The same of FLAME's surface from rest."""

    def weights(self, features: Float[Tensor, "frames 104"]) -> Float[Tensor, "frames 52"]:
        """Bounded least squares of every frame: accelerated projected gradient.

        Source: Beck and Teboulle 2009, FISTA.
        """
        gram, target = self.gram.double(), features.double() @ self.cross.double().T
        step = 1 / torch.linalg.eigvalsh(gram)[-1]
        solution = ahead = torch.zeros_like(target)
        momentum = 1.0
        for _ in range(STEPS):
            moved = (ahead - step * (ahead @ gram - target)).clamp(0, 1)
            faster = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = moved + (momentum - 1) / faster * (moved - solution)
            solution, momentum = moved, faster
        return solution.to(features.dtype)

    def convert(self, motion: Motion) -> Motion:
        """FLAME motion as ARKit weights; the head's rotation stays as it is.

        Raises:
            SpaceError: motion in another space.
        """
        if not in_flame(motion.space):
            raise SpaceError(f"a FLAME map converts FLAME motion, not {motion.space.name!r}")
        parameters = flame_parameters(motion)
        flat = features(parameters.expression, parameters.pose[..., 2, :]).flatten(0, -2)
        weights = self.weights(flat).unflatten(0, motion.values.shape[:-1])
        weights = torch.maximum(weights, _look(parameters.pose[..., 3:, :]))
        return Motion(torch.cat([weights, motion["head"]], -1), arkit_space(motion.space.fps))

    def save(self, path: Path) -> None:
        """Write the map; it appears only when it is complete."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            format=np.array(FORMAT),
            shapes=np.array(ARKIT_SHAPES),
            gram=self.gram.numpy(),
            cross=self.cross.numpy(),
            residual_mm=np.float32(self.residual_mm),
            motion_mm=np.float32(self.motion_mm),
        )
        write_bytes(path, buffer.getvalue())


def features(
    expression: Float[Tensor, "*batch expression"], jaw: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 104"]:
    """What the displacements are linear in."""
    missing = N_EXPRESSION - expression.shape[-1]
    padded = torch.nn.functional.pad(expression, (0, missing))
    return torch.cat([padded, jaw, jaw[..., :1].square()], -1)


def read_flame_arkit(path: Path) -> FlameArkit:
    """Read a map.

    Raises:
        AssetError: not there, or not such a map.
    """
    arrays = read_arrays(path)
    shapes: dict[str, tuple[int, ...]] = {"gram": (52, 52), "cross": (52, N_FEATURES)}
    shapes |= {"residual_mm": (), "motion_mm": ()}
    wrong = [n for n, shape in shapes.items() if n not in arrays or arrays[n].shape != shape]
    names = arrays.get("shapes", np.zeros(0)).tolist()
    if str(arrays.get("format", "")) != FORMAT or wrong or names != list(ARKIT_SHAPES):
        raise AssetError(
            f"{path} is no FLAME map; make one with 'motet weights flame-map FLAME.pkl -o"
            f" {path.name}'"
        )
    gram, cross = (torch.from_numpy(arrays[name]).float() for name in ("gram", "cross"))
    if not bool(torch.isfinite(gram).all() and torch.isfinite(cross).all()):
        raise AssetError(f"{path} is damaged: it holds numbers that are not finite")
    return FlameArkit(gram, cross, float(arrays["residual_mm"]), float(arrays["motion_mm"]))


def _look(eyes: Float[Tensor, "*batch 2 3"]) -> Float[Tensor, "*batch 52"]:
    """`eyeLook` weights of the turned eyeballs (left, right); 0 elsewhere."""
    weights = eyes.new_zeros(*eyes.shape[:-2], len(ARKIT_SHAPES))
    for eye, side in enumerate(("Left", "Right")):
        # About x down, about y to the character's left, which is outwards for the left eye.
        down, left = eyes[..., eye, 0], eyes[..., eye, 1]
        out = left if side == "Left" else -left
        for name, turn in (("Down", down), ("Up", -down), ("Out", out), ("In", -out)):
            index = ARKIT_SHAPES.index(f"eyeLook{name}{side}")
            weights[..., index] = (turn / EYE_FULL_RAD[name]).clamp(0, 1)
    return weights
