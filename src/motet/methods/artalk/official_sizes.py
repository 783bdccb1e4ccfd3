"""Sizes of official ARTalk checkpoints: read from shapes, buffers and stored options.

What is missing here (the codec's heads, for example) stands in no tensor; `resolve_config` assumes
it as published and reports it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.config import JsonValue
from motet.errors import CheckpointError
from motet.imported import Official
from motet.methods.artalk.config import ReleasedConfig

Sizes = tuple[dict[str, JsonValue], dict[str, int]]
"""Settings that tensors prove, and for every number of heads the width that it must divide."""
_OPTIONS = {
    "T_NUM_HEAD": "heads",
    "FLIP_QUANT": "flip",
    "PREV_FREE": "drop_past",
    "AUDIO_FREE": "drop_audio",
    "STYLE_FREE": "drop_style",
}
_CODEC_OPTIONS = {"V_PATCH_NUMS": "codec.patches", "T_NUM_HEADS": "codec.heads"}


def released_sizes(own: Mapping[str, Tensor], levels: Tensor | None) -> Sizes:
    """Sizes of the released generation.

    Args:
        own: tensors under our names.
        levels: the buffer `lvl_idx` (1, tokens), the scale of every token.
    """
    tokens, width = own["position"].shape[1:]
    style = "style_encoder.transformer.layers."
    style_width = own["style_encoder.entry.weight"].shape[0]
    codec, heads = _codec_sizes(own)
    sizes: dict[str, JsonValue] = {
        "generation": "released",
        **codec,
        **{f"audio.{name}": size for name, size in audio_sizes(own, "audio_encoder.").items()},
        "width": width,
        "depth": _count(own, "layers."),
        "heads": own["layers.0.attention.log_scale"].shape[1],
        "history": own["history_position"].shape[1] // tokens,
        "style_width": style_width,
        "style_depth": _count(own, style),
        "style_inner": own[f"{style}0.linear1.weight"].shape[0],
    }
    if levels is not None:
        # lvl_idx counts 0 0 0 1 1 ...: the run of each scale is its number of tokens.
        sizes["codec.patches"] = torch.bincount(levels.flatten().long()).tolist()
    hidden = own["audio_encoder.encoder.layer_norm.weight"].shape[0]
    return _under("released", sizes), {
        **_heads_under("released", heads),
        "released.audio.heads": hidden,
        "released.style_heads": style_width,
    }


def training_sizes(own: Mapping[str, Tensor], encoder: Mapping[str, Tensor] | None) -> Sizes:
    """Sizes of the training generation, with those of its audio encoder where there is one."""
    width = own["start"].shape[-1]
    codec, heads = _codec_sizes(own)
    sizes: dict[str, JsonValue] = {
        "generation": "training",
        **codec,
        "width": width,
        "depth": _count(own, "layers."),
        "audio_dim": own["audio_offset"].shape[-1],
    }
    heads |= {"heads": width}
    if encoder is not None:
        sizes |= {f"audio.{name}": size for name, size in audio_sizes(encoder).items()}
        heads |= {"audio.heads": encoder["encoder.layer_norm.weight"].shape[0]}
    return _under("training", sizes), _heads_under("training", heads)


def audio_sizes(own: Mapping[str, Tensor], prefix: str = "") -> dict[str, JsonValue]:
    """Sizes of a wav2vec2 encoder; its heads are in no tensor."""
    position = own[f"{prefix}encoder.pos_conv_embed.conv.weight"]  # (hidden, in group, taps)
    hidden, in_group, taps = position.shape
    convolutions = f"{prefix}feature_extractor.conv_layers."
    return {
        "hidden": hidden,
        "layers": _count(own, f"{prefix}encoder.layers."),
        "inner": own[f"{prefix}encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
        "conv_widths": [
            own[f"{convolutions}{n}.conv.weight"].shape[0] for n in range(_count(own, convolutions))
        ],
        "position_taps": taps,
        "position_groups": hidden // in_group,
    }


def stored_options(meta: Tensor | JsonValue | Official) -> dict[str, JsonValue]:
    """Settings in the `meta_cfg` that the training code stores beside its weights."""
    generator, codec = _section(meta, "VAE_CONFIG"), _section(meta, "V_PATCH_NUMS")
    return {
        f"training.{own}": section[official]
        for section, names in ((generator, _OPTIONS), (codec, _CODEC_OPTIONS))
        for official, own in names.items()
        if official in section
    }


def check_schedule(config: ReleasedConfig, own: Mapping[str, Tensor]) -> None:
    """The schedule must agree with the position tables.

    Raises:
        CheckpointError: it does not.
    """
    codec = config.codec
    tokens, scales = own["position"].shape[1], own["level.weight"].shape[0]
    frames = own["codec.encoder_position"].shape[1] // codec.windows
    if (codec.tokens, codec.frames, len(codec.patches)) != (tokens, frames, scales):
        raise CheckpointError(
            f"released.codec.patches {codec.patches} does not make {scales} scales of {tokens}"
            f" tokens and {frames} frames; give the right ones by --config FILE.json"
        )


def _section(meta: Tensor | JsonValue | Official, key: str) -> dict[str, JsonValue]:
    """The first nested group of options that has a key."""
    if not isinstance(meta, Mapping):
        return {}
    if key in meta:
        return {name: value for name, value in meta.items() if not isinstance(value, Tensor)}
    return next((section for value in meta.values() if (section := _section(value, key))), {})


def _codec_sizes(own: Mapping[str, Tensor]) -> Sizes:
    hidden, dim = own["codec.encoder.entry.weight"].shape
    return {
        "codec.motion_dim": dim,
        "codec.bits": own["codec.encoder.exit.weight"].shape[0],
        "codec.hidden": hidden,
        "codec.depth": _count(own, "codec.encoder.layers."),
    }, {"codec.heads": hidden}


def _count(own: Mapping[str, Tensor], prefix: str) -> int:
    """Entries of a numbered list."""
    return len(
        {name.removeprefix(prefix).partition(".")[0] for name in own if name.startswith(prefix)}
    )


def _under(part: str, sizes: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name if name == "generation" else f"{part}.{name}": v for name, v in sizes.items()}


def _heads_under(part: str, heads: Mapping[str, int]) -> dict[str, int]:
    return {f"{part}.{name}": width for name, width in heads.items()}
