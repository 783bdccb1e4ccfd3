"""The audio encoder of a model, and its forms for streams and for known words."""

from __future__ import annotations

from typing import Any

from motet.encoders.base import AudioEncoder, load_encoder
from motet.encoders.lips import load_lip_encoder
from motet.encoders.phonetic.encoder import load_phonetic
from motet.encoders.with_mouth import WithMouth
from motet.methods.diffposetalk.config import DiffPoseTalkCondition, DiffPoseTalkConfig
from motet.phonetics.phone_source import phone_options

LOOK_AHEAD_S, HOP_S = 0.3, 0.16
"""Seconds of sound that a stream's mouth shapes look ahead, and that are encoded at once. The
model's own windows wait longer anyway."""


def audio_encoder(config: DiffPoseTalkConfig) -> AudioEncoder[Any] | None:
    """The encoder that a model was trained on; None for a model that carries its own.

    The shipped model's features are phonetic; regressed mouth shapes, which post-processing blends
    in, follow them.
    """
    if config.front == "phonetic":
        return WithMouth(load_phonetic(), load_lip_encoder(None, 0))
    if config.front == "bands":
        return load_encoder(config.front, dim=config.audio_dim)
    return None


def streaming_form(encoder: AudioEncoder[Any]) -> AudioEncoder[Any]:
    """The encoder whose mouth shapes need no whole recording."""
    if isinstance(encoder, WithMouth):
        return encoder.streaming(LOOK_AHEAD_S, HOP_S)
    return encoder


def with_words(encoder: AudioEncoder[Any], condition: DiffPoseTalkCondition) -> AudioEncoder[Any]:
    """The encoder whose mouth shapes also see the phones of the words that are known."""
    assert isinstance(encoder, WithMouth)  # other models refuse words: `check` of the options
    return encoder.with_words(phone_options(condition))
