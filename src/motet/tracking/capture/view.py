"""The canonical view: which frame it is, its depth, and its masks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from motet.errors import require
from motet.methods.speech2lip.person.folder import Box
from motet.tracking.capture.bundle import Poses
from motet.tracking.capture.face_mesh import CHIN, LIPS, NOSE_BASE, OVAL
from motet.tracking.capture.faces import Faces

_BESIDE, _ABOVE, _BELOW = 0.42, 0.12, 0.14
"""Margin of the lip box: mouth widths beside the corners at their widest; parts of the way from
nose to chin above (negative: below the nose) and below."""
_SOLID = 0.62
"""Part of the lip box's half sizes up to which everything is drawn; from there it fades."""


def canonical_frame(poses: Poses, faces: Faces, sharpness: Float[ndarray, " frames"]) -> int:
    """The frame that stands for all: head as it mostly is, lips closed, eyes open, sharp.

    Its neighbours must show a face too, so that it is no tracking error.
    """
    middle = np.median(poses.rotation.reshape(len(poses.rotation), 9), axis=0)
    # degrees: the Frobenius distance of rotations over sqrt(2) is about the angle
    turn = np.degrees(np.linalg.norm(poses.rotation.reshape(-1, 9) - middle, axis=1) / np.sqrt(2))
    position = poses.translation - np.median(poses.translation, axis=0)
    # in centimetres
    shift = np.linalg.norm(position, axis=1) / 0.01
    opening = faces.opening
    # 0 at the most closed frames, 1 at the most open ones
    shut = (opening - np.percentile(opening, 3)) / max(
        float(np.ptp(np.percentile(opening, [3, 97]))), 1e-6
    )
    blink = np.clip(faces.blink - np.percentile(faces.blink, 20), 0, None) * 4
    dull = 1 - sharpness / max(float(np.percentile(sharpness, 95)), 1e-6)
    # 4 degrees, 2 cm or half an opening cost the same
    cost = turn / 4 + shift / 2 + 2 * np.clip(shut, 0, None) + blink + np.clip(dull, 0, None)
    steady = np.convolve(faces.found, np.ones(3), mode="same") >= min(3, len(faces.found))
    return int(np.where(steady, cost, cost + 1e6).argmin())


def lip_box(points: Float[ndarray, "frames points 2"], canonical: int, size: int) -> Box:
    """The part of the canonical crop that speech redraws: mouth, lower cheeks, chin.

    Args:
        points: landmarks of all frames in pixels of the crop.
    """
    base, here = points[:, NOSE_BASE], points[canonical]
    lips = np.array(LIPS)
    # How far lips and chin reach from the nose in any frame, laid onto the canonical one.
    reach_x = np.percentile(np.abs(points[:, lips, 0] - base[:, None, 0]).max(axis=1), 99)
    chin = np.percentile(points[:, CHIN, 1] - base[:, 1], 99)
    wide = np.ptp(here[lips, 0])
    middle = here[lips, 0].mean()
    # at the widest; the chin's height gives a least width
    half = max(reach_x + _BESIDE * wide, 0.6 * chin)
    left, right = middle - half, middle + half
    top, bottom = here[NOSE_BASE, 1] - _ABOVE * chin, here[NOSE_BASE, 1] + (1 + _BELOW) * chin
    left, top = max(0, round(left)), max(0, round(top))
    return Box(left, top, min(size, round(right)) - left, min(size, round(bottom)) - top)


def lip_mask(box: Box, size: int) -> UInt8[ndarray, "size size"]:
    """255 inside the box, falling to 0 along a rounded rectangle before its edge."""
    row, column = np.mgrid[:size, :size].astype(np.float64)
    x = (column - (box.left + (box.width - 1) / 2)) / (box.width / 2)
    y = (row - (box.top + (box.height - 1) / 2)) / (box.height / 2)
    # a superellipse of exponent 3
    radius = (np.abs(x) ** 3 + np.abs(y) ** 3) ** (1 / 3)
    share = np.clip((0.97 - radius) / (0.97 - _SOLID), 0, 1)
    # smooth step
    return np.round(255 * share * share * (3 - 2 * share)).astype(np.uint8)


