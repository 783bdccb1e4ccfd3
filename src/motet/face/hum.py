"""A mouth that stays shut over mains hum."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_aperture import OPENING_CHANNELS
from motet.face.operator import FaceCues, FrameOperator


class ShutInHum(FrameOperator):
    """Takes the shapes that part the lips away where the sound is nothing but hum."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if not cues.rhythm:
            return motion
        hum = torch.from_numpy(np.stack([rhythm.hum for rhythm in cues.rhythm]))
        if not hum.any():
            return motion
        motion = motion.clone()
        motion[..., OPENING_CHANNELS] *= (~hum).to(motion).unsqueeze(-1)
        return motion
