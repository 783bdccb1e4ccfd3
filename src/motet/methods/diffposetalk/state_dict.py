"""The authors' checkpoints under our names: denoiser, style encoder and statistics, of newer and
older layouts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.config import JsonValue
from motet.diffusion.schedule import make_schedule
from motet.errors import CheckpointError
from motet.imported import Imported, Official, SettingOrigin, naming_what_is_missing, resolve_config
from motet.methods.diffposetalk.config import PRESETS, DiffPoseTalkConfig, StyleConfig

_GAIN, _DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
_STATISTICS = (("exp", 50), ("pose", 6), ("shape", 100))
"""FLAME coefficients and their numbers."""
_BUFFERS = (
    "denoising_net.TE.pe",
    "denoising_net.PE.pe",
    "denoising_net.alignment_mask",
    "diffusion_sched.",
)
_NEGATED = {"predict_head_pose": "no_head_pose", "use_learnable_pe": "no_use_learnable_pe"}
"""Older options with the opposite meaning of today's."""
_TRUNK = "audio_encoder."
_OPTIONS = {
    "n_heads": "denoiser.heads",
    "n_motions": "denoiser.window",
    "fps": "fps",
    "n_diff_steps": "diffusion.steps",
    "diff_schedule": "diffusion.schedule",
    "target": "diffusion.target",
    "cfg_mode": "diffusion.dropping",
    "criterion": "loss.criterion",
    "pad_mode": "loss.padding",
    "use_context_audio_feat": "loss.hear_both",
    "l_vert": "loss.vert",
    "l_vel": "loss.vel",
    "l_smooth": "loss.smooth",
    "l_head_angle": "loss.head_angle",
    "l_head_vel": "loss.head_vel",
    "l_head_smooth": "loss.head_smooth",
    "l_head_trans": "loss.head_trans",
}
_STYLE_OPTIONS = {
    "n_heads": "style.heads",
    "n_motions": "style.frames",
    "temperature": "style.temperature",
}


def from_official(
    files: Sequence[Official], overrides: Mapping[str, JsonValue] | None = None
) -> Imported[DiffPoseTalkConfig]:
    """Weights from the authors' files.

    Args:
        files: the denoiser's file, and in any order the style encoder's file and the statistics
            (`stats_train.npz`). Without statistics the tensors are marked so, and the method
            refuses to run on them.
        overrides: settings by hand, nested as in `DiffPoseTalkConfig`.

    Raises:
        CheckpointError: no denoiser among them, or a part that does not fit.
        ConfigError: `overrides` is unknown or contradicts a tensor.
    """
    denoiser = _one(files, "model", "denoiser")
    if denoiser is None:
        raise CheckpointError("not a DiffPoseTalk checkpoint: no denoiser (entry 'model') in it")
    style, statistics = _one(files, "encoder", "style encoder"), _one(files, "exp_mean", "stats")
    tensors = {_modern_name(name): tensor for name, tensor in _tensors(denoiser["model"]).items()}
    encoder = {} if style is None else _tensors(style["encoder"])
    options = modern_options(denoiser.get("args"))
    style_options = None if style is None else modern_options(style.get("args"))
    config, origins = _config(tensors, options, style_options, encoder, overrides)
    _check_tables(tensors, config)
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(_BUFFERS)}
    own |= {f"style_encoder.{name}": tensor for name, tensor in encoder.items()}
    return Imported(config, {**own, **_statistics(statistics, config)}, origins)


def modern_options(options: Tensor | JsonValue | Official) -> dict[str, JsonValue]:
    """The options of a checkpoint under their newest names."""
    if not isinstance(options, Mapping):
        return {}
    new = {name: value for name, value in options.items() if not isinstance(value, Tensor)}
    if "use_alignment_mask" in new:
        # Older checkpoints know only whether there was a mask; its width was 1.
        new.setdefault("align_mask_width", int(bool(new.pop("use_alignment_mask"))))
    for old, name in _NEGATED.items():
        if old in new:
            new.setdefault(name, not new.pop(old))
    return {name: value for name, value in new.items() if value is not None}


