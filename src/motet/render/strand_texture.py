"""Texture of hair: light and dark strands and locks along the direction in which it is combed."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float, Int8
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from motet.render import head_map

FIELD = 160
"""Texels to a side of the map of combing directions."""
SIZES = (256, 512, 1024)
STRAND_RAD, STEPS = 0.16, 14
"""Half the length over which a strand keeps its tone, as an angle at the middle of the head, and
samples on it."""
LOCK_TEXELS = 0.0045
"""Width of locks as a share of the map."""
FAR_RAD = 0.24
"""Directions further than this from every strand have no hair."""


def texture_size(pixels_per_metre: float, radius_m: float = 0.11) -> int:
    """Texels to a side with which a texel is about a pixel: a finer texture would flicker."""
    # Half the way around the head is the whole side of the map.
    texels = np.pi * radius_m * pixels_per_metre
    return min(SIZES, key=lambda size: abs(np.log(size / texels)))


def strand_texture(
    points: Float[np.ndarray, "points 3"], tangents: Float[np.ndarray, "points 3"], size: int
) -> Int8[np.ndarray, "texels 2"]:
    """Brightness of strands and of locks, about 0 in the mean, /64.

    Args:
        points: on strands, relative to the middle of the head.
        tangents: unit directions from root to tip there.
        size: texels to a side, one of `SIZES`.
    """
    key = (points.astype(np.float32).tobytes(), tangents.astype(np.float32).tobytes())
    return _strand_texture(*key, size)


@functools.lru_cache(maxsize=6)
def _strand_texture(points: bytes, tangents: bytes, size: int) -> Int8[np.ndarray, "texels 2"]:
    texels = np.empty((FIELD * FIELD, 3), np.float32)
    head_map.directions(FIELD, texels)
    field = combing_field(
        np.frombuffer(points, np.float32).reshape(-1, 3),
        np.frombuffer(tangents, np.float32).reshape(-1, 3),
        texels,
    )
    generator = np.random.default_rng(3)
    white = generator.normal(size=(size, size))
    coarse = gaussian_filter(generator.normal(size=(size, size)), LOCK_TEXELS * size, mode="wrap")
    noise = np.stack([white, coarse / coarse.std()], axis=-1).reshape(-1, 2).astype(np.float32)
    result = np.empty_like(noise)
    step = np.float32(STRAND_RAD / STEPS)
    head_map.convolve_along(field, FIELD, noise, size, STEPS, step, result)
    # Steps from texel to texel leave strands dotted.
    result[:, 0] = gaussian_filter(result[:, 0].reshape(size, size), 0.55).reshape(-1)
    covered = np.abs(result - noise).max(axis=1) > 0
    result = (result - result[covered].mean(axis=0)) / result[covered].std(axis=0)
    return np.round(np.clip(64 * result / 1.6, -127, 127)).astype(np.int8)


def combing_field(
    points: Float[np.ndarray, "points 3"],
    tangents: Float[np.ndarray, "points 3"],
    roots: Float[np.ndarray, "places 3"],
) -> Float[np.ndarray, "places 3"]:
    """Direction in which the hair is combed at places around the head; zero where there is none.

    All points are relative to the middle of the head; only their directions from it count.
    """
    towards = points / np.linalg.norm(points, axis=1, keepdims=True)
    outward = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    distance, near = cKDTree(towards).query(outward, k=8)
    weight = np.exp(-((distance / 0.04) ** 2)) + 1e-9
    field = (weight[..., None] * tangents[near]).sum(axis=1)
    field -= (field * outward).sum(1, keepdims=True) * outward
    field /= np.linalg.norm(field, axis=1, keepdims=True).clip(1e-9)
    field[distance[:, 0] > FAR_RAD] = 0
    return field.astype(np.float32)
