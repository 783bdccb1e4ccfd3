"""The method of a configuration: one of the three models that share this method's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.base import load_encoder
from motet.methods.artalk.config import ArtalkConfig, StreamingConfig
from motet.methods.artalk.published_method import PublishedMethod
from motet.methods.artalk.published_v1.generate import build_released
from motet.methods.artalk.published_v2.generate import build_training
from motet.methods.artalk.streaming.generate import ArtalkStreaming
from motet.methods.artalk.streaming.model import StreamingModel


def build(
    config: ArtalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> ArtalkStreaming | PublishedMethod:
    """The method of a configuration from its weights, or with random ones when there are none.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    del facts
    if config.streaming is not None:
        return build_streaming(config.streaming, tensors)
    if config.training is not None:
        return build_training(config.training, tensors)
    assert config.released is not None
    return build_released(config.released, tensors)


def build_streaming(
    config: StreamingConfig, tensors: Mapping[str, Tensor] | None
) -> ArtalkStreaming:
    """The streaming model with the audio encoder it was trained on.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    model = StreamingModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return ArtalkStreaming(model, load_encoder(config.front_end, dim=config.audio_dim))
