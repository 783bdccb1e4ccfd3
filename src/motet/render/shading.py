"""Materials of the figure and lights of the set: constants in linear light."""

from __future__ import annotations

import numpy as np

KEY, FILL, RIM = (-0.52, 0.50, 0.72), (0.80, 0.12, 0.62), (0.62, 0.42, -0.70)
"""Directions to the lights: a soft key from the upper left of the picture, a fill, a rim from
behind."""


def lights() -> np.ndarray:
    """Direction and colour of each light, key first."""
    directions = np.array([KEY, FILL, RIM])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    colours = np.array([(1.24, 1.18, 1.10), (0.20, 0.22, 0.26), (0.85, 0.90, 1.00)])
    return np.concatenate([directions, colours], axis=1).astype(np.float32)


SKY = np.array([0.42, 0.44, 0.48], np.float32)
GROUND = np.array([0.20, 0.17, 0.15], np.float32)

WRAP = {
    "skin": (0.42, 0.22, 0.16),
    "scalp": (0.42, 0.22, 0.16),
    "lips": (0.45, 0.25, 0.22),
    "nails": (0.4, 0.25, 0.2),
    "mouth": (0.4, 0.2, 0.2),
    "tongue": (0.4, 0.2, 0.2),
    "gums": (0.4, 0.2, 0.2),
    "teeth": (0.50, 0.44, 0.32),
}
"""Wrap lighting (subsurface scattering) by region, red green blue; 0 in other regions."""

GLOSS = {
    "skin": (0.062, 0.034, 0.17),
    "lips": (0.075, 0.140, 0.14),
    "nails": (0.05, 0.15, 0.1),
    "mouth": (0.01, 0.01, 0.0),
    "tongue": (0.02, 0.02, 0.0),
    "gums": (0.02, 0.03, 0.0),
    "teeth": (0.02, 0.10, 0.0),
    "scalp": (0.060, 0.022, 0.16),
    "top": (0.004, 0.0, 0.22),
    "trousers": (0.004, 0.0, 0.12),
    "shoes": (0.03, 0.02, 0.1),
}
"""Specular weights by region: broad lobe, sharp lobe, sky reflection at grazing angles."""

BEHIND_LIPS = {"teeth": 0.72, "gums": 0.55, "tongue": 0.45, "mouth": 0.35}
"""Share of the baked light (of a mouth that is half open) behind closed lips."""
FULLY_LIT_M = 0.010
"""Opening of the lips from which the baked light holds."""

IRIS = np.array(
    [(0.105, 0.085, 0.050), (0.200, 0.115, 0.040), (0.004, 0.004, 0.005), (0.018, 0.016, 0.016)],
    np.float32,
)
"""Outer iris, inner iris, pupil, limbus."""


HAIR_TINT = np.array([1.55, 1.45, 1.4], np.float32)
"""Colour of the strands relative to the closed surface under them."""


def background(width: int, height: int) -> np.ndarray:
    """A neutral backdrop, lighter behind the head, height width 3."""
    x = (np.arange(width) + 0.5 - width / 2) / height
    y = (np.arange(height) + 0.5) / height
    distance = np.sqrt((x[None] / 0.75) ** 2 + ((y[:, None] - 0.42) / 0.8) ** 2)
    glow = np.exp(-1.6 * distance**2)
    low, high = np.array([0.115, 0.125, 0.140]), np.array([0.430, 0.445, 0.465])
    return (low + glow[..., None] * (high - low)).astype(np.float32)


def srgb_table(size: int = 8192) -> np.ndarray:
    """8-bit sRGB of linear light 0..1 in even steps."""
    value = np.linspace(0, 1, size)
    encoded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)


def linear_from_srgb(colour: np.ndarray) -> np.ndarray:
    """Linear light of 8-bit sRGB."""
    value = colour.astype(np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)
