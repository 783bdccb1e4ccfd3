"""DiffPoseTalk sets: configurations from the options in their descriptions."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.methods.diffposetalk.config import (
    DenoiserConfig,
    DiffPoseTalkConfig,
    DiffusionConfig,
    LossConfig,
    StyleConfig,
    TrunkConfig,
)
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.rigs.flame import Flame, flame_from_tables
from tests.parity.fixture_set import FixtureSet, numbers_in

SET = FixtureSet("diffposetalk")
path_of, tensors, facts = SET.path, SET.tensors, SET.facts


def trunk_config(name: str = "model_head") -> TrunkConfig:
    """The speech encoder of a set."""
    sizes = facts(name)["transformers_config"]
    return TrunkConfig(
        sizes["hidden_size"],
        sizes["num_hidden_layers"],
        sizes["num_attention_heads"],
        sizes["intermediate_size"],
        tuple(sizes["conv_dim"]),
        sizes["num_conv_pos_embeddings"],
        sizes["num_conv_pos_embedding_groups"],
    )


def options_of(name: str = "model_head", **changes: JsonValue) -> dict:
    """The official options of a file."""
    return {**facts(name)["options"], **changes}


def config_of(options: Mapping, style: StyleConfig | None = None) -> DiffPoseTalkConfig:
    """The configuration that official options describe."""
    trunk, guided = trunk_config(), options["guiding_conditions"] or ""
    return DiffPoseTalkConfig(
        "flame",
        not options["no_head_pose"],
        options["audio_model"],
        trunk,
        trunk.hidden,
        float(options["fps"]),
        len(tensors("losses")["stats.shape_mean"]),
        options["d_style"] if options["style_enc_ckpt"] else 0,
        style,
        DenoiserConfig(
            options["feature_dim"],
            options["n_layers"],
            options["n_heads"],
            options["mlp_ratio"],
            window=options["n_motions"],
            context=options["n_prev_motions"],
            mask_width=options["align_mask_width"],
            learned_positions=not options["no_use_learnable_pe"],
            indicator=options["use_indicator"],
        ),
        DiffusionConfig(
            options["n_diff_steps"],
            options["diff_schedule"],
            options["target"],
            tuple(name for name in guided.split(",") if name),
            options["cfg_mode"],
        ),
        loss_config(options),
    )


def loss_config(options: Mapping) -> LossConfig:
    """Loss weights and training clips that official options describe."""
    terms = ("vert", "vel", "smooth", "head_angle", "head_vel", "head_smooth", "head_trans")
    return LossConfig(
        options["criterion"],
        **{name: float(options[f"l_{name}"]) for name in terms},
        constrain_previous=not options["no_constrain_prev"],
        truncate=(options["trunc_prob1"], options["trunc_prob2"]),
        padding=options["pad_mode"],
        hear_both=options["use_context_audio_feat"],
    )


def style_config(name: str) -> StyleConfig:
    """The style encoder that the options of a file describe."""
    options = facts(name)["options"]
    return StyleConfig(
        options["feature_dim"],
        options["n_layers"],
        options["n_heads"],
        options["mlp_ratio"],
        frames=options["n_motions"],
        temperature=options["temperature"],
    )


def filled(config: DiffPoseTalkConfig, *weights: Mapping[str, Tensor]) -> DiffPoseTalkModel:
    """A model with official weights; every parameter must be among them."""
    model = DiffPoseTalkModel(config)
    given = {name: tensor for part in weights for name, tensor in part.items()}
    own = model.state_dict()
    missing = [name for name, _ in model.named_parameters() if name not in given]
    assert not missing, missing
    load_strict(model, {name: given.get(name, own[name]) for name in own})
    return model.eval()


@functools.cache
def model(name: str = "model_head", **changes: JsonValue) -> DiffPoseTalkModel:
    """The model of the set under changed official options."""
    config = config_of(options_of(name, **changes))
    return with_statistics(filled(config, tensors(name)).requires_grad_(False))


def with_statistics(filled_model: DiffPoseTalkModel, name: str = "losses") -> DiffPoseTalkModel:
    """The same model with the statistics of a file."""
    found, own = tensors(name), filled_model.coefficients
    own.set(
        *(
            torch.cat([found[f"stats.exp_{kind}"], found[f"stats.pose_{kind}"]])
            for kind in ("mean", "std")
        )
    )
    own.shape_mean.copy_(found["stats.shape_mean"])
    own.shape_std.copy_(found["stats.shape_std"])
    return filled_model


@functools.cache
def rig() -> Flame:
    """The miniature head model of the set."""
    found = tensors("flame_rig")
    official = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    tables = {name: found[f"rig.{name}"].numpy() for name in official}
    return flame_from_tables({**tables, "f": found["rig.faces"].numpy()})


def mesh_copies() -> Tensor:
    """The mesh of the loss files: so many vertices, each one of the rig's."""
    (count,) = numbers_in(facts("flame_rig")["about"], r"vertex v of (\d+)")
    return torch.arange(count) % len(tensors("flame_rig")["rig.v_template"])


def head_less(values: Tensor) -> Tensor:
    """Motion without its three numbers of head rotation, which follow the expression."""
    expression = len(tensors("losses")["stats.exp_mean"])
    return torch.cat([values[..., :expression], values[..., expression + 3 :]], -1)


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> None:
    """Within an absolute tolerance, that of the set by default."""
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst = float((found.detach() - wanted).abs().max())
    assert worst <= tolerance, worst
