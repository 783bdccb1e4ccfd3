"""Head-related transfer functions: time-aligned impulse responses and their arrival times.

Directions are unit vectors in the head's own axes: +X to its left, +Y up, +Z to the front. The set
that ships is the MIT KEMAR dummy head (Gardner and Martin 1994, free with citation), baked by
`recipes/bake_hrtf.py`. Any SOFA file of the convention SimpleFreeFieldHRIR can be read instead.
"""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from jaxtyping import Float
from scipy.spatial import cKDTree

from motet.array_files import read_arrays
from motet.errors import AssetError, require

LEAD = 12
"""Samples kept before the first arrival of a response."""
ARRIVAL = 0.15
"""Arrival: the response first exceeds this fraction of its peak."""
WIDTH_RAD = np.radians(3.5)
"""Standard deviation of the Gaussian weights over neighbouring directions."""
MAX_SAMPLES = 1 << 27
"""Accepted samples of all responses of a file together."""
NEIGHBOURS = 12
"""Measured directions that are averaged."""


def first_arrival(response: Float[np.ndarray, " taps"]) -> int:
    """Index of the sample at which a response arrives, at least `LEAD`."""
    magnitude = np.abs(response)
    return max(LEAD, int(np.argmax(magnitude > ARRIVAL * magnitude.max())))


@dataclasses.dataclass(frozen=True)
class Head:
    """Impulse responses of the two ears of one head."""

    directions: Float[np.ndarray, "directions 3"]
    responses: Float[np.ndarray, "directions 2 taps"]
    """Left and right ear, starting shortly before the first arrival."""
    delays_s: Float[np.ndarray, "directions 2"]
    """Arrival at each ear, relative to the earliest of all."""
    sample_rate: int

    @functools.cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.directions)

    def at_rate(self, rate: int) -> Head:
        """The same responses at another sample rate."""
        if rate == self.sample_rate:
            return self
        flat = self.responses.reshape(-1, self.responses.shape[-1])
        # A response is a filter: its taps sum to the same gain whatever their spacing.
        resampled = soxr.resample(np.ascontiguousarray(flat.T), self.sample_rate, rate, "HQ").T
        taps = (resampled * (self.sample_rate / rate)).astype(np.float32)
        taps = taps.reshape(*self.responses.shape[:2], -1)
        return Head(self.directions, taps, self.delays_s, rate)

    def heard(
        self, direction: Float[np.ndarray, "times 3"]
    ) -> tuple[Float[np.ndarray, "times 2 taps"], Float[np.ndarray, "times 2"]]:
        """Responses and arrival times (s) of both ears, interpolated between measured directions.

        Smooth in the direction, which may have any length but zero.
        """
        length = np.linalg.norm(direction, axis=-1, keepdims=True)
        unit = (direction / length.clip(1e-9)).astype(np.float32)
        chord, near = self._tree.query(unit, k=NEIGHBOURS)
        # chord of the unit sphere to angle, radians
        angle = 2 * np.arcsin(np.clip(chord / 2, 0, 1))
        # Relative to the nearest, so that directions below the lowest ring still get that ring.
        weight = np.exp(-0.5 * ((angle**2 - angle[:, :1] ** 2) / WIDTH_RAD**2)).astype(np.float32)
        weight /= weight.sum(axis=-1, keepdims=True)
        responses = np.zeros((len(unit), *self.responses.shape[1:]), np.float32)
        delays = np.zeros((len(unit), 2), np.float32)
        for k in range(NEIGHBOURS):
            responses += weight[:, k, None, None] * self.responses[near[:, k]]
            delays += weight[:, k, None] * self.delays_s[near[:, k]]
        return responses, delays


