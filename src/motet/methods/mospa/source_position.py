"""Source position estimated from the two ears."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from motet.audio.spatial.direction_of_arrival import azimuth_by_head
from motet.audio.spatial.interaural import first_audible
from motet.types import Audio

ASSUMED_DISTANCE_M = 2.0
"""Binaural audio of unknown loudness does not determine the distance, so it is assumed."""
ASSUMED_HEIGHT_M = 1.4
"""Nor, with a still head, the height."""


def estimated_position(audio: Audio) -> Float[np.ndarray, "3"]:
    """Direction of arrival of the first onset, at an assumed distance; straight ahead when there
    is no clear direction.
    """
    return position_at(azimuth_by_head(first_audible(audio)))


def position_at(azimuth_deg: float) -> Float[np.ndarray, "3"]:
    """Position in a direction, at the assumed distance and height."""
    angle = math.radians(azimuth_deg)
    return np.array(
        [
            ASSUMED_DISTANCE_M * math.sin(angle),
            ASSUMED_HEIGHT_M,
            ASSUMED_DISTANCE_M * math.cos(angle),
        ]
    )
