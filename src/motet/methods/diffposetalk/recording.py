"""A whole recording at once, for models that carry their own audio encoder (HuBERT, wav2vec 2.0).

Their encoder normalises over the whole recording, so nothing can be generated before its end.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motet.methods.diffposetalk.model import DiffPoseTalkModel, standardise
from motet.methods.diffposetalk.sampling_config import SamplingConfig
from motet.methods.diffposetalk.windows import (
    Person,
    Randomness,
    first_past,
    indicator,
    next_past,
    sample_window,
)

SAMPLE_RATE = 16000


def generate_recording(
    model: DiffPoseTalkModel,
    samples: Float[Tensor, "batch time"],
    frames: int,
    person: Person,
    sampling: SamplingConfig,
    randomness: Randomness,
    *,
    each_window: bool = False,
) -> Float[Tensor, "batch frames dim"]:
    """The model's vectors of all frames of a recording.

    Args:
        samples: at 16 kHz, not standardised.
        frames: frames that are due.
        each_window: encode every window alone instead of all in one pass.
    """
    if samples.shape[1] < 2:  # a deviation needs two samples
        samples = samples.repeat(1, 2)
    # The published program rounds the number of frames down, which also decides what its windows
    # see; where one more is due, the last is held.
    whole = min(frames, max(1, published_frames(samples.shape[1], model.config.fps)))
    # Takes of one recording with several seeds are encoded once.
    same = bool((samples == samples[:1]).all())
    features = encode_recording(
        model, standardise(samples[:1] if same else samples), whole, each_window=each_window
    ).expand(len(samples), -1, -1)
    motion = sample_recording(model, features, whole, person, sampling, randomness)
    return torch.cat([motion, motion[:, -1:].expand(-1, frames - whole, -1)], 1)


def published_frames(samples: int, fps: float = 25.0) -> int:
    """Frames that the published program gives a recording: a part of a frame at the end is
    dropped.
    """
    return int(samples / SAMPLE_RATE * fps)


def encode_recording(
    model: DiffPoseTalkModel,
    samples: Float[Tensor, "batch time"],
    frames: int,
    *,
    each_window: bool = False,
) -> Float[Tensor, "batch frames width"]:
    """Audio features of a standardised recording, filled up to whole windows.

    Args:
        frames: real frames of the recording.
        each_window: encode every window alone instead of all in one pass.
    """
    # Frames of a window, samples of a frame.
    window, frame = model.config.denoiser.window, model.config.frame_samples
    windows = max(1, math.ceil(frames / window))
    missing = windows * window * frame - samples.shape[-1]
    if missing > 0:
        # (batch, 1) or (1, 1): what fills the rest of the last window, as in training.
        last = samples.new_zeros(1, 1)
        if model.config.loss.padding == "replicate":
            last = samples[:, -1:]
        samples = torch.cat([samples, last.expand(len(samples), missing)], 1)
    if not each_window:
        return model.encode_audio(samples, windows * window)
    # (batch * windows, time)
    pieces = samples[:, : windows * window * frame].unflatten(1, (windows, -1)).flatten(0, 1)
    return model.encode_audio(pieces, window).unflatten(0, (-1, windows)).flatten(1, 2)


def sample_recording(
    model: DiffPoseTalkModel,
    features: Float[Tensor, "batch frames width"],
    frames: int,
    person: Person,
    sampling: SamplingConfig,
    randomness: Randomness,
) -> Float[Tensor, "batch frames dim"]:
    """All windows of a recording from features of whole windows; returns the real frames
    only.
    """
    batch, window = len(features), model.config.denoiser.window
    past, pieces = first_past(model, batch), []
    for number, audio in enumerate(features.split(window, 1)):
        real = indicator(batch, window, frames - number * window)
        motion = sample_window(
            model,
            audio,
            person,
            past,
            sampling,
            randomness.start(number),
            randomness.moves(number),
            real,
        )
        past = next_past(model, motion, audio)
        pieces.append(motion)
    return torch.cat(pieces, 1)[:, :frames]
