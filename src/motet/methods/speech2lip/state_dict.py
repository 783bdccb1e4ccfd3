"""Names of the authors' checkpoints in ours, and nothing else.

`model.pt` of Speech2Lip (entry `model`), and Wav2Lip's `lipsync_expert.pth` (entry `state_dict`)
for the sync loss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from motet.config import JsonValue
from motet.errors import CheckpointError
from motet.imported import Imported, Official, naming_what_is_missing, resolve_config, single_file
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
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
"""Unused layers of released checkpoints."""


def own_name(name: str) -> str:
    """Our name of an official parameter; empty for unused ones.

    Raises:
        CheckpointError: no official model has it.
    """
    if name.startswith(UNUSED):
        return ""
    for pattern, ours in _NAMES:
        renamed, count = re.subn(pattern, ours, name)
        if count:
            return renamed
    raise CheckpointError(f"{name!r} is no parameter of Speech2Lip; give the authors' model.pt")


def from_official(
    files: Sequence[Official], given: Mapping[str, JsonValue] | None = None
) -> Imported[Speech2LipConfig]:
    """The authors' `model.pt`.

    Args:
        files: exactly one.
        given: settings by hand, nested as in `Speech2LipConfig`. No tensor holds the size of the
            lip picture: without `lip.width` and `lip.height` the published 120 x 80 is assumed.

    Raises:
        CheckpointError: not such a checkpoint.
        ConfigError: `given` is unknown or contradicts a tensor.
    """
    file = single_file(files, "Speech2Lip")
    inside = file.get("model", file)
    entries = inside if isinstance(inside, Mapping) else {}
    official = {
        name.removeprefix("module."): value
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }
    if "fc_uv.weight" not in official:
        raise CheckpointError(
            "not a Speech2Lip checkpoint: no lip model in it (fc_uv.weight is missing)"
        )
    tensors = {
        own: value.float() if value.is_floating_point() else value.clone()
        for name, value in official.items()
        if (own := own_name(name))
    }
    with naming_what_is_missing():
        sizes = _sizes(tensors)
    config, origins = resolve_config(PRESETS["published"], sizes, None, given)
    return Imported(config, tensors, origins)


def _sizes(tensors: Mapping[str, Tensor]) -> dict[str, JsonValue]:
    """Settings that shapes prove."""
    widths = [t.shape[0] for t in _numbered(tensors, "hearing.conv")]
    layers = _numbered(tensors, "lip.layers")
    parts = ("blend.enter.3", "blend.down.0.3", "blend.down.1.3")
    return {
        "hearing.channels": tensors["hearing.conv.0.weight"].shape[1],
        "hearing.window": 2 ** len(widths),
        "hearing.widths": widths,
        "hearing.out": tensors["hearing.head.2.weight"].shape[0],
        "lip.hidden": tensors["lip.layers.0.weight"].shape[0],
        "lip.layers": len(layers),
        "lip.skip_after": _skip_after(layers),
        # A position's code: the two coordinates, and sine and cosine of each at every octave.
        "lip.frequencies": (tensors["lip.place.weight"].shape[1] - 2) // 4,
        "lip.moment_channels": tensors["lip.time.weight"].shape[1],
        "blend.widths": [tensors[f"{part}.weight"].shape[0] for part in parts],
        "canonical_depth": list(tensors["canonical_depth"].shape),
    }


def _skip_after(layers: Sequence[Tensor]) -> int:
    """The layer before the skip connection, whose successor is twice as wide."""
    for number, layer in enumerate(layers):
        if number and layer.shape[1] == 2 * layers[0].shape[0]:
            return number - 1
    raise CheckpointError("the checkpoint lacks the skip layer of the lip model")


def _numbered(tensors: Mapping[str, Tensor], prefix: str) -> list[Tensor]:
    """Weights `prefix.<number>.weight` in the order of their numbers."""
    numbered = {
        int(match[1]): tensor
        for name, tensor in tensors.items()
        if (match := re.fullmatch(rf"{re.escape(prefix)}\.(\d+)\.weight", name))
    }
    return [numbered[number] for number in sorted(numbered)]


def sync_from_official(
    file: Official, lowest_hz: float = 55.0
) -> tuple[SyncConfig, dict[str, Tensor]]:
    """Wav2Lip's expert (or any SyncNet of its block layout) as configuration and tensors.

    Raises:
        CheckpointError: not such a checkpoint.
    """
    inside = file.get("state_dict", file)
    entries = inside if isinstance(inside, Mapping) else {}
    tensors: dict[str, Tensor] = {}
    for name, value in entries.items():
        match = re.fullmatch(
            r"(?:module\.)?(face|audio)_encoder\.(\d+)\.conv_block\.([01])\.(.+)", name
        )
        if match is None or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{name!r} is no parameter of a sync expert; give Wav2Lip's lipsync_expert.pth"
            )
        tower, part = {"face": "face", "audio": "sound"}[match[1]], ("conv", "norm")[int(match[3])]
        tensors[f"{tower}.{match[2]}.{part}.{match[4]}"] = (
            value.float() if value.is_floating_point() else value.clone()
        )
    if "face.0.conv.weight" not in tensors:
        raise CheckpointError("not a sync expert: it has no face tower")
    return SyncConfig(32 // tensors["face.0.conv.weight"].shape[0], lowest_hz), tensors
