"""Reference tensors of the published code: the whole set where it lies beside the repository, else
the compact subset."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from motet.checkpoint import load_strict
from motet.methods.diffposetalk.config import (
    DenoiserConfig,
    DiffPoseTalkConfig,
    DiffusionConfig,
    TrunkConfig,
)
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.rigs.flame import Flame, flame_from_tables

ROOT = Path(__file__).resolve().parents[3]
COMPACT = Path(__file__).parent / "fixtures"
TINY = DiffPoseTalkConfig(
    space="flame",
    front="hubert",
    trunk=TrunkConfig(32, 3, 4, 48, (8,) * 7, 16, 4),
    audio_dim=32,
    shape_dim=100,
    style_dim=16,
    style=None,
    denoiser=DenoiserConfig(32, 2, 4, 2, 0.1, 16, 4),
    diffusion=DiffusionConfig(8),
)
"""The configuration of the set."""


def folder_with(name: str) -> Path:
    full = Path(os.environ.get("MOTET_PARITY", ROOT.parent / "shared" / "parity")) / "diffposetalk"
    for folder in (full, COMPACT):
        if (folder / name).exists():
            return folder
    pytest.skip(f"{name} is only in the full set; point MOTET_PARITY to it")


@functools.cache
def tensors(name: str) -> dict[str, Tensor]:
    return load_file(folder_with(f"{name}.safetensors") / f"{name}.safetensors")


@functools.cache
def facts(name: str) -> dict[str, Any]:
    return json.loads((folder_with(f"{name}.json") / f"{name}.json").read_text())


def filled(config: DiffPoseTalkConfig, *weights: Mapping[str, Tensor]) -> DiffPoseTalkModel:
    """A model with official weights; every parameter must be among them."""
    model = DiffPoseTalkModel(config)
    given = {name: tensor for part in weights for name, tensor in part.items()}
    own = model.state_dict()
    kept = {name: given.get(name, own[name]) for name in own}
    missing = [name for name, _ in model.named_parameters() if name not in given]
    assert not missing, missing
    load_strict(model, kept)
    return model.eval()


@functools.cache
def model(name: str = "model_head", **diffusion: Any) -> DiffPoseTalkModel:
    config = dataclasses.replace(
        TINY, head=name == "model_head", diffusion=DiffusionConfig(8, **diffusion)
    )
    return with_statistics(filled(config, tensors(name)).requires_grad_(False))


def with_statistics(filled_model: DiffPoseTalkModel) -> DiffPoseTalkModel:
    found, own = tensors("losses"), filled_model.coefficients
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
    found = tensors("flame_rig")
    names = {
        "v_template": "v_template",
        "shapedirs": "shapedirs",
        "posedirs": "posedirs",
        "J_regressor": "J_regressor",
        "weights": "weights",
        "f": "faces",
    }
    return flame_from_tables(
        {own: found[f"rig.{official}"].numpy() for own, official in names.items()}
    )


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> None:
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst = float((found.detach() - wanted).abs().max())
    assert worst <= tolerance, worst