def _one(files: Sequence[Official], key: str, what: str) -> Official | None:
    having = [file for file in files if key in file]
    if len(having) > 1:
        raise CheckpointError(f"{len(having)} files hold a {what}; give one")
    return having[0] if having else None


def _tensors(entry: Tensor | JsonValue | Official) -> dict[str, Tensor]:
    if not isinstance(entry, Mapping):
        raise CheckpointError("the checkpoint holds something else where its tensors should be")
    return {name: value for name, value in entry.items() if isinstance(value, Tensor)}


def _modern_name(name: str) -> str:
    # PyTorch renamed the two parts of a weight-normalised convolution.
    return name.replace("pos_conv_embed.conv.weight_g", f"pos_conv_embed.conv.{_GAIN}").replace(
        "pos_conv_embed.conv.weight_v", f"pos_conv_embed.conv.{_DIRECTION}"
    )


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Entries of a numbered list."""
    return len({n.removeprefix(prefix).partition(".")[0] for n in tensors if n.startswith(prefix)})


def _config(
    tensors: Mapping[str, Tensor],
    options: Mapping[str, JsonValue],
    style_options: Mapping[str, JsonValue] | None,
    encoder: Mapping[str, Tensor],
    overrides: Mapping[str, JsonValue] | None,
) -> tuple[DiffPoseTalkConfig, tuple[SettingOrigin, ...]]:
    for name, only in (("architecture", "decoder"), ("rot_repr", "aa")):
        if options.get(name, only) != only:
            raise CheckpointError(f"{name} {options[name]!r} is not known; {only} is")
    with naming_what_is_missing():
        # What shapes prove wins over what options state.
        sizes = _sizes(tensors)
        if style_options is not None:
            sizes |= _style_sizes(encoder)
    stored = _stored(options, _OPTIONS) | _guidance(options)
    heads = {"denoiser.heads": "denoiser.width", "trunk.heads": "trunk.hidden"}
    style = None
    if style_options is not None:
        # Heads divide the width in any way: no tensor shows their number.
        stored |= _stored(style_options, _STYLE_OPTIONS)
        heads["style.heads"] = "style.width"
        style = StyleConfig()
    return resolve_config(
        dataclasses.replace(PRESETS["published"], style=style),
        sizes,
        {name: value for name, value in stored.items() if name not in sizes},
        overrides,
        {name: width for name, of in heads.items() if isinstance(width := sizes[of], int)},
    )


def _sizes(tensors: Mapping[str, Tensor]) -> dict[str, JsonValue]:
    """Settings that shapes prove."""
    layers = "denoising_net.transformer.layers."
    width, person = tensors["denoising_net.person_proj.weight"].shape
    _, context, motion = tensors["start_motion_feat"].shape
    guided = [name for name in ("audio", "style") if f"null_{name}_feat" in tensors]
    trunk = _trunk_sizes(tensors)
    return {
        "head": motion == 54,  # 50 expression, 3 head, 1 jaw
        "audio_dim": trunk["hidden"],
        "style_dim": person - PRESETS["published"].shape_dim,
        **{f"trunk.{name}": size for name, size in trunk.items()},
        "denoiser.width": width,
        "denoiser.layers": _count(tensors, layers),
        "denoiser.expansion": tensors[f"{layers}0.linear1.weight"].shape[0] // width,
        "denoiser.context": context,
        "denoiser.learned_positions": "denoising_net.PE" in tensors,
        "denoiser.indicator": tensors["denoising_net.feature_proj.weight"].shape[1] > motion,
        "diffusion.guided": guided,
    }


def _trunk_sizes(tensors: Mapping[str, Tensor]) -> dict[str, JsonValue]:
    """Sizes of the speech encoder; its heads are in no tensor."""
    position = tensors[f"{_TRUNK}encoder.pos_conv_embed.conv.{_DIRECTION}"]
    hidden, in_group, taps = position.shape
    convolutions = f"{_TRUNK}feature_extractor.conv_layers."
    return {
        "hidden": hidden,
        "layers": _count(tensors, f"{_TRUNK}encoder.layers."),
        "inner": tensors[f"{_TRUNK}encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[
            0
        ],
        "conv_widths": [
            tensors[f"{convolutions}{n}.conv.weight"].shape[0]
            for n in range(_count(tensors, convolutions))
        ],
        "position_taps": taps,
        "position_groups": hidden // in_group,
    }


def _style_sizes(encoder: Mapping[str, Tensor]) -> dict[str, JsonValue]:
    layers = "transformer.layers."
    width = encoder["motion_proj.weight"].shape[0]
    return {
        "style.width": width,
        "style.layers": _count(encoder, layers),
        "style.expansion": encoder[f"{layers}0.linear1.weight"].shape[0] // width,
    }


def _stored(options: Mapping[str, JsonValue], names: Mapping[str, str]) -> dict[str, JsonValue]:
    return {own: options[name] for name, own in names.items() if name in options}


def _guidance(options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Options whose values need more than another name."""
    published = PRESETS["published"].loss.truncate
    guidance: dict[str, JsonValue] = {}
    if "audio_model" in options:
        guidance["front"] = "wav2vec2" if options["audio_model"] == "wav2vec2" else "hubert"
    if isinstance(width := options.get("align_mask_width"), int):
        guidance["denoiser.mask_width"] = max(0, width)
    if "no_constrain_prev" in options:
        guidance["loss.constrain_previous"] = not options["no_constrain_prev"]
    if {"trunc_prob1", "trunc_prob2"} & options.keys():
        guidance["loss.truncate"] = [
            options.get("trunc_prob1", published[0]),
            options.get("trunc_prob2", published[1]),
        ]
    return guidance


