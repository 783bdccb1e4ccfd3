"""Speech2Lip sets: sizes and poses from `meta.json`."""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.methods.speech2lip.composition import Scene
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.geometry import tracker_pose
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Box
from motet.methods.speech2lip.state_dict import (
    from_official,
    own_name,
    sync_from_official,
)
from motet.methods.speech2lip.sync.model import SyncExpert
from tests.parity.fixture_set import FixtureSet

SET = FixtureSet("speech2lip")
facts = SET.facts


class Pictures:
    """One file: halves as floats, pictures stored as bytes (names ending in _u8, which is taken
    off) as 0..1."""

    def __init__(self, name: str) -> None:
        self._stored = SET.tensors(name)

    def __getitem__(self, key: str) -> Tensor:
        if f"{key}_u8" in self._stored:
            return self._stored[f"{key}_u8"].float() / 255
        value = self._stored[key]
        return value.float() if value.dtype == torch.float16 else value

    def keys(self) -> list[str]:
        """Names as they are asked for."""
        return [name.removesuffix("_u8") for name in self._stored]


@functools.cache
def tensors(name: str) -> Pictures:
    """The tensors of a file as numbers."""
    return Pictures(name)


def parameters() -> dict:
    """Sizes and poses of the set."""
    return facts("meta")["params"]


@functools.cache
def weights() -> dict[str, Tensor]:
    """The official checkpoint."""
    stored = dict(SET.tensors("weights"))
    if not any(name.startswith("post_fusion_unet.") for name in stored):
        raise SET.missing("the weights of Blend-Net")
    return stored


def settings() -> dict[str, JsonValue]:
    """What no tensor says: the size of the lip picture."""
    return {"lip": {"width": parameters()["lw"], "height": parameters()["lh"]}}


def published_config() -> Speech2LipConfig:
    """The published sizes with the pictures of the set."""
    size = parameters()
    lip = dataclasses.replace(PRESETS["published"].lip, width=size["lw"], height=size["lh"])
    return dataclasses.replace(
        PRESETS["published"], lip=lip, canonical_depth=(size["H"], size["W"])
    )


def model() -> Speech2LipModel:
    """A fresh model with the weights of the set, for inference."""
    imported = from_official([{"model": weights()}], settings())
    made = Speech2LipModel(imported.config)
    load_strict(made, imported.tensors)
    return made.eval()


def lip_model() -> Speech2LipModel:
    """The same without the Blend-Net, which the compact subset leaves out."""
    made = Speech2LipModel(published_config())
    stored = {own_name(name): tensor for name, tensor in SET.tensors("weights").items()}
    kept = {name: stored.get(name, tensor) for name, tensor in made.state_dict().items()}
    lost = [name for name in kept if name not in stored and not name.startswith("blend.")]
    assert not lost, lost
    load_strict(made, kept)
    return made.eval()


def expert() -> SyncExpert:
    """The sync expert of the set."""
    config, tensors = sync_from_official(dict(SET.tensors("syncnet_tiny")), parameters()["fmin"])
    made = SyncExpert(config)
    load_strict(made, tensors)
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
