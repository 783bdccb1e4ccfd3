"""How ARTalk trains: the stages of the model that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from motet.errors import ConfigError
from motet.face.lip_geometry import house_lips
from motet.methods.artalk.config import ArtalkConfig
from motet.methods.artalk.published_v2.loss import training_stages
from motet.methods.artalk.streaming.stages import streaming_stages
from motet.stage import Stage


def stages(config: ArtalkConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage]:
    """The stages in order; each holds the whole model, so the last checkpoint is complete.

    Raises:
        ConfigError: the released generation, whose training was never published.
        CheckpointError: the tensors do not fit.
    """
    if config.streaming is not None:
        return streaming_stages(config.streaming, tensors, house_lips())
    if config.training is not None:
        return training_stages(config.training, tensors)
    raise ConfigError(
        "how the released generation was trained is not published; train the preset 'training' or"
        " 'default'"
    )
