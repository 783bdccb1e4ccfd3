"""Emotions as acting direction: shapes of the face added to a performance, keyed over time.

Each emotion is a pattern of ARKit weights after the action units that observers read it from
(Ekman & Friesen 1978), with a posture of the head and scales of the mouth's and the head's
movement. A key is reached within `RISE_S` before its time and holds until the next one. Lips that
were closed for a sound stay closed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.acting import EmotionKey
from motet.face.intensity import MOUTH_CHANNELS
from motet.face.lip_closure import closed_by
from motet.face.lip_shapes import measure
from motet.face.operator import FaceCues, FrameOperator
from motet.face.visemes import face_pose
from motet.types import ARKIT_SHAPES

RISE_S = 0.6
"""Time in which a face takes on an emotion."""
CLOSED, OPEN = 0.015, 0.06
"""Gap of the lips in mouth widths up to which they count as closed, and from which as open."""
QUIET, LOUD = 0.75, 1.15
"""Scale of the upper face's part in silence and at full loudness."""


@dataclasses.dataclass(frozen=True)
class Pattern:
    """What an emotion at weight 1 adds."""

    shapes: Mapping[str, float]
    """Weights; a name without a side means both sides."""
    head_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Nod (down), turn and tilt of the head."""
    mouth: float = 1.0
    """Scale of the mouth's movement."""
    head: float = 1.0
    """Scale of the head's movement."""


PATTERNS: Mapping[str, Pattern] = {
    "joy": Pattern(
        {"mouthSmile": 0.62, "cheekSquint": 0.50, "eyeSquint": 0.20, "mouthDimple": 0.08,
         "browInnerUp": 0.10, "mouthUpperUp": 0.10},
        (-1.5, 0.0, 1.0), 1.10, 1.20,
    ),
    "anger": Pattern(
        {"browDown": 0.85, "eyeSquint": 0.28, "noseSneer": 0.30, "mouthFrown": 0.22,
         "mouthLowerDown": 0.10, "mouthUpperUp": 0.08, "eyeWide": 0.10, "jawForward": 0.15},
        (3.5, 0.0, 0.0), 1.15, 1.25,
    ),
    "sadness": Pattern(
        {"browInnerUp": 0.80, "mouthFrown": 0.85, "eyeBlink": 0.18, "eyeSquint": 0.10,
         "mouthShrugLower": 0.28, "cheekSquint": 0.10},
        (4.5, 0.0, 2.5), 0.80, 0.60,
    ),
    "fear": Pattern(
        {"browInnerUp": 0.75, "browOuterUp": 0.30, "eyeWide": 0.70, "mouthStretch": 0.35,
         "mouthFrown": 0.15},
        (-2.5, 0.0, 0.0), 1.0, 1.10,
    ),
    "disgust": Pattern(
        {"noseSneer": 0.80, "browDown": 0.45, "mouthUpperUp": 0.32, "eyeSquint": 0.30,
         "mouthFrown": 0.28, "cheekSquint": 0.25},
        (-2.0, 3.0, 0.0), 1.0, 0.90,
    ),
    "surprise": Pattern(
        {"browInnerUp": 0.80, "browOuterUp": 0.80, "eyeWide": 0.60, "jawOpen": 0.12},
        (-2.5, 0.0, 0.0), 1.10, 1.0,
    ),
    "contempt": Pattern(
        {"mouthSmileLeft": 0.34, "mouthDimpleLeft": 0.40, "eyeSquint": 0.18,
         "browOuterUpRight": 0.30, "browDownLeft": 0.15},
        (-3.5, 0.0, 2.5), 0.90, 0.80,
    ),
    "cheekiness": Pattern(
        {"mouthSmileLeft": 0.60, "mouthSmileRight": 0.30, "browOuterUpLeft": 0.55,
         "browInnerUp": 0.15, "cheekSquint": 0.30, "eyeSquint": 0.15},
        (1.5, 0.0, -3.5), 1.05, 1.25,
    ),
    "pain": Pattern(
        {"browDown": 0.60, "browInnerUp": 0.35, "eyeSquint": 0.60, "cheekSquint": 0.55,
         "noseSneer": 0.40, "mouthStretch": 0.40, "mouthUpperUp": 0.20, "eyeBlink": 0.15},
        (2.5, 0.0, 2.0), 1.0, 0.90,
    ),
    "calm": Pattern(
        {"mouthSmile": 0.16, "eyeBlink": 0.12, "cheekSquint": 0.10}, (0.5, 0.0, 1.0), 0.90, 0.60
    ),
}  # fmt: skip
_POSES = {name: face_pose(pattern.shapes) for name, pattern in PATTERNS.items()}
_UPPER = np.array(
    [name.startswith(("brow", "eye", "cheekSquint", "nose")) for name in ARKIT_SHAPES]
)