def depth_map(
    vertices: Float[ndarray, "points 3"],
    faces: ndarray,
    rotation: ndarray,
    translation: ndarray,
    focal: float,
    size: int,
) -> Float[ndarray, "size size"]:
    """Depth of the head's surface in a person's crop; see `rasterised`."""
    local = vertices @ rotation.T + translation
    # columns and rows; the camera's axis meets the middle of the crop
    return rasterised(focal * local[:, :2] / local[:, 2:] + size / 2, local[:, 2], faces, size)


def rasterised(
    place: Float[ndarray, "points 2"], depth: Float[ndarray, " points"], faces: ndarray, size: int
) -> Float[ndarray, "size size"]:
    """Depth of the nearest surface at every pixel centre, metres; 0 where there is none.

    Args:
        place: column and row of every point; whole numbers are pixel centres.
    """
    nearness, near = np.zeros((size, size)), 1 / depth
    for a, b, c in faces:
        corners = place[[a, b, c]]
        low = np.maximum(np.ceil(corners.min(axis=0)).astype(int), 0)
        high = np.minimum(np.floor(corners.max(axis=0)).astype(int), size - 1)
        one, other = corners[1] - corners[0], corners[2] - corners[0]
        # twice the signed area; degenerate triangles are left out
        area = one[0] * other[1] - other[0] * one[1]
        if (low > high).any() or abs(area) < 1e-12:
            continue
        row, column = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        x, y = column - corners[0, 0], row - corners[0, 1]
        # barycentric coordinates
        beta, gamma = (other[1] * x - other[0] * y) / area, (one[0] * y - one[1] * x) / area
        inside = (beta >= -1e-9) & (gamma >= -1e-9) & (beta + gamma <= 1 + 1e-9)
        # 1 / depth is linear on the screen.
        value = near[a] + beta * (near[b] - near[a]) + gamma * (near[c] - near[a])
        patch = nearness[low[1] : high[1] + 1, low[0] : high[0] + 1]
        np.maximum(patch, np.where(inside, value, 0), out=patch)
    return np.where(nearness > 0, 1 / np.maximum(nearness, 1e-12), 0)


def head_mask(
    picture: UInt8[ndarray, "size size 3"], points: Float[ndarray, "points 2"]
) -> UInt8[ndarray, "size size"]:
    """255 on face, hair and neck of the canonical picture (GrabCut, begun from the landmarks).

    Raises:
        MissingDependency: OpenCV (it comes with mediapipe) is not installed.
    """
    cv2 = require("cv2", "track")
    size = len(picture)
    oval = points[list(OVAL)]
    middle, half = oval.mean(axis=0), np.ptp(oval, axis=0) / 2
    row, column = np.mgrid[:size, :size]
    x, y = (column - middle[0]) / half[0], (row - middle[1]) / half[1]
    start = np.full((size, size), cv2.GC_BGD, np.uint8)
    # wide surroundings may be background, head and neck may be foreground
    start[np.hypot(x / 1.75, (y + 0.1) / 1.75) < 1] = cv2.GC_PR_BGD
    start[np.hypot(x / 1.3, (y + 0.18) / 1.32) < 1] = cv2.GC_PR_FGD
    neck = (np.abs(x) < 0.62) & (y > 0.4) & (y < 1.45)
    start[neck] = cv2.GC_PR_FGD
    start[np.hypot(x / 0.9, y / 0.92) < 1] = cv2.GC_FGD
    # GrabCut draws random numbers: the same mask every time.
    cv2.setRNGSeed(0)
    cv2.grabCut(
        # OpenCV takes blue, green, red
        np.ascontiguousarray(picture[..., ::-1]),
        start,
        None,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        4,
        cv2.GC_INIT_WITH_MASK,
    )
    result = np.isin(start, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # One piece: the one that the face is in.
    _, labels = cv2.connectedComponents(result)
    centre = np.clip(np.round(middle).astype(int), 0, size - 1)
    return np.where(labels == labels[centre[1], centre[0]], 255, 0).astype(np.uint8)
