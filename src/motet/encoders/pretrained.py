"""Published encoders from weights of yours, behind the protocol. None of them streams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict, read_official
from motet.encoders.base import WholeRecordingEncoder
from motet.encoders.hubert import Hubert, HubertConfig, pad_boundary
from motet.encoders.mimi import mimi_from_official
from motet.encoders.wav2vec2 import Wav2Vec2, fold_weight_norm, standardise
from motet.errors import CheckpointError, ConfigError

SAMPLE_RATE, HEAD_WIDTH = 16_000, 64
PREFIXES = ("wav2vec2.", "hubert.", "model.")
"""Under which `transformers` keeps the encoder in models with a head."""
POSITION = "encoder.pos_conv_embed.conv"


def load_transformer(weights: Path | None, dim: int) -> WholeRecordingEncoder:
    """HuBERT, wav2vec 2.0 or XLS-R from a state dict with the names of `transformers`; sizes are
    read from the tensors (heads: width / 64).

    Raises:
        ConfigError: no file.
        CheckpointError: not such weights.
    """
    del dim
    tensors = _tensors(weights, "the state dict of a HuBERT, wav2vec 2.0 or XLS-R model")
    # Layer norms of the convolutions tell XLS-R's form from the base form's one group norm.
    large = "feature_extractor.conv_layers.1.layer_norm.weight" in tensors
    return _xlsr(tensors, str(weights)) if large else _base(tensors, str(weights))


def load_pretrained(module: Hubert | Wav2Vec2, weights: Path) -> None:
    """Put pretrained weights into the audio encoder of a model that is to be trained.

    Args:
        weights: a file or folder of `transformers` (HuBERT, wav2vec 2.0, XLS-R).

    Raises:
        CheckpointError: not such weights, or of another size.
    """
    tensors = _tensors(weights, "the pretrained weights of the audio encoder")
    magnitude, direction = (tensors.pop(name) for name in _weight_norm(tensors, str(weights)))
    if isinstance(module, Wav2Vec2):
        tensors[f"{POSITION}.weight"] = fold_weight_norm(magnitude, direction)
    else:
        tensors[f"{POSITION}.parametrizations.weight.original0"] = magnitude
        tensors[f"{POSITION}.parametrizations.weight.original1"] = direction
    own = module.state_dict()
    # Only masking in training needs it, and some published files lack it.
    tensors.setdefault("masked_spec_embed", own.get("masked_spec_embed", torch.zeros(0)))
    load_strict(module, {n: tensors[n] for n in own if n in tensors}, str(weights))


def load_mimi(weights: Path | None, dim: int) -> WholeRecordingEncoder:
    """MIMI's unquantised latents at 25 Hz from the published weights.

    Raises:
        ConfigError: no file.
        CheckpointError: not MIMI's weights.
    """
    del dim
    model = mimi_from_official(_tensors(weights, "MIMI's weights", prefixes=()))
    hidden = model.config.hidden
    return WholeRecordingEncoder(model.training_features, SAMPLE_RATE, 25.0, hidden)


def _xlsr(tensors: dict[str, Tensor], source: str) -> WholeRecordingEncoder:
    sizes = _sizes(tensors, source)
    model = Wav2Vec2(
        sizes.hidden,
        sizes.layers,
        sizes.heads,
        sizes.inner,
        sizes.conv_widths,
        sizes.position_taps,
        sizes.position_groups,
    )
    magnitude, direction = (tensors.pop(name) for name in _weight_norm(tensors, source))
    tensors[f"{POSITION}.weight"] = fold_weight_norm(magnitude, direction)
    load_strict(
        model, {name: tensors[name] for name in model.state_dict() if name in tensors}, source
    )
    model = model.eval().requires_grad_(False)

    def features(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps dim"]:
        return model(standardise(_padded(samples)))

    return WholeRecordingEncoder(features, SAMPLE_RATE, 50.0, sizes.hidden)


def _base(tensors: dict[str, Tensor], source: str) -> WholeRecordingEncoder:
    model = Hubert(_sizes(tensors, source))
    magnitude, direction = (tensors.pop(name) for name in _weight_norm(tensors, source))
    tensors[f"{POSITION}.parametrizations.weight.original0"] = magnitude
    tensors[f"{POSITION}.parametrizations.weight.original1"] = direction
    load_strict(
        model, {name: tensors[name] for name in model.state_dict() if name in tensors}, source
    )
    model = model.eval().requires_grad_(False)

    def features(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps dim"]:
        return model(pad_boundary(standardise(_padded(samples))))

    return WholeRecordingEncoder(features, SAMPLE_RATE, 50.0, model.config.hidden)


def _padded(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch padded"]:
    """At least as many samples as the convolutions see at once."""
    return torch.nn.functional.pad(samples, (0, max(0, 400 - samples.shape[-1])))


def _sizes(tensors: Mapping[str, Tensor], source: str) -> HubertConfig:
    try:
        convolutions = [tensors[f"feature_extractor.conv_layers.{i}.conv.weight"] for i in range(7)]
        hidden = tensors["feature_projection.projection.weight"].shape[0]
        inner = tensors["encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0]
        direction = tensors[_weight_norm(tensors, source)[1]]
    except KeyError as error:
        raise CheckpointError(
            f"{source} is no HuBERT, wav2vec 2.0 or XLS-R encoder: {error} is missing; give the"
            " state dict of the model as `transformers` names it"
        ) from error
    return HubertConfig(
        hidden=hidden,
        layers=sum(name.endswith("feed_forward.output_dense.weight") for name in tensors),
        heads=max(1, hidden // HEAD_WIDTH),
        inner=inner,
        conv_widths=tuple(weight.shape[0] for weight in convolutions),
        position_taps=direction.shape[2],
        position_groups=hidden // direction.shape[1],
    )


def _weight_norm(tensors: Mapping[str, Tensor], source: str) -> tuple[str, str]:
    """Names of magnitude and direction of the position convolution, in either generation's form."""
    for names in (
        (
            f"{POSITION}.parametrizations.weight.original0",
            f"{POSITION}.parametrizations.weight.original1",
        ),
        (f"{POSITION}.weight_g", f"{POSITION}.weight_v"),
    ):
        if all(name in tensors for name in names):
            return names
    raise CheckpointError(
        f"{source} has no weight norm at {POSITION}; give the unchanged state dict"
    )


def _tensors(
    weights: Path | None, what: str, prefixes: tuple[str, ...] = PREFIXES
) -> dict[str, Tensor]:
    if weights is None:
        raise ConfigError(f"this audio encoder ships no weights; give {what}")
    content: Mapping[str, Any] = read_official(weights)
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in prefixes:
        if any(name.startswith(prefix) for name in tensors):
            tensors = {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }
    return {name: value.float() for name, value in tensors.items()}
