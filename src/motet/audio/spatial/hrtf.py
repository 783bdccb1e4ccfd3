"""What a head does to sound: responses of both ears by direction, time-aligned, with their arrival
times apart.

Directions are unit vectors in the head's own axes: +X to its left, +Y up, +Z to the front. The set
that ships is the MIT KEMAR dummy head (Gardner & Martin 1994, free with citation), baked by
`recipes/bake_hrtf.py`; any SOFA file of the convention SimpleFreeFieldHRIR can be read instead.
"""

from __future__ import annotations

import dataclasses
import functools
from importlib import resources
from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float
from scipy.spatial import cKDTree

from motet.errors import AssetError, require

LEAD = 12
"""Samples kept before the first arrival of a response."""
ARRIVAL = 0.15
"""A response has arrived when it first exceeds this part of its peak."""
WIDTH_RAD = np.radians(3.5)
"""Responses are averaged over neighbouring directions with a bell of this width."""
LARGEST = 1 << 27
"""Samples of all responses of a file together."""
NEIGHBOURS = 12
"""Measured directions that count."""


def first_arrival(response: Float[np.ndarray, "taps"]) -> int:
    """Number of the sample at which a response arrives, at least `LEAD`."""
    size = np.abs(response)
    return max(LEAD, int(np.argmax(size > ARRIVAL * size.max())))


@dataclasses.dataclass(frozen=True)
class Head:
    """Responses of the two ears of one head."""

    directions: Float[np.ndarray, "directions 3"]
    responses: Float[np.ndarray, "directions 2 taps"]
    """Left and right ear, beginning shortly before their first arrival."""
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
        changed = soxr.resample(
            np.ascontiguousarray(flat.T), self.sample_rate, rate, quality="HQ"
        ).T * (self.sample_rate / rate)
        return Head(
            self.directions,
            changed.reshape(*self.responses.shape[:2], -1).astype(np.float32),
            self.delays_s,
            rate,
        )

    def heard(
        self, direction: Float[np.ndarray, "times 3"]
    ) -> tuple[Float[np.ndarray, "times 2 taps"], Float[np.ndarray, "times 2"]]:
        """Responses and arrival times (s) of both ears for directions between the measured ones;
        smooth in the direction.
        """
        unit = (direction / np.linalg.norm(direction, axis=-1, keepdims=True).clip(1e-9)).astype(
            np.float32
        )
        chord, near = self._tree.query(unit, k=NEIGHBOURS)
        angle = 2 * np.arcsin(np.clip(chord / 2, 0, 1))
        # Counted from the nearest, so that directions below the lowest ring still get that ring.
        weight = np.exp(-0.5 * ((angle**2 - angle[:, :1] ** 2) / WIDTH_RAD**2)).astype(np.float32)
        weight /= weight.sum(axis=-1, keepdims=True)
        responses, delays = (
            np.zeros((len(unit), *self.responses.shape[1:]), np.float32),
            np.zeros((len(unit), 2), np.float32),
        )
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
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        directions, left, delay = (
            data["directions"],
            data["left"].astype(np.float32) * np.float32(data["scale"]),
            data["delay_s"],
        )
        rate = int(data["sample_rate"])
    mirrored = (directions * np.array([-1, 1, 1], np.float32) @ directions.T).argmax(axis=1)
    return Head(
        directions,
        np.stack([left, left[mirrored]], axis=1),
        np.stack([delay, delay[mirrored]], axis=1),
        rate,
    )


def load_head(path: str | Path) -> Head:
    """A head from a SOFA file (convention SimpleFreeFieldHRIR).

    Raises:
        AssetError: the file is missing, no SOFA file, or holds other data.
        MissingDependency: h5py is not installed.
    """
    directions, responses, rate = read_sofa(Path(path))
    starts = np.array([[first_arrival(ear) - LEAD for ear in pair] for pair in responses])
    length = responses.shape[-1] - int(starts.max())
    if length < 32:
        raise AssetError(
            f"{path}: its responses are too short ({responses.shape[-1]} samples); at least"
            f" {32 + int(starts.max())} are needed"
        )
    rows = np.arange(length) + starts[..., None]
    aligned = np.take_along_axis(responses, rows, axis=-1).astype(np.float32)
    return Head(
        directions.astype(np.float32),
        aligned,
        ((starts - starts.min()) / rate).astype(np.float32),
        rate,
    )


def read_sofa(
    path: Path,
) -> tuple[Float[np.ndarray, "directions 3"], Float[np.ndarray, "directions 2 taps"], int]:
    """Directions in the head's axes, responses of the left and the right ear, and sample rate of a
    SOFA file.

    SOFA's own axes are +X front, +Y left, +Z up; its azimuth runs counter-clockwise seen from
    above.

    Raises:
        AssetError: the file is missing, no SOFA file, or holds other data.
        MissingDependency: h5py is not installed.
    """
    h5py = require("h5py", "spatial")
    if not path.is_file():
        raise AssetError(
            f"{path} does not exist; give a SOFA file with head-related impulse responses"
        )
    try:
        with h5py.File(path, "r") as file:
            if not 0 < file["Data.IR"].size <= LARGEST:
                raise ValueError(f"{file['Data.IR'].size} samples of responses")
            responses, places = (
                np.array(file["Data.IR"], np.float64),
                np.array(file["SourcePosition"], np.float64),
            )
            rate, kind = (
                float(np.ravel(file["Data.SamplingRate"])[0]),
                file["SourcePosition"].attrs.get("Type", b"spherical"),
            )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise AssetError(
            f"{path} is not a SOFA file of head-related impulse responses ({error}); the convention"
            " SimpleFreeFieldHRIR is read"
        ) from error
    if (
        responses.ndim != 3
        or responses.shape[1] != 2
        or places.shape != (len(responses), 3)
        or not np.isfinite(responses).all()
        or not 8_000 <= rate <= 384_000
    ):
        raise AssetError(
            f"{path} does not hold responses of two ears by direction; the convention"
            " SimpleFreeFieldHRIR is read"
        )
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    front, left, up = places.T if kind.lower().startswith("cart") else _cartesian(places)
    directions = np.stack([left, up, front], axis=1)
    return (
        directions / np.linalg.norm(directions, axis=1, keepdims=True).clip(1e-9),
        responses,
        round(rate),
    )


def _cartesian(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    azimuth, elevation = np.radians(places[:, 0]), np.radians(places[:, 1])
    return (
        np.cos(azimuth) * np.cos(elevation),
        np.sin(azimuth) * np.cos(elevation),
        np.sin(elevation),
    )
