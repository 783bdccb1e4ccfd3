"""Voice-perturbation augmentation: features of a clip with another vocal tract (VTLP), room,
microphone and noise.

The phonetic encoder was trained on the voices of the corpus; its features are less accurate for
unseen speakers. A method trained on the corpus alone trusts them too much. Half of its training set
is therefore perturbed: same motion, same times, another speaker.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.audio import resample, to_mono
from motet.audio.mel import LogMel
from motet.audio.speech_level import normalise_recording
from motet.data.augment import MILD, WARPS, degrade
from motet.encoders.phonetic.encoder import PhoneticEncoder
from motet.encoders.phonetic.stream import SAMPLE_RATE, feature_count
from motet.types import Audio

# Stretches near 1 are the same speaker.
TRACTS = tuple(warp for warp in WARPS if abs(warp - 1.0) > 0.04)
"""Stretches of the frequency axis that make another speaker."""
SHARE = 0.5
"""Share of a clip's weight that its perturbed copy has."""


@torch.inference_mode()
def perturbed_features(
    audio: Audio, encoder: PhoneticEncoder, seed: int
) -> Float[Tensor, "steps dim"]:
    """Features at 50 Hz, as many as of the clip itself; a seed is one perturbation."""
    chance, config = torch.Generator().manual_seed(seed), encoder.config
    samples = resample(to_mono(audio), SAMPLE_RATE).samples.reshape(1, -1)
    # Half a clip later stands for a voice in the background.
    noisy = degrade(samples, samples.roll(samples.shape[1] // 2, 1), chance, MILD)
    noisy = normalise_recording(noisy)[0]
    warp = TRACTS[int(torch.randint(len(TRACTS), (), generator=chance))]
    mel = LogMel(bins=config.mel_bins, floor=config.mel_floor)
    steps = feature_count(samples.shape[1])
    frames = 2 * (steps - 1) + encoder.net.taps
    # Lead as at a session's start; the surplus frames of the padding are cut.
    power = mel.power(F.pad(noisy, (mel.lead + config.mel_before * mel.hop, frames * mel.hop)))[
        :frames
    ]
    hidden, _ = encoder.net.hidden(mel.from_power(power, warp)[None], encoder.net.begin(1))
    return hidden[0].clone()
