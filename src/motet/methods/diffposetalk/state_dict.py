"""The authors' checkpoints under our names: denoiser, style encoder and statistics, of newer and
older layouts.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from motet.diffusion.schedule import make_schedule
from motet.errors import CheckpointError
from motet.methods.diffposetalk.config import (
    DenoiserConfig,
    DiffPoseTalkConfig,
    DiffusionConfig,
    LossConfig,
    StyleConfig,
    TrunkConfig,
)

_GAIN, _DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
_BUFFERS = (
    "denoising_net.TE.pe",
    "denoising_net.PE.pe",
    "denoising_net.alignment_mask",
    "diffusion_sched.",
)
_OLDER = {
    "use_alignment_mask": ("align_mask_width", int),
    "predict_head_pose": ("no_head_pose", None),
    "use_learnable_pe": ("no_use_learnable_pe", None),
}


def from_official(found: Mapping[str, Any]) -> tuple[DiffPoseTalkConfig, dict[str, Tensor]]:
    """Configuration and tensors from the authors' files.

    Args:
        found: the denoiser's file; or under `files` it together with the style encoder's file and
            the statistics (`stats_train.npz`), in any order. Without statistics the tensors say so,
            and the method refuses to run on them.

    Raises:
        CheckpointError: no denoiser among them, or a part that does not fit.
    """
    files = found.get("files", [found])
    denoiser = _one(files, "model", "denoiser")
    style = _one(files, "encoder", "style encoder", needed=False)
    statistics = _one(files, "exp_mean", "statistics", needed=False)
    options = modern_options(denoiser.get("args", {}))
    tensors = {_modern_name(name): tensor for name, tensor in denoiser["model"].items()}
    config = _config(
        options, tensors, None if style is None else modern_options(style.get("args", {}))
    )
    _check_tables(tensors, config)
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(_BUFFERS)}
    if style is not None:
        own |= {f"style_encoder.{name}": tensor for name, tensor in style["encoder"].items()}
    return config, {**own, **_statistics(statistics, config)}


def modern_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a checkpoint under their newest names."""
    new = dict(options)
    for old, (name, kind) in _OLDER.items():
        if old in new:
            value = new.pop(old)
            new.setdefault(name, kind(value) if kind else not value)
    return new


def _one(
    files: Sequence[Mapping[str, Any]], key: str, what: str, needed: bool = True
) -> Mapping[str, Any] | None:
    having = [file for file in files if key in file]
    if len(having) > 1:
        raise CheckpointError(f"{len(having)} files hold a {what}; give one")
    if not having and needed:
        raise CheckpointError(f"not a DiffPoseTalk checkpoint: no {what} (entry {key!r}) in it")
    return having[0] if having else None


def _modern_name(name: str) -> str:
    return name.replace("pos_conv_embed.conv.weight_g", f"pos_conv_embed.conv.{_GAIN}").replace(
        "pos_conv_embed.conv.weight_v", f"pos_conv_embed.conv.{_DIRECTION}"
    )


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    return 1 + max(
        (int(match[1]) for name in tensors if (match := re.match(pattern, name))), default=-1
    )


def _config(
    options: Mapping[str, Any], tensors: Mapping[str, Tensor], style: Mapping[str, Any] | None
) -> DiffPoseTalkConfig:
    """Sizes from the tensors themselves, everything else from the options."""
    try:
        width, dim = (
            tensors["denoising_net.person_proj.weight"].shape[0],
            tensors["start_motion_feat"].shape[2],
        )
        style_dim = tensors["denoising_net.person_proj.weight"].shape[1] - 100
        trunk = _trunk(tensors, options)
        if (
            options.get("architecture", "decoder") != "decoder"
            or options.get("rot_repr", "aa") != "aa"
        ):
            raise CheckpointError(
                f"architecture {options.get('architecture')!r} with rotations"
                f" {options.get('rot_repr')!r} is not known; decoder with aa is"
            )
        denoiser = DenoiserConfig(
            width,
            _count(tensors, r"denoising_net\.transformer\.layers\.(\d+)\."),
            _option(options, "n_heads", 8),
            tensors["denoising_net.transformer.layers.0.linear1.weight"].shape[0] // width,
            window=_option(options, "n_motions", 100),
            context=tensors["start_motion_feat"].shape[1],
            mask_width=max(0, _option(options, "align_mask_width", 1)),
            learned_positions="denoising_net.PE" in tensors,
            indicator=tensors["denoising_net.feature_proj.weight"].shape[1] > dim,
        )
    except KeyError as error:
        raise CheckpointError(f"the denoiser's file lacks {error.args[0]}") from error
    guided = tuple(name for name in ("audio", "style") if f"null_{name}_feat" in tensors)
    return DiffPoseTalkConfig(
        "flame",
        dim == 54,
        "wav2vec2" if options.get("audio_model") == "wav2vec2" else "hubert",
        trunk,
        trunk.hidden,
        float(_option(options, "fps", 25)),
        100,
        style_dim,
        None if style is None else _style_config(style, style_dim),
        denoiser,
        DiffusionConfig(
            _option(options, "n_diff_steps", 500),
            _option(options, "diff_schedule", "cosine"),
            _option(options, "target", "sample"),
            guided,
            _option(options, "cfg_mode", "incremental"),
        ),
        _loss_config(options),
    )


