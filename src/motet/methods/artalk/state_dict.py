"""The authors' checkpoints under our names, and back. Strict: every official tensor is used and
every own one is filled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from motet.encoders.wav2vec2 import fold_weight_norm
from motet.errors import CheckpointError
from motet.methods.artalk.config import (
    ArtalkConfig,
    CodecConfig,
    ReleasedConfig,
    TrainingConfig,
    Wav2Vec2Config,
)

Rules = Sequence[tuple[str, str]]
"""Pairs (official, own) in which {n} stands for a number and {rest} for the end of the name."""

_CODEC: Rules = [
    ("enc_pos_embed", "encoder_position"),
    ("dec_pos_embed", "decoder_position"),
    ("motion_mean", "motion_mean"),
    ("motion_std", "motion_std"),
    *[
        rule
        for side, entry, out in (
            ("encoder", "inp_mapping.0", "code_mapping"),
            ("decoder", "inp_mapping.0", "out_mapping"),
        )
        for rule in [
            (f"{side}.{entry}.{{rest}}", f"{side}.entry.{{rest}}"),
            (f"{side}.{out}.{{rest}}", f"{side}.exit.{{rest}}"),
            (
                f"{side}.{side}_transformer.{{even}}.norm.{{rest}}",
                f"{side}.layers.{{n}}.norm.{{rest}}",
            ),
            (
                f"{side}.{side}_transformer.{{even}}.to_qkv.{{rest}}",
                f"{side}.layers.{{n}}.qkv.{{rest}}",
            ),
            (
                f"{side}.{side}_transformer.{{even}}.to_out.{{rest}}",
                f"{side}.layers.{{n}}.out.{{rest}}",
            ),
            (
                f"{side}.{side}_transformer.{{odd}}.0.{{rest}}",
                f"{side}.layers.{{n}}.inner.{{rest}}",
            ),
            (
                f"{side}.{side}_transformer.{{odd}}.2.{{rest}}",
                f"{side}.layers.{{n}}.outer.{{rest}}",
            ),
        ]
    ],
]


def _prefixed(rules: Rules, official: str, own: str) -> list[tuple[str, str]]:
    return [(official + a, own + b) for a, b in rules]


_RELEASED: Rules = [
    *_prefixed(_CODEC, "basic_vae.", "codec."),
    ("null_style_cond", "null_style"),
    ("pos_embed", "position"),
    ("prev_pos_embed", "history_position"),
    ("lvl_embed.weight", "level.weight"),
    ("vqfeat_embed.{rest}", "feature_entry.{rest}"),
    ("style_cond_embed.{rest}", "style_entry.{rest}"),
    ("style_encoder.PE.pe", "style_encoder.position"),
    ("style_encoder.motion_mean", "style_encoder.motion_mean"),
    ("style_encoder.motion_std", "style_encoder.motion_std"),
    ("style_encoder.encoder.motion_proj.{rest}", "style_encoder.entry.{rest}"),
    ("style_encoder.encoder.transformer.{rest}", "style_encoder.transformer.{rest}"),
    ("audio_encoder.{rest}", "audio_encoder.{rest}"),
    ("attn_blocks.{n}.attn.scale_mul_1H11", "layers.{n}.attention.log_scale"),
    *[
        (f"attn_blocks.{{n}}.attn.{a}.{{rest}}", f"layers.{{n}}.attention.{b}.{{rest}}")
        for a, b in zip(
            ("query", "key", "value", "proj"), ("query", "key", "value", "out"), strict=True
        )
    ],
    ("attn_blocks.{n}.ffn.0.{rest}", "layers.{n}.inner.{rest}"),
    ("attn_blocks.{n}.ffn.2.{rest}", "layers.{n}.outer.{rest}"),
    ("attn_blocks.{n}.ada_lin.1.{rest}", "layers.{n}.modulation.{rest}"),
    ("cond_logits_head.ada_lin.1.{rest}", "head_modulation.{rest}"),
    ("logits_head.{rest}", "head.{rest}"),
]

_TRAINING: Rules = [
    *_prefixed(_CODEC, "base_codec.", "codec."),
    ("sos_embed", "start"),
    ("code_token_embed.{rest}", "feature_entry.{rest}"),
    ("attn_blocks.style_pos", "style_offset"),
    ("attn_blocks.prev_pos", "past_offset"),
    ("attn_blocks.audio_pos", "audio_offset"),
    ("attn_blocks.lvl_embed.weight", "level.weight"),
    *[
        (f"attn_blocks.attn_blocks.{{n}}.{a}.{{rest}}", f"layers.{{n}}.{b}.{{rest}}")
        for a, b in [
            ("self_attn.norm", "norm"),
            ("self_attn.to_qkv", "qkv"),
            ("self_attn.to_out", "out"),
            ("audio_attn.self_norm", "audio_norm"),
            ("audio_attn.context_norm", "context_norm"),
            ("audio_attn.q_proj", "audio_query"),
            ("audio_attn.k_proj", "audio_key"),
            ("audio_attn.v_proj", "audio_value"),
            ("audio_attn.out_proj", "audio_out"),
            ("ffn.0", "inner_norm"),
            ("ffn.1", "inner"),
            ("ffn.3", "outer"),
        ]
    ],
    ("logits_head.0.{rest}", "head_norm.{rest}"),
    ("logits_head.1.{rest}", "head.{rest}"),
]

_DERIVED = ("attn_bias_for_masking", "lvl_idx", "basic_vae.attn_mask")
"""Buffers of the released checkpoint that follow from the configuration; checked, not kept."""
_POSITION_CONV = "audio_encoder.encoder.pos_conv_embed.conv"
_NORM_NAMES = (
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
    (".weight_g", ".weight_v"),
)


def rename(tensors: Mapping[str, Tensor], rules: Rules, *, back: bool = False) -> dict[str, Tensor]:
    """Tensors under the other side's names.

    Raises:
        CheckpointError: a name that no rule knows.
    """
    patterns = [(_pattern(rule[back]), rule[not back]) for rule in rules]
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        for pattern, template in patterns:
            match = pattern.fullmatch(name)
            if match:
                renamed[_fill(template, match)] = tensor
                break
        else:
            raise CheckpointError(
                f"the checkpoint has a tensor {name!r} that this model does not know; is it of"
                " another method or version?"
            )
    return renamed


def _pattern(text: str) -> re.Pattern[str]:
    text = re.escape(text).replace(r"\{", "{").replace(r"\}", "}")
    for kind in ("n", "even", "odd"):
        text = text.replace(f"{{{kind}}}", rf"(?P<{kind}>\d+)")
    return re.compile(text.replace("{rest}", r"(?P<rest>.+)"))


def _fill(template: str, match: re.Match[str]) -> str:
    found = match.groupdict()
    number = int(found.get("n") or -1)
    if "even" in found or "odd" in found:
        listed = int(found.get("even") or found.get("odd") or 0)
        if listed % 2 != ("odd" in found):
            raise CheckpointError(
                f"{match.string!r} is not at its place in the list of attention and feed-forward"
                " parts"
            )
        number = listed // 2
    return template.format(
        n=number, even=2 * number, odd=2 * number + 1, rest=found.get("rest", "")
    )


def from_official(tensors: Mapping[str, Any]) -> tuple[ArtalkConfig, dict[str, Tensor]]:
    """Configuration and tensors of either published generation, told apart by their names; sizes
    are read from the shapes.

    Raises:
        CheckpointError: neither generation, or a tensor too many.
    """
    if isinstance(tensors.get("model"), Mapping):
        tensors = tensors["model"]
    if not all(isinstance(value, Tensor) for value in tensors.values()):
        raise CheckpointError(
            "an official ARTalk checkpoint holds tensors only, this one holds other things; give"
            " the file with the weights"
        )
    if "basic_vae.motion_mean" in tensors:
        return released_from_official(tensors)
    if "base_codec.motion_mean" in tensors:
        return training_from_official(tensors)
    raise CheckpointError(
        "not an ARTalk checkpoint: neither basic_vae.motion_mean (released) nor"
        " base_codec.motion_mean (training code) is in it"
    )


def released_from_official(tensors: Mapping[str, Tensor]) -> tuple[ArtalkConfig, dict[str, Tensor]]:
    """The released generation (814 tensors at the published size; either naming of the weight
    norm).
    """
    tensors = {name: tensor for name, tensor in tensors.items() if name not in _DERIVED}
    for magnitude, direction in _NORM_NAMES:
        if _POSITION_CONV + magnitude in tensors and _POSITION_CONV + direction in tensors:
            folded = fold_weight_norm(
                tensors.pop(_POSITION_CONV + magnitude).float(),
                tensors.pop(_POSITION_CONV + direction).float(),
            )
            tensors[f"{_POSITION_CONV}.weight"] = folded
    own = rename(tensors, _RELEASED)
    return ArtalkConfig("released", released=_released_config(own)), own


def training_from_official(tensors: Mapping[str, Tensor]) -> tuple[ArtalkConfig, dict[str, Tensor]]:
    """The training generation (349 tensors at the published size; the audio encoder is not among
    them).
    """
    own = rename(tensors, _TRAINING)
    return ArtalkConfig("training", training=_training_config(own)), own


def codec_from_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A codec alone, as its own training stage stores it (names without prefix)."""
    return rename(tensors, _CODEC)


