"""Bodies of requests about scenes."""

from __future__ import annotations

from pydantic import Field

from motet.serve.models import Body, Id


class ScenePoint(Body):
    """Where a sound of a scene is at a moment."""

    t: float = Field(ge=0, le=3600)
    """Seconds from the sound's start."""
    azimuth: float = Field(ge=-360, le=360)
    """Degrees counter-clockwise seen from above; 0 is ahead of the figure, 90 to its left."""
    distance: float = Field(ge=0.3, le=30)
    """Metres."""


class SceneEvent(Body):
    """A sound of a scene."""

    sound: Id
    start_s: float = Field(0, ge=0, le=600)
    points: list[ScenePoint] = Field(min_length=1, max_length=5000)
    """In the order of time; straight between them."""


class SceneRequest(Body):
    """Sounds around a figure."""

    name: str = Field("scene.flac", max_length=120)
    events: list[SceneEvent] = Field(min_length=1, max_length=16)
