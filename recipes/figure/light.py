"""Baked ambient occlusion: the share of the sky that each vertex sees."""

import numpy as np
from figure.bound import Part, normals
from figure.paint import REGION

from motet.render.raster import DepthBuffer

N_DIRECTIONS = 160
SIZE = 640
OPEN_JAW = 0.45
BIAS_M = 0.0022
NO_SHADE = ("brows", "lashes")


def _directions() -> np.ndarray:
    """Even directions over the sphere (Fibonacci)."""
    k = np.arange(N_DIRECTIONS) + 0.5
    y = 1 - 2 * k / N_DIRECTIONS
    angle = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - y * y)
    return np.stack([np.cos(angle) * ring, y, np.sin(angle) * ring], axis=1)


def _sky(
    vertices: np.ndarray,
    normal: np.ndarray,
    triangles: np.ndarray,
    focus: np.ndarray,
    radius: float,
) -> np.ndarray:
    seen, total = np.zeros(len(vertices)), np.zeros(len(vertices))
    both, depth = np.ones(len(triangles), bool), DepthBuffer(SIZE, SIZE, len(triangles))
    for direction in _directions():
        side = np.cross(direction, [0.3, 0.9, 0.1])
        side /= np.linalg.norm(side)
        up = np.cross(direction, side)
        local = vertices - focus
        screen = np.stack(
            [
                SIZE / 2 + local @ side * (SIZE / 2 / radius),
                SIZE / 2 - local @ up * (SIZE / 2 / radius),
                2 + local @ direction,
            ],
            1,
        )
        depth.clear()
        depth.draw(screen.astype(np.float32), triangles, both)
        nearness = depth.nearness
        column, row = (np.clip(screen[:, k].astype(int), 0, SIZE - 1) for k in (0, 1))
        # The sky is brighter above than below.
        weight = np.maximum(0, normal @ direction) * (0.65 + 0.35 * direction[1])
        seen += weight * (screen[:, 2] + BIAS_M >= nearness[row, column])
        total += weight
    return seen / total.clip(1e-9)


def occlusion(
    vertices: np.ndarray,
    quads: np.ndarray,
    jaw: np.ndarray,
    starts: np.ndarray,
    parts: list[Part],
    without: list[str],
) -> np.ndarray:
    """Visible share of the sky, 0..255 for each vertex; the inside of the mouth as if half open.

    Args:
        without: parts that are not there: hair of other cuts.
    """
    hidden = np.zeros(len(vertices), bool)
    for part, start in zip(parts, starts, strict=False):
        hidden[start : start + len(part.index)] = part.name in (*NO_SHADE, *without)
    solid = quads[~hidden[quads].any(axis=1)]
    triangles = np.concatenate([solid[:, [0, 1, 2]], solid[:, [0, 2, 3]]]).astype(np.int32)
    head = vertices[parts[0].index.shape[0] // 4] * 0 + [0, vertices[:, 1].max() - 0.12, 0.05]
    rest = _sky(vertices, normals(vertices, quads), triangles, head, 0.30)
    body = _sky(
        vertices, normals(vertices, quads), triangles, vertices.mean(axis=0) * [0, 1, 1], 1.0
    )
    opened = vertices + OPEN_JAW * jaw
    inside = _sky(opened, normals(opened, quads), triangles, head, 0.16)
    region = np.concatenate([part.region for part in parts])
    wet = np.isin(region, [REGION[name] for name in ("mouth", "teeth", "gums", "tongue")])
    far = vertices[:, 1] < head[1] - 0.2
    result = np.where(wet, inside, np.where(far, body, rest))
    result[np.isin(region, [REGION["brows"], REGION["lashes"]])] = 1.0
    result[wet] = (
        np.where(region[wet] == REGION["teeth"], 0.72, 0.22)
        + np.where(region[wet] == REGION["teeth"], 0.28, 0.78) * result[wet]
    )
    skin = np.isin(region, [REGION["skin"], REGION["lips"], REGION["scalp"]])
    result[skin] = 0.2 + 0.8 * result[skin]
    cloth = np.isin(region, [REGION[name] for name in ("top", "trousers", "shoes")])
    result[cloth] = 0.35 + 0.65 * result[cloth]
    # Light passes between the strands: hair is not black on its inside.
    hair = region == REGION["hair"]
    result[hair] = 0.34 + 0.66 * result[hair]
    eyes = np.isin(region, [REGION["eye_left"], REGION["eye_right"]])
    result[eyes] = 0.45 + 0.55 * result[eyes]
    return np.round(255 * np.clip(result, 0, 1)).astype(np.uint8)
