"""The authors' checkpoints under our names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from motet.errors import CheckpointError
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
_TABLES = ("sequence_pos_encoder.pe", "embed_timestep.sequence_pos_encoder.pe")


def from_official(found: Mapping[str, Any]) -> tuple[MospaConfig, dict[str, Tensor]]:
    """Configuration and tensors of `weights_<epoch>.pt` or `best.pt`, or of a bare state dict.

    The raw weights are what the file holds: the released program keeps an average of them but
    neither uses nor saves it.

    Raises:
        CheckpointError: not a MOSPA denoiser, or of an architecture that is not known.
    """
    state = found.get("state_dict", found)
    official = {
        name.removeprefix("module."): value
        for name, value in state.items()
        if isinstance(value, Tensor)
    }
    if "output_process.poseFinal.weight" not in official:
        raise CheckpointError(
            "not a MOSPA checkpoint: it has no output_process.poseFinal.weight; give"
            " weights_<epoch>.pt or best.pt"
        )
    for name in _TABLES:
        _check_table(name, official.pop(name, None))
    return _config(found.get("config", {}), official), {
        own_name(name): tensor for name, tensor in official.items()
    }


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


def _config(stored: Any, official: Mapping[str, Tensor]) -> MospaConfig:
    """Sizes from the tensors themselves; heads, steps and switches from the stored options, or as
    published.
    """
    options = _flat(stored)
    if options.get("arch", "trans_enc") != "trans_enc":
        raise CheckpointError(
            f"the architecture {options['arch']!r} is not known; the released program only runs"
            " trans_enc"
        )
    try:
        width, motion = official["embed_motion.poseEmbedding.weight"].shape
        layers = 1 + max(
            int(match[1])
            for name in official
            if (match := re.match(r"seqEncoder\.layers\.(\d+)\.", name))
        )
        if motion != 300:
            raise CheckpointError(f"motion of {motion} numbers a frame is not known; 300 is")
        published = MospaConfig()
        return dataclasses.replace(
            published,
            width=width,
            layers=layers,
            heads=int(options.get("num_heads", published.heads)),
            inner=official["seqEncoder.layers.0.linear1.weight"].shape[0],
            dropout=float(options.get("dropout", published.dropout)),
            audio_inner=official["embed_audio.audioEmbedding.0.weight"].shape[0],
            audio_dim=official["embed_audio.audioEmbedding.0.weight"].shape[1],
            mask_sound_source=bool(options.get("mask_sound_source", False)),
            mask_genre=bool(options.get("mask_genre", False)),
            mask_share=float(options.get("cond_mask_prob", published.mask_share)),
            diffusion_steps=int(options.get("diffusion_steps", published.diffusion_steps)),
            schedule=options.get("noise_schedule", published.schedule),
            steps=min(
                published.steps, int(options.get("diffusion_steps", published.diffusion_steps))
            ),
        )
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint lacks or misstates {error.args[0] if error.args else error}"
        ) from error


def _flat(stored: Any, depth: int = 3) -> dict[str, Any]:
    """All options of nested groups in one dictionary; the outermost of a name counts."""
    flat: dict[str, Any] = {}
    if isinstance(stored, Mapping) and depth:
        for value in stored.values():
            flat |= _flat(value, depth - 1)
        flat |= {
            name: value
            for name, value in stored.items()
            if isinstance(value, str | int | float | bool)
        }
    return flat