def _check_tables(tensors: Mapping[str, Tensor], config: DiffPoseTalkConfig) -> None:
    """The stored noise tables must be those that the options name."""
    stored = tensors.get("diffusion_sched.alpha_bars")
    if stored is None:
        return
    own = make_schedule(config.diffusion.schedule, config.diffusion.steps).alpha_bars.float()
    # Both are float32 sums of many terms; 1e-4 separates rounding from another schedule.
    if stored.shape != own.shape or float((stored - own).abs().max()) > 1e-4:
        raise CheckpointError(
            f"the stored noise table is not the {config.diffusion.schedule} schedule of"
            f" {config.diffusion.steps} steps that the options name"
        )


def _statistics(official: Official | None, config: DiffPoseTalkConfig) -> dict[str, Tensor]:
    """Means and deviations of motion and shape; `known` is 1 if there were any."""
    motion = sum(size for name, size in _STATISTICS if name != "shape")
    if official is None:
        part = {
            f"{name}_{kind}": (torch.ones if kind == "std" else torch.zeros)(size)
            for name, size in (("motion", motion), ("shape", config.shape_dim))
            for kind in ("mean", "std")
        }
        known = 0.0
    else:
        stored = {key: _statistic(official, key, size) for key, size in _statistic_sizes()}
        part = {f"shape_{kind}": stored[f"shape_{kind}"] for kind in ("mean", "std")}
        for kind in ("mean", "std"):
            part[f"motion_{kind}"] = torch.cat([stored[f"exp_{kind}"], stored[f"pose_{kind}"]])
        known = 1.0
    own = {f"coefficients.{name}": value for name, value in part.items()}
    return {**own, "coefficients.known": torch.full((1,), known)}


def _statistic_sizes() -> list[tuple[str, int]]:
    return [(f"{name}_{kind}", size) for kind in ("mean", "std") for name, size in _STATISTICS]


def _statistic(official: Official, key: str, size: int) -> Tensor:
    value = official.get(key)
    if isinstance(value, Tensor) and value.shape == (size,):
        return value.float()
    shape = tuple(value.shape) if isinstance(value, Tensor) else "nothing"
    hint = " (of nine pose numbers the first six)" if shape == (9,) else ""
    raise CheckpointError(
        f"the statistics need {key} of {size} numbers, there is {shape}; use the stats_train.npz"
        f" that belongs to the checkpoint{hint}"
    )
