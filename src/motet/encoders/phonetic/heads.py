"""What the heads on the phonetic encoder's features (`lip_aperture_head`, `closure_head`) share:
their receptive field, and the encoder they belong to.
"""

from __future__ import annotations

from pathlib import Path

from motet.checkpoint import Checkpoint, read_checkpoint
from motet.errors import CheckpointError

STEPS_BEFORE, STEPS_AFTER, STRIDE = 8, 16, 2
"""Steps of 20 ms around one step, and every how many: 0.16 s back, 0.32 s ahead."""
REACH = tuple(range(-STEPS_BEFORE, STEPS_AFTER + 1, STRIDE))


def read_reading(name: str, front_end: str, path: Path) -> Checkpoint:
    """The checkpoint of a head that belongs to this encoder.

    Args:
        name: what `motet train` calls it.
        front_end: digest of the encoder.

    Raises:
        CheckpointError: missing, damaged, or made for another encoder.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.config.get("front_end") != front_end:
        raise CheckpointError(
            f"{path} reads features of another encoder; make it again with  motet train {name}"
            " --data CORPUS"
        )
    return checkpoint
