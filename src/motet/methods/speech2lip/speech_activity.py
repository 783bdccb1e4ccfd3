"""Speech activity of each frame, from loudness: lips come to rest in silence."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.speech2lip.person.dataset import FRAME_SAMPLES, loudness_db

SILENT_DB, SPOKEN_DB = -58.0, -46.0
"""Below the first: silence, above the second: speech; lips fade between rest and
speech."""
HOLD, FADE = 3, 6
"""Frames that lips keep moving after speech, and over which they then come to rest."""
FRAMES_BEFORE = HOLD + FADE
"""Frames of loudness before a frame that still count for it."""


class LoudnessEncoder:
    """Level of each frame of sound, decibels below full scale, as a stream."""

    sample_rate, channels, frame_rate, dim, look_ahead_s = 16_000, 1, 25.0, 1, 0.0
    expects_level = False

    def begin(self, batch: int) -> Float[Tensor, "batch time"]:
        """Samples of a frame that is not complete."""
        return torch.zeros(batch, 0)

    def step(
        self, state: Float[Tensor, "batch time"], samples: Float[Tensor, "batch time2"]
    ) -> tuple[Float[Tensor, "batch frames"], Float[Tensor, "batch time"]]:
        """Levels of the frames that are now complete."""
        samples = torch.cat([state, samples], 1)
        levels = loudness_db(samples)
        return levels, samples[:, levels.shape[1] * FRAME_SAMPLES :]  # the incomplete frame

    def finish(self, state: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frames"]:
        """The last frame, filled up with silence, if a part of one is there."""
        return loudness_db(nn.functional.pad(state, (0, -state.shape[1] % FRAME_SAMPLES)))


def speech_activity(
    level_db: Float[Tensor, " frames"], first: int, until: int, ahead: int
) -> Float[Tensor, " count"]:
    """Speech activity of frames `first` .. `until - 1`, 0..1: at once at an onset,
    fading after it has ended.

    Args:
        level_db: from frame 0 on; silence follows.
        ahead: frames that lips open before a sound.
    """
    if until <= first:
        return level_db.new_zeros(0)
    loud = ((level_db - SILENT_DB) / (SPOKEN_DB - SILENT_DB)).clamp(0, 1)  # (frames), 0..1
    stop = until + ahead
    # Silence before the recording and after it.
    padded = nn.functional.pad(
        loud[max(0, first - FRAMES_BEFORE) : stop],
        (max(0, FRAMES_BEFORE - first), max(0, stop - len(loud))),
    )
    # Distance of each frame of the window to the one in question; negative: still to come.
    distance = torch.arange(FRAMES_BEFORE, -ahead - 1, -1)
    # 1 for HOLD frames after speech, then falling to 0 over FADE frames.
    after = (1 - (distance - HOLD).clamp(min=0) / (FADE + 1)).clamp(0, 1)
    # Ahead of speech the lips open over `ahead` frames.
    weight = torch.where(distance < 0, 1 + distance / (ahead + 1), after)
    # (frames, window) -> the strongest neighbour decides
    return (padded.unfold(0, len(weight), 1) * weight).amax(1)[: until - first]
