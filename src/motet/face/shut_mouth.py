"""Stretches of a take in which the mouth stays shut although something can be heard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from motet.audio import to_mono
from motet.audio.downmix import speech_mix, with_mix
from motet.audio.resampling import resample_pieces
from motet.audio.speech_level import BLOCK, SAMPLE_RATE, measure_blocks
from motet.audio_types import AudioSource
from motet.types import Motion

SHUT, REST = 0.02, 0.05
"""Largest jawOpen - mouthClose of a shut mouth, in speech and where there is no speech."""
LONGEST_S = 1.0
"""People who speak open the mouth several times a second."""
AUDIBLE_DB, SOFT_DB = -60.0, 20.0
"""A block is audible above the first, and no softer than this under the loudest tenth: under that
lies the noise between words."""
VOICED_SHARE, LEAST_SPREAD_DB = 0.3, 3.0
"""Speech: so many of the audible blocks are voiced, and their level varies by so much (standard
deviation). Noise is not voiced; hum and held tones do not vary."""


def shut_mouth(audio: AudioSource, motion: Motion) -> list[str]:
    """Remarks on a take (channels, time), (frames, dim); none when the mouth moves with the speech
    and for motion without a face in ARKit shapes.
    """
    names = [track.name for track in motion.space.tracks]
    if "blendshapes" not in names or not motion.frames:
        return []
    jaw = motion.channel("blendshapes", "jawOpen") - motion.channel("blendshapes", "mouthClose")
    blocks = measure_blocks(_samples(audio))
    audible = _audible(blocks.level_db)
    if not audible.any():
        return ["the recording is silent (under -60 dB throughout); check the microphone"]
    speech = np.where(audible & blocks.voiced & ~blocks.hum, blocks.level_db, np.nan)
    rate = SAMPLE_RATE / BLOCK
    spoken = [
        (first, stop)
        for first, stop in _shut(jaw <= SHUT, motion.space.fps)
        if _is_speech(*(row[round(first * rate) : round(stop * rate)] for row in (speech, audible)))
    ]
    if spoken:
        listed = ", ".join(f"{first:.1f} to {stop:.1f} s" for first, stop in spoken)
        return [f"the mouth stays shut over audible speech or music ({listed})"]
    if not _is_speech(speech, audible) and bool((jaw <= REST).all()) and bool(audible.any()):
        return ["no speech found: the mouth stays shut"]
    return []


def _shut(shut: Bool[Tensor, " frames"], fps: float) -> list[tuple[float, float]]:
    """Start and end of every long stretch of shut frames, seconds."""
    change = torch.nn.functional.pad(shut.int(), (1, 1)).diff()
    starts, stops = (change == 1).nonzero().flatten(), (change == -1).nonzero().flatten()
    pairs = zip((starts / fps).tolist(), (stops / fps).tolist(), strict=True)
    return [(start, stop) for start, stop in pairs if stop - start >= LONGEST_S]


def _samples(audio: AudioSource) -> Iterator[Float[ndarray, " time"]]:
    """The channel with the speech, in pieces of a second."""
    source = with_mix(audio, audio.mix or speech_mix(audio).weights)
    mono = (to_mono(piece) for piece in source.pieces(1.0))
    for piece in resample_pieces(mono, SAMPLE_RATE):
        yield piece.samples.reshape(-1).double().numpy()


def _audible(level_db: Float[ndarray, " blocks"]) -> Bool[ndarray, " blocks"]:
    loud = float(np.quantile(level_db, 0.9)) if len(level_db) else 0.0
    return level_db > max(AUDIBLE_DB, loud - SOFT_DB)


def _is_speech(voiced_db: Float[ndarray, " blocks"], audible: Bool[ndarray, " blocks"]) -> bool:
    """Whether so much of a stretch is voiced, at varying levels, that it is speech.

    Args:
        voiced_db: level of the audible voiced blocks; NaN for all others.
    """
    levels = voiced_db[np.isfinite(voiced_db)]
    least = VOICED_SHARE * max(LONGEST_S * SAMPLE_RATE / BLOCK, int(audible.sum()))
    return len(levels) >= least and float(levels.std()) > LEAST_SPREAD_DB
