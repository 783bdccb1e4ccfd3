"""Reference tensors of the published code: the whole set where it lies beside the repository, else
the compact subset."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from motet.checkpoint import load_strict
from motet.methods.speech2lip.composition import Scene
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.geometry import tracker_pose
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Box
from motet.methods.speech2lip.state_dict import own_name, sync_from_official
from motet.methods.speech2lip.sync.model import SyncExpert

ROOT = Path(__file__).resolve().parents[3]
COMPACT = Path(__file__).parent / "fixtures"


def folder_with(name: str) -> Path:
    full = Path(os.environ.get("MOTET_PARITY", ROOT.parent / "shared" / "parity")) / "speech2lip"
    for folder in (full, COMPACT):
        if (folder / name).exists():
            return folder
    pytest.skip(f"{name} is only in the full set; point MOTET_PARITY to it")


@functools.cache
def tensors(name: str) -> dict[str, Tensor]:
    """One file; halves as floats, pictures stored as bytes (names ending in _u8, which is taken
    off) as 0..1."""
    found = load_file(folder_with(f"{name}.safetensors") / f"{name}.safetensors")
    plain = {}
    for key, value in found.items():
        if value.dtype == torch.uint8:
            plain[key.removesuffix("_u8")] = value.float() / 255
        else:
            plain[key] = value.float() if value.dtype == torch.float16 else value
    return plain


@functools.cache
def facts(name: str) -> dict[str, Any]:
    return json.loads((folder_with(f"{name}.json") / f"{name}.json").read_text())


def parameters() -> dict[str, Any]:
    return facts("meta")["params"]


@functools.cache
def weights() -> dict[str, Tensor]:
    return load_file(folder_with("weights.safetensors") / "weights.safetensors")


def published_config() -> Speech2LipConfig:
    size = parameters()
    lip = dataclasses.replace(PRESETS["published"].lip, width=size["lw"], height=size["lh"])
    return dataclasses.replace(
        PRESETS["published"], lip=lip, canonical_depth=(size["H"], size["W"])
    )


def model() -> Speech2LipModel:
    """A fresh model with the set's weights, for speaking."""
    made = Speech2LipModel(published_config())
    own = {
        own_name(name): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in weights().items()
        if own_name(name)
    }
    if not any(name.startswith("blend.") for name in own):
        # The compact subset leaves Blend-Net out; what needs it is in files that it leaves out as
        # well.
        own |= {
            name: tensor for name, tensor in made.state_dict().items() if name.startswith("blend.")
        }
    load_strict(made, own)
    return made.eval()


def has(name: str, tensor: str) -> Tensor:
    """A tensor that the compact subset leaves out."""
    if tensor not in tensors(name):
        pytest.skip(f"{tensor} is only in the full set; point MOTET_PARITY to it")
    return tensors(name)[tensor]


def expert() -> SyncExpert:
    config, weights = sync_from_official(
        load_file(folder_with("syncnet_tiny.safetensors") / "syncnet_tiny.safetensors"),
        parameters()["fmin"],
    )
    made = SyncExpert(config)
    load_strict(made, weights)
    return made.eval()


def first(picture: Tensor) -> Tensor:
    """Channels last to channels first."""
    return picture.movedim(-1, -3)


def scene() -> Scene:
    size, geometry = parameters(), tensors("b_gamem")
    box = Box(size["lx"], size["ly"], size["lw"], size["lh"])
    return Scene(first(geometry["face_can"]), first(geometry["face_obs"]), geometry["coords"], box)


def poses() -> tuple[Tensor, Tensor]:
    geometry = tensors("b_gamem")
    return tracker_pose(geometry["can_euler"], geometry["can_trans"]), tracker_pose(
        geometry["obs_euler"], geometry["obs_trans"]
    )


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-4) -> None:
    """Within tolerance * (1 + largest number of the reference)."""
    found = found.detach()
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst, allowed = (
        float((found - wanted).abs().max()),
        tolerance * (1 + float(wanted.abs().max())),
    )
    assert worst <= allowed, (worst, allowed)


__all__ = [
    "close",
    "dataclasses",
    "expert",
    "facts",
    "first",
    "has",
    "model",
    "parameters",
    "poses",
    "published_config",
    "scene",
    "tensors",
    "weights",
]
