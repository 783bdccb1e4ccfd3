"""MOSPA sets, and the rules by which their large inputs are made instead of stored."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.state_dict import MOTION_DIM, from_official
from tests.parity.fixture_set import FixtureSet, numbers_in

SET = FixtureSet("mospa")
path_of, tensors, facts = SET.path, SET.tensors, SET.facts


def official_model(**changes: JsonValue) -> MospaModel:
    """The tiny denoiser of the set, with other options of its training."""
    options = {**facts("denoiser_weights")["options"], **changes}
    weights = dict(tensors("denoiser_weights"))
    imported = from_official([{"state_dict": weights, "config": {"model": options}}])
    assert imported.config.audio_dim == options["audio_dim"]
    model = MospaModel(imported.config)
    load_strict(model, imported.tensors)
    return model.eval()


def seeds_in(rule: str) -> list[int]:
    """Seeds of the generators that a rule names, in their order."""
    return [int(part.partition(")")[0]) for part in rule.split("RandomState(")[1:]]


def shape_in(rule: str, name: str) -> tuple[int, ...]:
    """The shape that a rule gives an input: `audio (1,240,40)`."""
    return numbers_in(rule, rf"\b{name} \(([\d,]+)\)")


def rule_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Weights by the rule of the set, under official names in their sorted order."""
    random, made = np.random.RandomState(seed), {}
    for name in sorted(shapes):
        values = random.standard_normal(shapes[name]).astype(np.float32) * np.float32(0.05)
        made[name] = torch.from_numpy(
            values + 1 if "norm" in name and name.endswith("weight") else values
        )
    return made


def published_shapes(config: MospaConfig) -> dict[str, tuple[int, ...]]:
    """Official names and shapes of a denoiser of that size."""
    width, inner = config.width, config.inner
    shapes = {
        "embed_timestep.time_embed.0.weight": (width, width), "embed_timestep.time_embed.0.bias": (width,),
        "embed_timestep.time_embed.2.weight": (width, width), "embed_timestep.time_embed.2.bias": (width,),
        "embed_audio.audioEmbedding.0.weight": (config.audio_inner, config.audio_dim), "embed_audio.audioEmbedding.0.bias": (config.audio_inner,),
        "embed_audio.audioEmbedding.2.weight": (width, config.audio_inner), "embed_audio.audioEmbedding.2.bias": (width,),
        "embed_motion.poseEmbedding.weight": (width, MOTION_DIM), "embed_motion.poseEmbedding.bias": (width,),
        "embed_ss.ssEmbedding.weight": (width, 3), "embed_ss.ssEmbedding.bias": (width,),
        "embed_state.state_embed": (3, width),
        "output_process.poseFinal.weight": (MOTION_DIM, width), "output_process.poseFinal.bias": (MOTION_DIM,),
    }  # fmt: skip
    for layer in range(config.layers):
        shapes |= {
            f"seqEncoder.layers.{layer}.{name}": shape
            for name, shape in {
                "self_attn.in_proj_weight": (3 * width, width), "self_attn.in_proj_bias": (3 * width,),
                "self_attn.out_proj.weight": (width, width), "self_attn.out_proj.bias": (width,),
                "linear1.weight": (inner, width), "linear1.bias": (inner,), "linear2.weight": (width, inner), "linear2.bias": (width,),
                "norm1.weight": (width,), "norm1.bias": (width,), "norm2.weight": (width,), "norm2.bias": (width,),
            }.items()
        }  # fmt: skip
    return shapes


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> None:
    """Absolute for values of order one, relative to the largest where that is above one."""
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst, scale = (
        float((found.detach().double() - wanted.double()).abs().max()),
        max(1.0, float(wanted.abs().max())),
    )
    assert worst <= tolerance * scale, (worst, scale)
