"""Reference tensors of the published code: the whole set where it lies beside the repository, else
the compact subset."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from motet.checkpoint import load_strict
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.state_dict import from_official

ROOT = Path(__file__).resolve().parents[3]
COMPACT = Path(__file__).parent / "fixtures"
OPTIONS = {
    "num_heads": 4,
    "dropout": 0.2,
    "arch": "trans_enc",
    "cond_mask_prob": 0.1,
    "diffusion_steps": 1000,
}


def path_of(name: str) -> Path:
    full = Path(os.environ.get("MOTET_PARITY", ROOT.parent / "shared" / "parity")) / "mospa"
    for folder in (full, COMPACT):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"{name} is only in the full set; point MOTET_PARITY to it")


@functools.cache
def tensors(name: str) -> dict[str, Tensor]:
    return load_file(path_of(f"{name}.safetensors"))


@functools.cache
def facts(name: str) -> dict[str, Any]:
    return json.loads(path_of(f"{name}.json").read_text())


def official_model(**changes: Any) -> MospaModel:
    """The tiny denoiser of the set."""
    config, own = from_official(
        {"state_dict": tensors("denoiser_weights"), "config": {"model": {**OPTIONS, **changes}}}
    )
    model = MospaModel(config)
    load_strict(model, own)
    return model.eval()


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
        "embed_audio.audioEmbedding.0.weight": (1024, config.audio_dim), "embed_audio.audioEmbedding.0.bias": (1024,),
        "embed_audio.audioEmbedding.2.weight": (width, 1024), "embed_audio.audioEmbedding.2.bias": (width,),
        "embed_motion.poseEmbedding.weight": (width, 300), "embed_motion.poseEmbedding.bias": (width,),
        "embed_ss.ssEmbedding.weight": (width, 3), "embed_ss.ssEmbedding.bias": (width,),
        "embed_state.state_embed": (3, width),
        "output_process.poseFinal.weight": (300, width), "output_process.poseFinal.bias": (300,),
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