@functools.lru_cache(maxsize=8)
def kemar(rate: int = 44_100) -> Head:
    """The MIT KEMAR head that ships with motet, at a sample rate.

    Raises:
        AssetError: its file is missing from the installation.
    """
    if rate != 44_100:
        return kemar().at_rate(rate)
    path = resources.files("motet.audio.spatial") / "kemar.npz"
    if not path.is_file():
        raise AssetError(
            f"{path} is missing: reinstall motet, or bake it with recipes/bake_hrtf.py"
        )
    data = read_arrays(str(path))
    directions, delay, rate = data["directions"], data["delay_s"], int(data["sample_rate"])
    left = data["left"].astype(np.float32) * np.float32(data["scale"])
    # The head is symmetric: the right ear is the left ear of the mirrored direction.
    mirrored = (directions * np.array([-1, 1, 1], np.float32) @ directions.T).argmax(axis=1)
    responses = np.stack([left, left[mirrored]], axis=1)
    return Head(directions, responses, np.stack([delay, delay[mirrored]], axis=1), rate)


def load_head(path: str | Path) -> Head:
    """A head from a SOFA file (convention SimpleFreeFieldHRIR).

    Raises:
        AssetError: the file is missing, no SOFA file, or holds other data.
        MissingDependency: sofar is not installed.
    """
    directions, responses, rate = read_sofa(Path(path))
    starts = np.array([[first_arrival(ear) - LEAD for ear in pair] for pair in responses])
    length = responses.shape[-1] - int(starts.max())
    if length < 32:
        raise AssetError(
            f"{path}: its responses are too short ({responses.shape[-1]} samples); at least"
            f" {32 + int(starts.max())} are needed"
        )
    # (directions, 2, length): indices of the aligned part
    rows = np.arange(length) + starts[..., None]
    aligned = np.take_along_axis(responses, rows, axis=-1).astype(np.float32)
    delays_s = ((starts - starts.min()) / rate).astype(np.float32)
    return Head(directions.astype(np.float32), aligned, delays_s, rate)


def read_sofa(
    path: Path,
) -> tuple[Float[np.ndarray, "directions 3"], Float[np.ndarray, "directions 2 taps"], int]:
    """Directions in the head's axes, responses of both ears, and sample rate of a SOFA file.

    SOFA's own axes are +X front, +Y left, +Z up; its azimuth runs counter-clockwise seen from
    above.

    Raises:
        AssetError: the file is missing, no SOFA file, or holds other data.
        MissingDependency: sofar is not installed.
    """
    sofar = require("sofar", "spatial")
    if not path.is_file():
        raise AssetError(
            f"{path} does not exist; give a SOFA file with head-related impulse responses"
        )
    try:
        # A stream reads nothing before it is asked: the size is checked first.
        with sofar.SofaStream(path) as file:
            if not 0 < file.Data_IR.size <= MAX_SAMPLES:
                raise ValueError(f"{file.Data_IR.size} samples of responses")
            responses = np.ma.filled(file.Data_IR[:], np.nan).astype(np.float64)
            positions = np.ma.filled(file.SourcePosition[:], np.nan).astype(np.float64)
            rate = float(np.ravel(file.Data_SamplingRate[:])[0])
            is_cartesian = _position_type(file).startswith("cart")
    except (OSError, AttributeError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise AssetError(
            f"{path} is not a SOFA file of head-related impulse responses ({reason}); the"
            " convention SimpleFreeFieldHRIR is read"
        ) from error
    is_pair = responses.ndim == 3 and responses.shape[1] == 2
    if not is_pair or positions.shape != (len(responses), 3) or not 8_000 <= rate <= 384_000:
        raise AssetError(
            f"{path} does not hold responses of two ears by direction; the convention"
            " SimpleFreeFieldHRIR is read"
        )
    if not np.isfinite(responses).all() or not np.isfinite(positions).all():
        raise AssetError(f"{path} contains values that are not finite; get an intact file")
    front, left, up = positions.T if is_cartesian else _cartesian(positions)
    directions = np.stack([left, up, front], axis=1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True).clip(1e-9)
    return directions, responses, round(rate)


def _position_type(file: Any) -> str:
    try:
        return str(file.SourcePosition_Type).lower()
    except AttributeError:
        return "spherical"  # the convention's default


def _cartesian(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Front, left and up from azimuth and elevation in degrees."""
    azimuth, elevation = np.radians(positions[:, 0]), np.radians(positions[:, 1])
    horizontal = np.cos(elevation)
    return np.cos(azimuth) * horizontal, np.sin(azimuth) * horizontal, np.sin(elevation)
