"""The authors' checkpoints under our names, and back. Strict: every official tensor is used and
every own one is filled.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.config import JsonValue
from motet.encoders.wav2vec2 import fold_weight_norm
from motet.errors import CheckpointError
from motet.imported import Imported, Official, naming_what_is_missing, resolve_config
from motet.methods.artalk.config import (
    ArtalkConfig,
    ReleasedConfig,
    TrainingConfig,
    Wav2Vec2Config,
)
from motet.methods.artalk.official_sizes import (
    check_schedule,
    released_sizes,
    stored_options,
    training_sizes,
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
"""Buffers of the released checkpoint that follow from its schedule: checked, not stored."""
_AUDIO = "audio_encoder."
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
    fields = match.groupdict()
    number = int(fields.get("n") or -1)
    if "even" in fields or "odd" in fields:
        listed = int(fields.get("even") or fields.get("odd") or 0)
        if listed % 2 != ("odd" in fields):
            raise CheckpointError(
                f"{match.string!r} is not at its place in the list of attention and feed-forward"
                " parts"
            )
        number = listed // 2
    return template.format(
        n=number, even=2 * number, odd=2 * number + 1, rest=fields.get("rest", "")
    )


def from_official(
    files: Sequence[Official], overrides: Mapping[str, JsonValue] | None = None
) -> Imported[ArtalkConfig]:
    """Weights of either published generation, distinguished by their names.

    Args:
        files: the released checkpoint; or a checkpoint of the training code, which holds no audio
            encoder, together with one (XLS-R 300M, or a released checkpoint that contains it).
        overrides: settings by hand, nested as in `ArtalkConfig`.

    Raises:
        CheckpointError: neither generation, a tensor too many, or files that do not fit together.
        ConfigError: `overrides` is unknown or contradicts a tensor.
    """
    states = [_state(file) for file in files]
    training = [n for n, state in enumerate(states) if "base_codec.motion_mean" in state]
    if len(training) == 1:
        rest = [state for n, state in enumerate(states) if n != training[0]]
        return _import_training(states[training[0]], files[training[0]], rest, overrides)
    if not training and len(states) == 1 and "basic_vae.motion_mean" in states[0]:
        return _import_released(states[0], overrides)
    raise CheckpointError(
        "not an ARTalk checkpoint: give one file with basic_vae.motion_mean (released), or one with"
        " base_codec.motion_mean (training code) and one with its audio encoder"
    )


def _state(file: Official) -> dict[str, Tensor]:
    inside = file.get("model", file)
    entries = inside if isinstance(inside, Mapping) else file
    state = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    if len(state) != len(entries):
        raise CheckpointError(
            "an official ARTalk checkpoint holds tensors only, this one holds other things; give"
            " the file with the weights"
        )
    return state


def _import_released(
    state: Mapping[str, Tensor], overrides: Mapping[str, JsonValue] | None
) -> Imported[ArtalkConfig]:
    """The released generation (814 tensors at the published size)."""
    own = rename(
        fold_position_norm({n: t for n, t in state.items() if n not in _DERIVED}), _RELEASED
    )
    with naming_what_is_missing():
        known, heads = released_sizes(own, state.get("lvl_idx"))
    config, origins = resolve_config(
        ArtalkConfig("released", released=ReleasedConfig()), known, None, overrides, heads
    )
    assert config.released is not None
    check_schedule(config.released, own)
    derived = derived_buffers(config.released)
    for name in _DERIVED:
        if name in state and not torch.equal(state[name].float(), derived[name].float()):
            raise CheckpointError(
                f"{name} is not what a schedule of {config.released.codec.patches} tokens gives;"
                " these weights belong to another program"
            )
    return Imported(config, own, origins)


def _import_training(
    state: Mapping[str, Tensor],
    file: Official,
    rest: Sequence[Mapping[str, Tensor]],
    overrides: Mapping[str, JsonValue] | None,
) -> Imported[ArtalkConfig]:
    """The training generation (349 tensors at the published size) and its audio encoder."""
    own = rename(state, _TRAINING)
    encoder = audio_encoder_from_official(rest) if rest else None
    with naming_what_is_missing():
        known, heads = training_sizes(own, encoder)
    published = dataclasses.replace(
        TrainingConfig(), audio=None if encoder is None else Wav2Vec2Config()
    )
    config, origins = resolve_config(
        ArtalkConfig("training", training=published),
        known,
        stored_options(file.get("meta_cfg")),
        overrides,
        heads,
    )
    assert config.training is not None
    scales, patches = own["level.weight"].shape[0], config.training.codec.patches
    if len(patches) != scales:
        raise CheckpointError(
            f"the weights have {scales} scales, training.codec.patches {patches} has"
            f" {len(patches)}; give the right ones by --config FILE.json"
        )
    if config.training.audio is not None and encoder is not None:
        if config.training.audio.hidden != config.training.audio_dim:
            raise CheckpointError(
                f"the generator expects {config.training.audio_dim} audio features, the audio"
                f" encoder gives {config.training.audio.hidden}; give the one it was trained with"
            )
        own |= {_AUDIO + name: tensor for name, tensor in encoder.items()}
    return Imported(config, own, origins)


def audio_encoder_from_official(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The one audio encoder among files, under the names of `Wav2Vec2`.

    `wav2vec2.` is the prefix of pre-training and CTC checkpoints of the transformers library,
    `audio_encoder.` that of a released ARTalk checkpoint.

    Raises:
        CheckpointError: none, or several.
    """
    probe, encoders = "feature_extractor.conv_layers.0.conv.weight", []
    for state in states:
        for prefix in ("", "wav2vec2.", _AUDIO):
            if prefix + probe in state:
                named = {
                    n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)
                }
                encoders.append(fold_position_norm(named, _POSITION_CONV.removeprefix(_AUDIO)))
    if len(encoders) != 1 or len(states) != 1:
        raise CheckpointError(
            f"{len(states)} files with {len(encoders)} audio encoders beside the generator; give"
            " one file of wav2vec2 weights (XLS-R 300M in the authors' recipe)"
        )
    (encoder,) = encoders
    # Only pre-training uses the mask vector; some files leave it out.
    hidden = encoder["encoder.layer_norm.weight"].shape[0]
    encoder.setdefault("masked_spec_embed", torch.zeros(hidden))
    return encoder