def released_to_official(
    tensors: Mapping[str, Tensor], config: ReleasedConfig
) -> dict[str, Tensor]:
    """The authors' names again, with their derived buffers."""
    official = rename(tensors, _RELEASED, back=True)
    weight = official.pop(f"{_POSITION_CONV}.weight")
    official[_POSITION_CONV + _NORM_NAMES[0][0]] = weight.pow(2).sum((0, 1), keepdim=True).sqrt()
    official[_POSITION_CONV + _NORM_NAMES[0][1]] = weight
    levels = torch.repeat_interleave(
        torch.arange(len(config.codec.patches)), torch.tensor(config.codec.patches)
    )
    closed = torch.zeros(len(levels), len(levels)).masked_fill(
        levels.unsqueeze(1) < levels, -torch.inf
    )
    past = torch.zeros(len(levels), len(levels) * config.history)
    window = torch.arange(2 * config.codec.frames) // config.codec.frames
    official["attn_bias_for_masking"] = torch.cat([past, closed], 1)[None, None]
    official["lvl_idx"] = levels[None]
    official["basic_vae.attn_mask"] = torch.zeros(len(window), len(window)).masked_fill(
        window.unsqueeze(1) < window, -torch.inf
    )[None, None]
    return official


def training_to_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' names again."""
    return rename(tensors, _TRAINING, back=True)


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.split(".")[prefix.count(".")] for name in tensors if name.startswith(prefix)})


