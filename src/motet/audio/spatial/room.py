"""Shoebox room: early reflections by image sources, then a noise tail."""

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
    """Absorbed fraction of the energy at walls and floor; the ceiling absorbs twice as much."""
    tail_s: float = 0.35
    """Reverberation time (60 dB); 0 leaves the tail out."""

    def images(
        self, source: Float[np.ndarray, "times 3"]
    ) -> list[tuple[Float[np.ndarray, "times 3"], float]]:
        """First-order image sources in the six surfaces, with their gains."""
        # amplitude reflection: the square root of the energy that is not absorbed
        wall = float(np.sqrt(1 - self.absorption))
        ceiling = float(np.sqrt(max(0.0, 1 - 2 * self.absorption)))
        planes = [(0, sign * self.width_m / 2, wall) for sign in (1, -1)]
        planes += [(2, sign * self.depth_m / 2, wall) for sign in (1, -1)]
        planes += [(1, 0.0, wall), (1, self.height_m, ceiling)]
        images = []
        for axis, offset, gain in planes:
            image = source.copy()
            # mirrored in the plane of the wall
            image[:, axis] = 2 * offset - image[:, axis]
            images.append((image, gain))
        return images

    def tail(self, rate: int, seed: int = 0) -> Float[np.ndarray, "2 taps"]:
        """Decaying noise that starts after the early reflections and is independent at the ears.

        The gain is relative to the source at 1 m.
        """
        length = int(self.tail_s * rate)
        if not length:
            return np.zeros((2, 0), np.float32)
        time = np.arange(length) / rate
        noise = np.random.default_rng([seed, 7]).standard_normal((2, length))
        # Air and walls absorb high frequencies first: a two-point mean is a low-pass filter.
        noise = noise + np.roll(noise, 1, axis=1)
        # e^-6.9 is 60 dB in `tail_s`; it sets in 12 ms after the direct sound, within 10 ms.
        noise *= np.exp(-6.9 * time / self.tail_s) * np.clip((time - 0.012) / 0.01, 0, 1)
        energy = (1 - self.absorption) * 0.02
        noise *= np.sqrt(energy / (noise**2).sum(axis=1, keepdims=True))
        return noise.astype(np.float32)
