"""What is done to a window of generated motion before it is emitted."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.co_speech import gesture_along
from motet.body.cover_ears import hands_to_ears
from motet.body.feature_vector import ROOT, encode_body, vector_rotations
from motet.body.foot_contact import settle_feet
from motet.body.idle_life import add_life
from motet.body.look_at import look_at
from motet.body.motion_continuity import join_to_known, leave_start
from motet.body.motion_limits import limit_speed
from motet.body.neck_limit import limit_twist
from motet.body.step_evenness import even_steps
from motet.methods.mospa.config import MospaCondition, MospaConfig
from motet.methods.mospa.sound_classifier import LOUDNESS
from motet.methods.mospa.window_task import WindowTask
from motet.reaction_families import family_number

COVER = family_number("cover")
STANDING = tuple(map(family_number, ("greet", "attend")))
"""Reactions that nobody crouches for."""
VELOCITY_FRAMES = {120: 4.0, 30: 1.0}
"""What a difference between rows at 30 a second is divided by to be a velocity of the model."""


@dataclasses.dataclass(frozen=True)
class WindowFinish:
    """Hands where they belong, a join to the known frames without a step, life where the figure
    stands still, anchored feet, straight legs, steps that do not stand out.
    """

    config: MospaConfig
    condition: MospaCondition
    fps: float
    role: str

    def __call__(
        self,
        vector: Float[Tensor, "batch frames dim"],
        task: WindowTask,
        features: Float[Tensor, "batch frames columns"],
        looked: Float[Tensor, "batch frames 3"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """The finished windows.

        Args:
            features: of the sound.
            looked: positions that heads turn to, NaN where there are none.
        """
        known = task.known_frames
        if not known and not self.condition.feet:
            return vector
        if looked is None:
            looked = torch.full((*vector.shape[:2], 3), torch.nan)
        rows = [
            self._one(row, item, task, features[row], looked[row])
            for row, item in enumerate(vector)
        ]
        return torch.cat([vector[:, :known], torch.stack(rows)[:, known:]], 1)

    def _one(
        self,
        row: int,
        item: Float[Tensor, "frames dim"],
        task: WindowTask,
        features: Float[Tensor, "frames columns"],
        source: Float[Tensor, "frames 3"],
    ) -> Float[Tensor, "frames dim"]:
        condition, fps, known = self.condition, self.fps, task.known_frames
        seed, first = task.seeds[row], task.first_frame
        root, rotations = item[:, ROOT], vector_rotations(item)
        if self.config.roles and self.role == "speaker":
            rotations = gesture_along(root, rotations, features[:, LOUDNESS], fps, first, seed)
        families = task.plans[row].families
        if self.config.families and families is not None:
            rotations = hands_to_ears(root, rotations, families == COVER, fps)
        # What was emitted stays, so that the join sees the step that is left.
        rotations = torch.cat([vector_rotations(item)[:known], rotations[known:]])
        root, rotations = join_to_known(root, rotations, known, fps)
        if self.config.guessing:
            if task.is_first and known:
                root, rotations = leave_start(root, rotations, fps)
            root, rotations = limit_speed(root, rotations, known, fps)
            rotations = look_at(root, rotations, source, known, fps)
            rotations = limit_twist(root, rotations, known, fps)
        if condition.feet:
            if condition.life and self.config.guessing:
                root, rotations = add_life(root, rotations, fps, known, first, seed)
            tall = None if families is None else np.isin(families, STANDING).astype(float)
            root, rotations = settle_feet(root, rotations, fps, known, condition.upright, tall)
        if self.config.guessing:
            root, rotations = even_steps(root, rotations, known)
        return encode_body(
            root, rotations, frames_between=VELOCITY_FRAMES[self.config.velocity_fps]
        )