def emotion_course(
    keys: tuple[EmotionKey, ...], time: Float[ndarray, " frames"]
) -> dict[str, Float[ndarray, " frames"]]:
    """Weight of each emotion at times in seconds."""
    courses: dict[str, ndarray] = {}
    ends: dict[str, tuple[float, float]] = {}
    for key in keys:
        course = courses.setdefault(key.emotion, np.zeros(len(time)))
        last_s, weight = ends.get(key.emotion, (-math.inf, 0.0))
        begins_s = max(last_s, key.time_s - RISE_S)
        # Before the first picture everything has been reached already.
        span = max(key.time_s - begins_s, 1e-9)
        share = np.ones(len(time)) if key.time_s == 0 else np.clip((time - begins_s) / span, 0, 1)
        course += (key.weight - weight) * share * share * (3 - 2 * share)
        ends[key.emotion] = key.time_s, key.weight
    return courses


class Emotion(FrameOperator):
    """Acts out emotions in the house space.

    Args:
        keys: see `motet.acting.emotion_keys`.
        head: where the rotation (axis-angle, radians) lies in a frame.
    """

    def __init__(self, keys: tuple[EmotionKey, ...], head: slice, fps: float) -> None:
        self.keys, self.head, self.fps = keys, head, fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        frames, shapes = motion.shape[1], len(ARKIT_SHAPES)
        courses = emotion_course(self.keys, (cues.first_frame + np.arange(frames)) / self.fps)
        added, turn = np.zeros((frames, shapes)), np.zeros((frames, 3))
        mouth, head = np.ones((frames, 1)), np.ones((frames, 1))
        for name, weight in courses.items():
            pattern, column = PATTERNS[name], weight[:, None]
            added += column * _POSES[name]
            turn += column * np.radians(pattern.head_deg)
            mouth *= 1 + column * (pattern.mouth - 1)
            head *= 1 + column * (pattern.head - 1)
        if cues.rhythm:
            # (items, frames, 1)
            loudness = np.stack([rhythm.loudness for rhythm in cues.rhythm])[..., None]
            added = np.where(_UPPER, (QUIET + (LOUD - QUIET) * loudness) * added, added)
        return self._acted(
            motion, *(torch.from_numpy(a).to(motion) for a in (added, turn, mouth, head))
        )

    def _acted(
        self, motion: Tensor, added: Tensor, turn: Tensor, mouth: Tensor, head: Tensor
    ) -> Tensor:
        shapes = len(ARKIT_SHAPES)
        weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
        gap = torch.from_numpy(measure(weights)[:, 0]).reshape(motion.shape[:-1])
        result = motion.clone()
        result[..., MOUTH_CHANNELS] *= mouth
        result[..., :shapes] = (result[..., :shapes] + added).clamp(0, 1)
        result[..., self.head] = head * result[..., self.head] + turn
        return closed_by(result, ((OPEN - gap) / (OPEN - CLOSED)).clamp(0, 1))
