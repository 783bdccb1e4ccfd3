"""Names of the authors' checkpoints in ours, and nothing else.

`model.pt` of Speech2Lip (entry `model`), and Wav2Lip's `lipsync_expert.pth` (entry `state_dict`)
for the sync loss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from motet.errors import CheckpointError
from motet.methods.speech2lip.config import BlendConfig, HearingConfig, LipConfig, Speech2LipConfig
from motet.methods.speech2lip.sync.model import SyncConfig

_NAMES = (
    (r"^canonical_depth_head$", "canonical_depth"),
    (r"^encoder_conv\.", "hearing.conv."),
    (r"^encoder_fc1\.", "hearing.head."),
    (r"^fc_uv_skip\.", "lip.place_again."),
    (r"^fc_uv\.", "lip.place."),
    (r"^fc_(audio|time)_skip\.", r"lip.\1_again."),
    (r"^fc_(audio|time)\.", r"lip.\1."),
    (r"^pts_linears\.", "lip.layers."),
    (r"^output_linear\.", "lip.out."),
    (r"^post_fusion_unet\.inc\.double_conv\.", "blend.enter."),
    (r"^post_fusion_unet\.down1\.maxpool_conv\.1\.double_conv\.", "blend.down.0."),
    (r"^post_fusion_unet\.down2\.maxpool_conv\.1\.double_conv\.", "blend.down.1."),
    (r"^post_fusion_unet\.up1\.conv\.double_conv\.", "blend.up.0."),
    (r"^post_fusion_unet\.up2\.conv\.double_conv\.", "blend.up.1."),
    (r"^post_fusion_unet\.outc\.conv\.", "blend.out."),
)
UNUSED = "coord_linears."
"""Layers that released checkpoints carry and nothing reads."""


def own_name(name: str) -> str:
    """Our name of an official parameter; empty for those that nothing reads.

    Raises:
        CheckpointError: no official model has it.
    """
    if name.startswith(UNUSED):
        return ""
    for pattern, ours in _NAMES:
        found, count = re.subn(pattern, ours, name)
        if count:
            return found
    raise CheckpointError(f"{name!r} is no parameter of Speech2Lip; give the authors' model.pt")


def from_official(
    file: Mapping[str, Any], lip_width: int = 120, lip_height: int = 80
) -> tuple[Speech2LipConfig, dict[str, Tensor]]:
    """An official checkpoint as configuration and tensors.

    Args:
        file: the read checkpoint.
        lip_width: size of the lip picture: the one thing that no tensor tells (published: 120 x
            80).

    Raises:
        CheckpointError: not such a checkpoint.
    """
    entry = file.get("model", file)
    if not isinstance(entry, Mapping) or "fc_uv.weight" not in {
        name.removeprefix("module.") for name in entry
    }:
        raise CheckpointError(
            "not a Speech2Lip checkpoint: no lip model in it (fc_uv.weight is missing)"
        )
    tensors = {
        own: torch.as_tensor(value).clone()
        for name, value in entry.items()
        if (own := own_name(name.removeprefix("module.")))
    }
    return _config(tensors, lip_width, lip_height), {
        name: t.float() if t.is_floating_point() else t for name, t in tensors.items()
    }


def _config(tensors: Mapping[str, Tensor], width: int, height: int) -> Speech2LipConfig:
    """Sizes from the tensors themselves."""
    try:
        convolutions = sorted(
            name for name in tensors if re.fullmatch(r"hearing\.conv\.\d+\.weight", name)
        )
        layers = [
            tensors[f"lip.layers.{n}.weight"]
            for n in range(
                sum(1 for name in tensors if re.fullmatch(r"lip\.layers\.\d+\.weight", name))
            )
        ]
        hidden = layers[0].shape[0]
        widths = tuple(tensors[name].shape[0] for name in convolutions)
        hearing = HearingConfig(
            tensors["hearing.conv.0.weight"].shape[1],
            2 ** len(widths),
            0,
            widths,
            tensors["hearing.head.2.weight"].shape[0],
        )
        skip = next((n - 1 for n, layer in enumerate(layers) if layer.shape[1] == 2 * hidden), 0)
        lip = LipConfig(
            width,
            height,
            hidden,
            len(layers),
            skip,
            (tensors["lip.place.weight"].shape[1] - 2) // 4,
            "time",
            tensors["lip.time.weight"].shape[1],
        )
        parts = ("blend.enter.3", "blend.down.0.3", "blend.down.1.3")
        blend = BlendConfig(tuple(tensors[f"{part}.weight"].shape[0] for part in parts))  # type: ignore[arg-type]
        return Speech2LipConfig(
            "deepspeech",
            hearing,
            lip,
            blend,
            canonical_depth=tuple(tensors["canonical_depth"].shape),
            official_quirks=True,
        )  # type: ignore[arg-type]
    except (KeyError, StopIteration) as error:
        raise CheckpointError(
            f"the checkpoint lacks {error.args[0] if error.args else 'the skip layer'}"
        ) from error


def sync_from_official(
    file: Mapping[str, Any], lowest_hz: float = 55.0
) -> tuple[SyncConfig, dict[str, Tensor]]:
    """Wav2Lip's expert (or any SyncNet of its block layout) as configuration and tensors.

    Raises:
        CheckpointError: not such a checkpoint.
    """
    entry = file.get("state_dict", file)
    tensors: dict[str, Tensor] = {}
    for name, value in entry.items():
        match = re.fullmatch(
            r"(?:module\.)?(face|audio)_encoder\.(\d+)\.conv_block\.([01])\.(.+)", name
        )
        if match is None:
            raise CheckpointError(
                f"{name!r} is no parameter of a sync expert; give Wav2Lip's lipsync_expert.pth"
            )
        tower, part = {"face": "face", "audio": "sound"}[match[1]], ("conv", "norm")[int(match[3])]
        tensor = torch.as_tensor(value)
        tensors[f"{tower}.{match[2]}.{part}.{match[4]}"] = (
            tensor.float() if tensor.is_floating_point() else tensor.clone()
        )
    if "face.0.conv.weight" not in tensors:
        raise CheckpointError("not a sync expert: it has no face tower")
    return SyncConfig(32 // tensors["face.0.conv.weight"].shape[0], lowest_hz), tensors
