"""Weights of mospa as a start for a preset with known frames, roles, events and families.

    python -m recipes.widen_mospa OLD.safetensors START.safetensors

The parts that the old weights lack begin at zero, so the new network predicts what the old one
does until it is trained further: `motet train mospa --start START.safetensors`.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel


def widen(old: Path, new: Path) -> str:
    """Write the widened weights and return their digest."""
    checkpoint = read_checkpoint(old)
    config = from_json(MospaConfig, checkpoint.config)
    config = dataclasses.replace(config, known_frames=True, roles=True, events=True, families=True)
    tensors = {**MospaModel(config).state_dict(), **checkpoint.tensors}
    return save_checkpoint(new, tensors, config, checkpoint.facts)


def main() -> None:
    """Widen what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    asked = parser.parse_args()
    print(asked.new, widen(asked.old, asked.new))


if __name__ == "__main__":
    main()
