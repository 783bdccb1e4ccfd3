"""Motion spaces of the published generations, as named tracks."""

from __future__ import annotations

from motet.types import MotionSpace, Track

FPS = 25.0
SAMPLE_RATE = 16000


def released_space(dim: int = 106) -> MotionSpace:
    """106 numbers: FLAME expression, head and jaw rotation."""
    expression = Track("expression", (dim - 6,), "FLAME expression coefficient")
    return MotionSpace(
        "flame-artalk",
        (expression, Track("head", (3,), "axis-angle rad"), Track("jaw", (3,), "axis-angle rad")),
        FPS,
    )


def training_space(dim: int = 108) -> MotionSpace:
    """108 numbers: FLAME expression, head rotation, jaw opening, and the two turning axes of each
    eyeball.
    """
    tracks = (
        Track("expression", (dim - 8,), "FLAME expression coefficient"),
        Track("head", (3,), "axis-angle rad"),
        Track("jaw", (1,), "rotation about x, rad"),
        Track("eye_left", (2,), "axis-angle x y, rad"),
        Track("eye_right", (2,), "axis-angle x y, rad"),
    )
    return MotionSpace("flame-artalk-eyes", tracks, FPS)