def _patches(tokens: int, frames: int, scales: int) -> tuple[int, ...]:
    for known in ((1, 5, 25, 50, 100), (1, 10, 20, 50, 100)):
        if (sum(known), known[-1], len(known)) == (tokens, frames, scales):
            return known
    raise CheckpointError(
        f"no known schedule of {scales} scales with {tokens} tokens and {frames} frames; give the"
        " configuration by hand"
    )


def _codec_config(
    tensors: Mapping[str, Tensor], heads: int, base: CodecConfig, patches: tuple[int, ...]
) -> CodecConfig:
    hidden, dim = tensors["codec.encoder.entry.weight"].shape
    bits, depth = (
        tensors["codec.encoder.exit.weight"].shape[0],
        _count(tensors, "codec.encoder.layers."),
    )
    return CodecConfig(
        dim,
        bits,
        hidden,
        depth,
        heads,
        patches,
        base.windows,
        base.rotary,
        base.full_width_scale,
        base.deviation_floor,
    )


def _codec_heads(hidden: int) -> int:
    return 8 if hidden >= 256 else 4


def _released_config(own: Mapping[str, Tensor]) -> ReleasedConfig:
    frames, tokens = own["codec.encoder_position"].shape[1] // 2, own["position"].shape[1]
    width = own["position"].shape[2]
    patches = _patches(tokens, frames, own["level.weight"].shape[0])
    style_width = own["style_encoder.entry.weight"].shape[0]
    return ReleasedConfig(
        codec=_codec_config(
            own, _codec_heads(own["codec.encoder.entry.weight"].shape[0]), CodecConfig(), patches
        ),
        audio=_audio_config(own),
        width=width,
        depth=_count(own, "layers."),
        heads=own["layers.0.attention.log_scale"].shape[1],
        history=own["history_position"].shape[1] // tokens,
        style_width=style_width,
        style_depth=_count(own, "style_encoder.transformer.layers."),
        style_heads=4,
        style_inner=own["style_encoder.transformer.layers.0.linear1.weight"].shape[0],
    )


def _audio_config(own: Mapping[str, Tensor]) -> Wav2Vec2Config:
    prefix = "audio_encoder."
    position = own[f"{prefix}encoder.pos_conv_embed.conv.weight"]
    hidden = position.shape[0]
    return Wav2Vec2Config(
        hidden=hidden,
        layers=_count(own, f"{prefix}encoder.layers."),
        heads=max(2, hidden // 64),
        inner=own[f"{prefix}encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
        conv_widths=tuple(
            own[f"{prefix}feature_extractor.conv_layers.{i}.conv.weight"].shape[0] for i in range(7)
        ),
        position_taps=position.shape[2],
        position_groups=hidden // position.shape[1],
    )


def _training_config(own: Mapping[str, Tensor]) -> TrainingConfig:
    base = TrainingConfig()
    width, audio_dim = own["start"].shape[-1], own["audio_offset"].shape[-1]
    codec = _codec_config(
        own,
        _codec_heads(own["codec.encoder.entry.weight"].shape[0]),
        base.codec,
        base.codec.patches,
    )
    return TrainingConfig(
        codec=codec,
        audio=None,
        audio_dim=audio_dim,
        width=width,
        depth=_count(own, "layers."),
        heads=8 if width >= 256 else 4,
    )
