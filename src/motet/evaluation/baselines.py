"""Trivial baselines: a still face, a jaw that follows loudness, a pose per phone.

All are `Predict` functions like any method: sound and a seed in, motion in the house space at 25
frames a second out. None uses the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.visemes import PHONES, VISEMES, face_pose
from motet.phonetics.alignment import SILENCE, PhoneLoop
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space, frame_count

Predict = Callable[[Audio, int], Motion]
"""(one mono sound at 16 kHz, seed) -> motion of one item, (frames, dim)."""

FPS = 25.0

_MEAN: Mapping[str, float] = {
    "jawOpen": 0.13, "eyeBlink": 0.125, "mouthPucker": 0.119, "mouthLowerDown": 0.06,
    "eyeLookDown": 0.042, "eyeSquint": 0.037, "browDown": 0.028,
    "mouthRollUpper": 0.027, "mouthPress": 0.021, "mouthStretch": 0.02, "mouthClose": 0.018,
    "mouthFunnel": 0.014, "mouthRollLower": 0.012,
}  # fmt: skip
"""Mean of training clips of GRID s1 as they are fitted for training, over the man's rest."""

_VISEME_OF: Mapping[str, str] = {
    phone: viseme for viseme, phones in PHONES.items() for phone in phones.split()
}


def mean_face(audio: Audio, seed: int = 0) -> Motion:
    """The mean of recorded faces, whatever is said."""
    del seed
    return _motion(_pose(_MEAN).expand(frame_count(audio.seconds, FPS), -1))


def loudness_to_jaw(audio: Audio, seed: int = 0) -> Motion:
    """Jaw opening 0 to 0.3 over the clip's upper 40 dB, smoothed over five frames."""
    del seed
    level = loudness_db(audio, FPS)
    # The 95th percentile stands for loud speech; recordings under -50 dB count as silence.
    top = max(float(level.quantile(0.95)), -50.0)
    share = ((level - (top - 40.0)) / 40.0).clamp(0.0, 1.0)
    smooth = _smoothed(share.unsqueeze(-1), (1.0, 2.0, 3.0, 2.0, 1.0))
    # (frames, 1) times (52,)
    return _motion(0.3 * smooth * _pose({"jawOpen": 1.0}))


class NearestPhone:
    """A fixed pose for each phone of a phone loop (no text needed), smoothed over five frames.

    Raises:
        MissingDependency: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        self._loop = PhoneLoop()

    def __call__(self, audio: Audio, seed: int = 0) -> Motion:
        """Recognise, look up, smooth."""
        del seed
        weights = torch.zeros(frame_count(audio.seconds, FPS), len(ARKIT_SHAPES))
        # a phone of less than a frame still gets one
        for phone in self._loop.recognise(audio):
            first, last = (
                round(phone.start_s * FPS),
                max(round(phone.end_s * FPS), round(phone.start_s * FPS) + 1),
            )
            if phone.label != SILENCE:
                weights[first:last] = _pose(VISEMES[_VISEME_OF[phone.label]])
        return _motion(_smoothed(weights, (1.0, 2.0, 3.0, 2.0, 1.0)))


def baselines() -> dict[str, Predict]:
    """All baselines by name; the phone loop is left out where its optional package is missing."""
    from motet.errors import MissingDependency

    result: dict[str, Predict] = {"mean face": mean_face, "loudness to jaw": loudness_to_jaw}
    try:
        result["nearest phone"] = NearestPhone()
    except MissingDependency:
        return result
    return result


def loudness_db(audio: Audio, fps: float) -> Float[Tensor, " frames"]:
    """Loudness of 40 ms around each frame, dB of full scale, not under -80."""
    sound = audio.expect(audio.sample_rate, "mono").samples.reshape(-1).double()
    half = round(0.02 * audio.sample_rate)
    # A running sum of squares, so that each frame costs one difference.
    energy = torch.cat([torch.zeros(1, dtype=torch.float64), sound.square().cumsum(0)])
    centre = (
        (torch.arange(frame_count(audio.seconds, fps)) * (audio.sample_rate / fps)).round().long()
    )
    first, last = (centre - half).clamp(0, len(sound) - 1), (centre + half).clamp(1, len(sound))
    power = (energy[last] - energy[first]) / (last - first)
    return (10.0 * power.clamp(min=1e-8).log10()).float()


def _pose(shapes: Mapping[str, float]) -> Float[Tensor, "52"]:
    return torch.from_numpy(face_pose(shapes)).float()


def _motion(weights: Float[Tensor, "frames 52"]) -> Motion:
    return Motion(
        torch.cat([weights.float(), torch.zeros(len(weights), 3)], dim=-1), arkit_space(FPS)
    )


def _smoothed(
    values: Float[Tensor, "frames dims"], kernel: tuple[float, ...]
) -> Float[Tensor, "frames dims"]:
    weights = torch.tensor(kernel) / sum(kernel)  # (taps), sums to 1
    reach = len(kernel) // 2
    padded = torch.cat([values[:1].expand(reach, -1), values, values[-1:].expand(reach, -1)])
    # (frames, dims, taps) -> weighted mean
    return (padded.unfold(0, len(kernel), 1) * weights).sum(-1)
