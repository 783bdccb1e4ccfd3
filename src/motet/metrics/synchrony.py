"""Motion against sound: body beats on musical beats, lips on voice features.

Sources: Siyao et al. 2022 (Bailando) for the beats; Chung and Zisserman 2016 (SyncNet) and Prajwal
et al. 2020 (Wav2Lip) for lips. The features for lips come from a trained SyncNet, which users
bring; here is only the arithmetic.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_series

METRICS = (
    Metric(
        "beat_alignment",
        "1",
        "all joints",
        "higher",
        "mean over music beats of a bell over the distance to the nearest motion beat (Bailando)",
    ),
    Metric(
        "LSE-D",
        "1",
        "mouth",
        "lower",
        "smallest mean distance of video and audio features over shifts of up to 15 frames",
    ),
    Metric("LSE-C", "1", "mouth", "higher", "median minus smallest of these distances"),
)


def motion_beats(
    joints: Float[Tensor, "frames joints 3"], sigma: float = 5.0
) -> Int[np.ndarray, " beats"]:
    """Frames at which the smoothed mean speed of the joints is a strict local minimum."""
    check_series(joints, 3, "joints")
    speed = joints.double().diff(dim=0).norm(dim=-1).mean(-1).numpy()  # (frames - 1)
    smooth = gaussian_filter1d(speed, sigma)
    # + 1, because comparison starts at the second speed.
    return np.flatnonzero((smooth[1:-1] < smooth[:-2]) & (smooth[1:-1] < smooth[2:])) + 1


def beat_alignment(
    music: Int[np.ndarray, " beats"], motion: Int[np.ndarray, " beats"], sigma: float = 3.0
) -> float:
    """How near a motion beat lies to each beat of the music, 0..1; 0 when the motion has no beat.

    Raises:
        InputError: music without beats.
    """
    if not len(music):
        raise InputError("the music has no beats; beat alignment is not defined")
    if not len(motion):
        return 0.0
    # (musical beats): distance to the nearest motion beat
    nearest = np.abs(np.asarray(music, np.float64)[:, None] - np.asarray(motion, np.float64)).min(1)
    return float(np.exp(-(nearest**2) / (2 * sigma**2)).mean())


@dataclasses.dataclass(frozen=True)
class LipSync:
    """Agreement of a mouth with a voice."""

    distance: float
    """LSE-D."""
    confidence: float
    """LSE-C."""
    offset: int
    """Frames by which the sound should be moved; positive: it comes too early."""


def lip_sync(
    video: Float[Tensor, "frames dims"], sound: Float[Tensor, "frames dims"], most: int = 15
) -> LipSync:
    """LSE-D, LSE-C and the offset from features of both, frame by frame.

    Raises:
        InputError: of different shapes, empty, or not finite.
    """
    check_series(video, 2, "video features")
    check_series(sound, 2, "audio features")
    if video.shape != sound.shape:
        raise InputError(
            f"video features {tuple(video.shape)} and audio features {tuple(sound.shape)} must have"
            " one shape; cut both to the shorter"
        )
    # (frames + 2 most, dims): zeros beyond both ends, as released
    padded = torch.nn.functional.pad(sound.float(), (0, 0, most, most))
    shifted = padded.unfold(0, len(video), 1).transpose(1, 2)  # shifts frames dims
    distances = (
        (video.float() - shifted + 1e-6).norm(dim=-1).mean(1)
    )  # the 1e-6 inside the norm as released
    # Index 0 is the sound moved `most` frames late.
    best = int(distances.argmin())
    return LipSync(float(distances[best]), float(distances.median() - distances[best]), most - best)