def _option(options: Mapping[str, Any], name: str, default: Any) -> Any:
    value = options.get(name)
    return default if value is None else value


def _trunk(tensors: Mapping[str, Tensor], options: Mapping[str, Any]) -> TrunkConfig:
    prefix, hidden = "audio_encoder.", tensors["audio_feature_map.weight"].shape[1]
    direction = tensors[f"{prefix}encoder.pos_conv_embed.conv.{_DIRECTION}"]
    known = TrunkConfig()
    # The number of heads is no tensor's size; the trainers only ever used heads of 64, tiny test
    # models 8.
    heads = hidden // 64 if hidden % 64 == 0 else _option(options, "n_heads", 4)
    return TrunkConfig(
        hidden,
        _count(tensors, r"audio_encoder\.encoder\.layers\.(\d+)\."),
        heads,
        tensors[f"{prefix}encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
        tuple(
            tensors[f"{prefix}feature_extractor.conv_layers.{place}.conv.weight"].shape[0]
            for place in range(len(known.conv_widths))
        ),
        direction.shape[2],
        hidden // direction.shape[1],
    )


def _style_config(options: Mapping[str, Any], width: int) -> StyleConfig:
    return StyleConfig(
        width,
        _option(options, "n_layers", 4),
        _option(options, "n_heads", 4),
        _option(options, "mlp_ratio", 4),
        frames=_option(options, "n_motions", 100),
        temperature=_option(options, "temperature", 0.1),
    )


def _loss_config(options: Mapping[str, Any]) -> LossConfig:
    terms = ("vert", "vel", "smooth", "head_angle", "head_vel", "head_smooth", "head_trans")
    weights = {
        name: float(options[f"l_{name}"]) for name in terms if options.get(f"l_{name}") is not None
    }
    return dataclasses.replace(
        LossConfig(),
        criterion=_option(options, "criterion", "l2"),
        padding=_option(options, "pad_mode", "zero"),
        constrain_previous=not _option(options, "no_constrain_prev", False),
        hear_both=bool(_option(options, "use_context_audio_feat", False)),
        truncate=(_option(options, "trunc_prob1", 0.3), _option(options, "trunc_prob2", 0.4)),
        **weights,
    )


def _check_tables(tensors: Mapping[str, Tensor], config: DiffPoseTalkConfig) -> None:
    """The stored noise tables must be those that the options name."""
    stored = tensors.get("diffusion_sched.alpha_bars")
    if stored is None:
        return
    own = make_schedule(config.diffusion.schedule, config.diffusion.steps).alpha_bars.float()
    if stored.shape != own.shape or float((stored - own).abs().max()) > 1e-4:
        raise CheckpointError(
            f"the stored noise table is not the {config.diffusion.schedule} schedule of"
            f" {config.diffusion.steps} steps that the options name"
        )


def _statistics(found: Mapping[str, Any] | None, config: DiffPoseTalkConfig) -> dict[str, Tensor]:
    names = ("motion_mean", "motion_std", "shape_mean", "shape_std")
    sizes = (56, 56, config.shape_dim, config.shape_dim)
    if found is None:
        blank = {
            f"coefficients.{name}": (torch.ones if name.endswith("std") else torch.zeros)(size)
            for name, size in zip(names, sizes, strict=True)
        }
        return {**blank, "coefficients.known": torch.zeros(1)}
    part = {
        key: torch.as_tensor(found[key]).float()
        for kind in ("mean", "std")
        for key in (f"exp_{kind}", f"pose_{kind}", f"shape_{kind}")
        if key in found
    }
    for key, size in (
        (f"{name}_{kind}", size)
        for kind in ("mean", "std")
        for name, size in (("exp", 50), ("pose", 6), ("shape", 100))
    ):
        if key not in part or part[key].shape != (size,):
            came = tuple(part[key].shape) if key in part else "nothing"
            raise CheckpointError(
                f"the statistics need {key} of {size} numbers, there is {came}; use the"
                " stats_train.npz that belongs to the checkpoint"
                + (" (of nine pose numbers the first six)" if came == (9,) else "")
            )
    values = [
        torch.cat([part[f"exp_{kind}"], part[f"pose_{kind}"]]) for kind in ("mean", "std")
    ] + [part["shape_mean"], part["shape_std"]]
    return {
        **{f"coefficients.{name}": value for name, value in zip(names, values, strict=True)},
        "coefficients.known": torch.ones(1),
    }