def fold_position_norm(
    state: Mapping[str, Tensor], conv: str = _POSITION_CONV
) -> dict[str, Tensor]:
    """The plain weight of the positional convolution, from either naming of its weight norm."""
    folded = dict(state)
    for magnitude, direction in _NORM_NAMES:
        if conv + magnitude in folded and conv + direction in folded:
            folded[f"{conv}.weight"] = fold_weight_norm(
                folded.pop(conv + magnitude).float(), folded.pop(conv + direction).float()
            )
    return folded


def codec_from_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A codec alone, as its own training stage stores it (names without prefix)."""
    return rename(tensors, _CODEC)


def released_to_official(
    tensors: Mapping[str, Tensor], config: ReleasedConfig
) -> dict[str, Tensor]:
    """Back to the authors' names, with their derived buffers."""
    official = rename(tensors, _RELEASED, back=True)
    weight = official.pop(f"{_POSITION_CONV}.weight")
    official[_POSITION_CONV + _NORM_NAMES[0][0]] = weight.pow(2).sum((0, 1), keepdim=True).sqrt()
    official[_POSITION_CONV + _NORM_NAMES[0][1]] = weight
    return {**official, **derived_buffers(config)}


def derived_buffers(config: ReleasedConfig) -> dict[str, Tensor]:
    """Buffers of the released checkpoint that follow from its schedule."""
    codec = config.codec
    levels = torch.repeat_interleave(torch.arange(len(codec.patches)), torch.tensor(codec.patches))
    past = torch.zeros(len(levels), len(levels) * config.history)
    window = torch.arange(2 * codec.frames) // codec.frames
    return {
        "attn_bias_for_masking": torch.cat([past, _causal(levels)], 1)[None, None],
        "lvl_idx": levels[None],
        "basic_vae.attn_mask": _causal(window)[None, None],
    }


def _causal(groups: Tensor) -> Tensor:
    """Additive mask (rows, columns): a row attends to its own and earlier groups."""
    return torch.zeros(len(groups), len(groups)).masked_fill(
        groups.unsqueeze(1) < groups, -torch.inf
    )


def training_to_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Back to the authors' names."""
    return rename(tensors, _TRAINING, back=True)
