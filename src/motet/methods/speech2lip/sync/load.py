"""The sync expert from a file, of either kind: the published one or our own."""

from __future__ import annotations

import functools
from pathlib import Path

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.methods.speech2lip.sync.expert import LipExpert, LipExpertConfig
from motet.methods.speech2lip.sync.model import SyncConfig, SyncExpert

Expert = SyncExpert | LipExpert


@functools.cache
def load_expert(path: Path | None = None, least: float = 0.0) -> Expert | None:
    """The shipped expert (or a motet checkpoint of one, of either kind), frozen; None when none is
    shipped.

    Args:
        least: share of right choices on footage that it did not learn from (chance: 0.5) that it
            must have reached, else None. An expert that has not learnt its task would pull lips
            about at random.

    Raises:
        CheckpointError: damaged or of another shape.
    """
    path = path or Path(__file__).parents[3] / "weights" / "sync_expert.safetensors"
    if not path.exists():
        return None
    checkpoint = read_checkpoint(path)
    choices = checkpoint.facts.get("right_choices", {"unknown": 1.0})
    if min(choices.values()) < least:
        return None
    published = "divide" in checkpoint.config
    expert = (
        SyncExpert(settings.from_json(SyncConfig, checkpoint.config))
        if published
        else LipExpert(settings.from_json(LipExpertConfig, checkpoint.config))
    )
    load_strict(expert, checkpoint.tensors)
    return expert.eval().requires_grad_(False)
