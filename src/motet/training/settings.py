"""Settings of the training loop; free of torch so that the command line can show them at once."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How long and how fast a stage trains."""

    steps: int = 20_000
    """Optimiser steps in all."""
    batch: int = 32
    """Items a step."""
    learning_rate: float = 3e-4
    """Peak learning rate of AdamW."""
    warmup: int = 200
    """Steps of linear warm-up; after them a cosine to 2 % at the last step."""
    weight_decay: float = 0.01
    """Decoupled weight decay of matrices (vectors decay not at all)."""
    clip: float = 1.0
    """Largest gradient norm."""
    average: float = 0.999
    """Decay of the exponential average of the parameters, which is what is kept in the end."""
    minutes: float | None = None
    """Stop after this much time in all (over resumptions); the schedule then follows time instead
    of steps."""
    save_every_s: float = 60.0
    """Seconds between two saved states."""
    log_every: int = 50
    """Steps between two reports."""
    seed: int = 0
    """Seed of initialisation, batches and losses."""
