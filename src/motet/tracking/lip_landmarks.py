"""Landmarks of the lips in single pictures, by MediaPipe (extra `track`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from motet.errors import AssetError, require
from motet.tracking.landmarker import find_model

LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
"""The 40 lip points of the 478, outer then inner."""
UPPER, LOWER = LIPS.index(13), LIPS.index(14)


class LipFinder:
    """Finds the lips in face crops. Use as a context.

    Raises:
        MissingDependency: mediapipe is not installed.
        AssetError: the landmarker's model is missing or is none.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._mediapipe = require("mediapipe", "track")
        vision, path = require("mediapipe.tasks.python.vision", "track"), find_model(model)
        base = require("mediapipe.tasks.python", "track").BaseOptions(
            model_asset_buffer=path.read_bytes()
        )
        options = vision.FaceLandmarkerOptions(
            base_options=base, running_mode=vision.RunningMode.IMAGE, num_faces=1
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"{path} is no face landmarker model ({str(error).strip().splitlines()[0][:100]});"
                " fetch it again"
            ) from error

    def __enter__(self) -> LipFinder:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def find(
        self, pictures: UInt8[Tensor, "frames height width 3"]
    ) -> tuple[Float[Tensor, "frames 40 2"], Bool[Tensor, " frames"]]:
        """Column and row of the lip points, and in which pictures a face was found."""
        rows = [self._one(picture) for picture in pictures.numpy()]
        return torch.stack(
            [torch.zeros(len(LIPS), 2) if row is None else row for row in rows]
        ), torch.tensor([row is not None for row in rows])

    def _one(self, picture: np.ndarray) -> Tensor | None:
        result: Any = self._landmarker.detect(
            self._mediapipe.Image(
                image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
            )
        )
        if not result.face_landmarks:
            return None
        height, width = picture.shape[:2]
        return torch.tensor(
            [
                (
                    # whole numbers at pixel centres, as everywhere in this package
                    result.face_landmarks[0][k].x * width - 0.5,
                    result.face_landmarks[0][k].y * height - 0.5,
                )
                for k in LIPS
            ]
        )
