"""Where hair grows: the hairline as a height over the direction around the head."""

import numpy as np

# Direction around the head's vertical axis (degrees from the front) and height above the eye centre
# (m).
HAIRLINE = np.array([
    (0, 0.0720), (18, 0.0735), (33, 0.0700), (46, 0.0590), (56, 0.0420), (63, 0.0180),
    (70, 0.0010), (78, -0.0060), (86, 0.0120), (96, 0.0180), (108, 0.0020), (122, -0.0260),
    (140, -0.0480), (160, -0.0600), (180, -0.0640),
])  # fmt: skip
# A man's: higher at the temples, with sideburns.
SHORT_HAIRLINE = np.array([
    (0, 0.0730), (16, 0.0745), (30, 0.0760), (40, 0.0700), (50, 0.0520), (58, 0.0280),
    (66, 0.0020), (72, -0.0260), (79, -0.0300), (84, 0.0040), (92, 0.0180), (104, 0.0080),
    (118, -0.0200), (138, -0.0480), (160, -0.0580), (180, -0.0600),
])  # fmt: skip


def axis_of_head(eye: np.ndarray) -> np.ndarray:
    """A point on the vertical axis about which hair directions are measured."""
    return np.array([0.0, eye[1], eye[2] - 0.085])


def hair_distance(points: np.ndarray, eye: np.ndarray, line: np.ndarray = HAIRLINE) -> np.ndarray:
    """Metres above the hairline (negative: bare skin)."""
    local = points - axis_of_head(eye)
    around = np.degrees(np.abs(np.arctan2(local[:, 0], local[:, 2])))
    return local[:, 1] - np.interp(around, line[:, 0], line[:, 1])


def hair_cover(points: np.ndarray, eye: np.ndarray, ears: np.ndarray) -> np.ndarray:
    """0..1: how much hair covers the skin at a point."""
    head_only = np.clip((points[:, 1] - eye[1] + 0.075) / 0.01, 0, 1)
    return np.clip(0.1 + hair_distance(points, eye) / 0.016, 0, 1) * (1 - ears) * head_only
