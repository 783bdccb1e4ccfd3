"""State of a session with a person."""

from __future__ import annotations

import dataclasses
from typing import Any

from motet.encoders.base import AudioEncoder
from motet.methods.speech2lip.config import Speech2LipCondition
from motet.methods.speech2lip.speaker import Drawer
from motet.streaming.streaming_method import FeatureStream, StreamState


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speech2LipState(StreamState):
    """A session."""

    condition: Speech2LipCondition
    starts: tuple[int, ...]
    """Footage frame that each item begins with."""
    speaker: Drawer
    encoder: AudioEncoder[Any]
    loudness: FeatureStream
    """Level of every frame, decibels."""
    drawn: tuple[object, ...]
    """What the last picture of each item was drawn from."""
