"""Acting directions of a take as text: emotions with key times, and where the figure looks."""

from __future__ import annotations

import dataclasses
import logging
import math
import re
from collections.abc import Mapping

from motet.errors import ConfigError

_LOG = logging.getLogger(__name__)
EMOTIONS = (
    "joy", "anger", "sadness", "fear", "disgust", "surprise", "contempt", "cheekiness", "pain",
    "calm",
)  # fmt: skip
ALIASES: Mapping[str, str] = {
    "happy": "joy", "happiness": "joy",
    "angry": "anger",
    "sad": "sadness", "grief": "sadness",
    "afraid": "fear", "fearful": "fear",
    "disgusted": "disgust",
    "surprised": "surprise", "amazement": "surprise",
    "contemptuous": "contempt",
    "relaxed": "calm",
}  # fmt: skip
"""Names of Audio2Face (amazement, grief, ...), VRM (happy, relaxed, ...) and MEAD (angry, ...)."""
NEUTRAL = "neutral"
"""Ends all other emotions from its time on; its weight must be 1."""
CAMERA, FREE, METHOD = "camera", "free", "method"
FURTHEST_DEG = (60.0, 40.0)
"""Largest azimuth and elevation of a gaze target."""
EYE_SIDE_DEG, EYE_UP_DEG, EYE_DOWN_DEG = 25.0, 18.0, 20.0
"""How far the eyes turn in the head."""
ALONE_DEG = (12.0, 8.0)
"""Azimuth and elevation up to which the eyes turn alone; beyond, the head turns by the rest."""
_KEY = re.compile(r"\s*([A-Za-z]+)\s*=\s*([^@]+?)\s*(?:@\s*(.+?)\s*)?")


@dataclasses.dataclass(frozen=True)
class EmotionKey:
    """An emotion reaches a weight at a time."""

    emotion: str
    weight: float
    time_s: float
    """Seconds from the start of the take; 0 for a key without a time."""


def emotion_keys(text: str) -> tuple[EmotionKey, ...]:
    """Keys of `NAME=W[@TIME],...` in order of time, `neutral` written out.

    Raises:
        ConfigError: an unknown emotion, a weight outside 0..1, or a time before the start.
    """
    keys = sorted(
        (_key(part) for part in text.split(",") if part.strip()), key=lambda key: key.time_s
    )
    used = {key.emotion for key in keys} - {NEUTRAL}
    return tuple(
        written
        for key in keys
        for written in (
            [EmotionKey(name, 0.0, key.time_s) for name in sorted(used)]
            if key.emotion == NEUTRAL
            else [key]
        )
    )


def note_late_keys(text: str, seconds: float) -> None:
    """Note in the log the emotions whose time lies after the end of a recording."""
    late = [key for key in emotion_keys(text) if key.time_s > seconds]
    if late:
        _LOG.warning(
            "emotion %s at %g s has no effect: the recording ends at %.1f s",
            late[0].emotion,
            late[0].time_s,
            seconds,
        )


def _key(part: str) -> EmotionKey:
    match = _KEY.fullmatch(part)
    if match is None:
        raise ConfigError(f"emotion {part.strip()!r} is not NAME=WEIGHT or NAME=WEIGHT@SECONDS")
    name = match[1].lower()
    name = ALIASES.get(name, name)
    if name not in (*EMOTIONS, NEUTRAL):
        known = ", ".join((*EMOTIONS, NEUTRAL, *ALIASES))
        raise ConfigError(f"no emotion {match[1]!r}; known: {known}")
    weight, time_s = _number(match[2], part), _number(match[3] or "0", part)
    if not 0 <= weight <= 1 or (name == NEUTRAL and weight != 1):
        raise ConfigError(
            f"the weight in {part.strip()!r} must lie between 0 and 1 (1 for {NEUTRAL})"
        )
    if time_s < 0:
        raise ConfigError(f"the time in {part.strip()!r} must not be negative")
    return EmotionKey(name, weight, time_s)


def _number(text: str, part: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{text!r} in {part.strip()!r} is no number")
    return value


def gaze_target(text: str) -> tuple[float, float] | None:
    """Azimuth (degrees to the figure's left) and elevation of what is looked at; None where the
    gaze wanders (`free`) or is left to the method (`method`).

    Raises:
        ConfigError: none of these, or a target that the eyes cannot reach.
    """
    if text in (FREE, METHOD):
        return None
    if text == CAMERA:
        return 0.0, 0.0
    parts = text.split(",")
    if len(parts) != 2:
        raise ConfigError(f"gaze must be {CAMERA}, {FREE}, {METHOD} or AZ,EL (degrees)")
    azimuth, elevation = (_number(part, text) for part in parts)
    if abs(azimuth) > FURTHEST_DEG[0] or abs(elevation) > FURTHEST_DEG[1]:
        raise ConfigError(
            f"gaze {text} is out of sight: azimuth within {FURTHEST_DEG[0]:g} and elevation within"
            f" {FURTHEST_DEG[1]:g} degrees"
        )
    return azimuth, elevation


def check_still_head(gaze: str) -> None:
    """Make sure that the eyes alone reach a target.

    Raises:
        ConfigError: they do not.
    """
    azimuth, elevation = gaze_target(gaze) or (0.0, 0.0)
    if abs(azimuth) > EYE_SIDE_DEG or not -EYE_DOWN_DEG <= elevation <= EYE_UP_DEG:
        raise ConfigError(
            f"the eyes alone do not reach gaze {gaze}: they turn {EYE_SIDE_DEG:g} degrees sideways,"
            f" {EYE_UP_DEG:g} up and {EYE_DOWN_DEG:g} down; let the head turn, or give a nearer"
            " target"
        )
