"""Early reflections of a plain room, as mirror images of the source, and the tail that follows
them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class Room:
    """A rectangular room; the floor lies at y = 0 and the middle of the floor at the origin."""

    width_m: float = 10.0
    """Along X."""
    depth_m: float = 8.0
    """Along Z."""
    height_m: float = 3.2
    absorption: float = 0.35
    """Part of the energy that a wall takes; the floor takes as much, the ceiling twice."""
    tail_s: float = 0.35
    """Time in which the tail falls by 60 dB; 0 leaves it out."""

    def images(
        self, source: Float[np.ndarray, "times 3"]
    ) -> list[tuple[Float[np.ndarray, "times 3"], float]]:
        """Mirror images of a source in the six surfaces, with their gains."""
        wall = float(np.sqrt(1 - self.absorption))
        ceiling = float(np.sqrt(max(0.0, 1 - 2 * self.absorption)))
        planes = [
            (0, self.width_m / 2, wall),
            (0, -self.width_m / 2, wall),
            (2, self.depth_m / 2, wall),
            (2, -self.depth_m / 2, wall),
        ]
        planes += [(1, 0.0, wall), (1, self.height_m, ceiling)]
        found = []
        for axis, place, gain in planes:
            image = source.copy()
            image[:, axis] = 2 * place - image[:, axis]
            found.append((image, gain))
        return found

    def tail(self, rate: int, seed: int = 0) -> Float[np.ndarray, "2 taps"]:
        """Decaying noise, different at the two ears, that begins after the early reflections; gain
        relative to the source at 1 m.
        """
        length = int(self.tail_s * rate)
        if not length:
            return np.zeros((2, 0), np.float32)
        time = np.arange(length) / rate
        noise = np.random.default_rng([seed, 7]).standard_normal((2, length))
        # Air and walls take the highs first: the noise darkens by running means.
        noise = noise + np.roll(noise, 1, axis=1)
        shape = np.exp(-6.9 * time / self.tail_s) * np.clip((time - 0.012) / 0.01, 0, 1)
        energy = (1 - self.absorption) * 0.02
        shaped = noise * shape
        return (shaped * np.sqrt(energy / (shaped**2).sum(axis=1, keepdims=True))).astype(
            np.float32
        )
