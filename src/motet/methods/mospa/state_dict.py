"""The authors' checkpoints under our names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.config import JsonValue
from motet.errors import CheckpointError
from motet.imported import Imported, Official, naming_what_is_missing, resolve_config, single_file
from motet.methods.mospa.config import MospaConfig
from motet.nn.position import sinusoid_table

_NAMES = {
    "embed_timestep.time_embed": "embed_step",
    "embed_audio.audioEmbedding": "embed_audio",
    "embed_motion.poseEmbedding": "embed_motion",
    "embed_ss.ssEmbedding": "embed_source",
    "embed_state.state_embed": "embed_genre",
    "output_process.poseFinal": "output",
}
_LAYER_NAMES = {
    "self_attn.in_proj_": "projection.",
    "self_attn.out_proj": "out",
    "linear1": "inner",
    "linear2": "outer",
    "norm1": "norm_attention",
    "norm2": "norm_inner",
}
_OPTION_NAMES = {
    "num_heads": "heads",
    "dropout": "dropout",
    "mask_sound_source": "mask_sound_source",
    "mask_genre": "mask_genre",
    "cond_mask_prob": "mask_share",
    "diffusion_steps": "diffusion_steps",
    "noise_schedule": "schedule",
}
MOTION_DIM = 300
"""Numbers a frame of the published motion vector."""
_TABLES = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")


def from_official(
    files: Sequence[Official], given: Mapping[str, JsonValue] | None = None
) -> Imported[MospaConfig]:
    """Weights from `weights_<epoch>.pt`, `best.pt`, or a bare state dict.

    The raw weights are what the file holds: the released program keeps an average of them but
    neither uses nor saves it.

    Args:
        files: exactly one.
        given: settings by hand, nested as in `MospaConfig`.

    Raises:
        CheckpointError: not a MOSPA denoiser, or of an architecture that is not known.
        ConfigError: `given` is unknown or contradicts a tensor.
    """
    file = single_file(files, "MOSPA")
    state = file.get("state_dict", file)
    entries = state if isinstance(state, Mapping) else file
    official = {
        name.removeprefix("module."): value
        for name, value in entries.items()
        if isinstance(value, Tensor)
    }
    if "output_process.poseFinal.weight" not in official:
        raise CheckpointError(
            "not a MOSPA checkpoint: it has no output_process.poseFinal.weight; give"
            " weights_<epoch>.pt or best.pt"
        )
    for name in _TABLES:
        _check_table(name, official.pop(name, None))
    with naming_what_is_missing():
        sizes = _sizes(official)
    config, origins = resolve_config(
        MospaConfig(),
        sizes,
        _options(file.get("config")),
        given,
        {"heads": official["embed_motion.poseEmbedding.weight"].shape[0]},
    )
    return Imported(config, {own_name(name): t for name, t in official.items()}, origins)


def own_name(name: str) -> str:
    """Our name of an official parameter; names that are not known stay as they are and are refused
    at loading.
    """
    layer = re.match(r"seqEncoder\.layers\.(\d+)\.(.*)", name)
    if layer:
        for official, own in _LAYER_NAMES.items():
            if layer[2].startswith(official):
                return f"layers.{layer[1]}.{own}{layer[2][len(official) :]}"
    for official, own in _NAMES.items():
        if name.startswith(official):
            return own + name[len(official) :]
    return name


def _check_table(name: str, table: Tensor | None) -> None:
    if table is not None and not torch.allclose(
        table.flatten(1).float(), sinusoid_table(table.shape[0], table.shape[-1]), atol=1e-4
    ):
        raise CheckpointError(
            f"{name} is not the table of sinusoids that MOSPA adds; these weights belong to another"
            " program"
        )


def _sizes(official: Mapping[str, Tensor]) -> dict[str, JsonValue]:
    """Settings that shapes prove."""
    width, motion = official["embed_motion.poseEmbedding.weight"].shape
    if motion != MOTION_DIM:
        raise CheckpointError(f"motion of {motion} numbers a frame is not known; {MOTION_DIM} is")
    audio_inner, audio_dim = official["embed_audio.audioEmbedding.0.weight"].shape
    layers = {
        match[1] for name in official if (match := re.match(r"seqEncoder\.layers\.(\d+)\.", name))
    }
    return {
        "width": width,
        "layers": len(layers),
        "inner": official["seqEncoder.layers.0.linear1.weight"].shape[0],
        "audio_inner": audio_inner,
        "audio_dim": audio_dim,
    }


def _options(stored: Tensor | JsonValue | Official) -> dict[str, JsonValue]:
    """Settings among the options that the trainer stored.

    Raises:
        CheckpointError: an architecture that the released program cannot run.
    """
    options = _flat(stored)
    if options.get("arch", "trans_enc") != "trans_enc":
        raise CheckpointError(
            f"the architecture {options['arch']!r} is not known; the released program only runs"
            " trans_enc"
        )
    known = {own: options[name] for name, own in _OPTION_NAMES.items() if name in options}
    steps = known.get("diffusion_steps")
    if isinstance(steps, int):
        known["steps"] = min(MospaConfig().steps, steps)
    return known


Plain = str | int | float | bool


def _flat(stored: Tensor | JsonValue | Official, depth: int = 3) -> dict[str, Plain]:
    """All options of nested groups in one dictionary; the outermost of a name counts."""
    flat: dict[str, Plain] = {}
    if isinstance(stored, Mapping) and depth:
        for value in stored.values():
            flat |= _flat(value, depth - 1)
        flat |= {name: value for name, value in stored.items() if isinstance(value, Plain)}
    return flat
