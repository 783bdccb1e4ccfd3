"""Variants of a recording's features: by name alone, as many as of the clean sound, degraded."""

from __future__ import annotations

import dataclasses
import math

import torch

from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.encoder import WhisperAudioEncoder
from motet.encoders.whisper.network import WhisperEncoder
from motet.training.feature_variants import STREAMED, Variant, variant_features, variants_of
from motet.types import Audio


def test_variants_follow_from_the_name():
    names = [f"recording-{k}" for k in range(400)]
    found = [variants_of(name) for name in names]
    assert found == [variants_of(name) for name in names]
    assert all(v[0].look_ahead_s == math.inf for v in found)
    streamed = sum(len(v) == 2 for v in found) / len(found)
    assert abs(streamed - STREAMED) < 0.08
    kinds = {variant.degradation for v in found for variant in v}
    assert kinds == {"clean", "mild", "hard"}


def test_every_variant_has_the_features_of_the_recording():
    torch.manual_seed(0)
    encoder = WhisperAudioEncoder(WhisperEncoder(WhisperConfig(width=32, layers=1, heads=2)).eval())
    noise = 0.1 * torch.randn(3 * 16_000, generator=torch.Generator().manual_seed(1))
    audio, clean = Audio.mono(noise, 16_000), Variant(math.inf, "clean", 0)
    whole = variant_features(audio, clean, encoder)
    assert whole.shape == (150, 32)
    mild = Variant(math.inf, "mild", 3)
    degraded = variant_features(audio, mild, encoder)
    assert degraded.shape == whole.shape and not torch.allclose(degraded, whole)
    assert torch.equal(degraded, variant_features(audio, mild, encoder))
    other = variant_features(audio, dataclasses.replace(mild, seed=4), encoder)
    assert not torch.allclose(other, degraded)
    streamed = variant_features(audio, Variant(0.12, "clean", 0), encoder)
    assert streamed.shape == whole.shape and not torch.allclose(streamed, whole)
