"""The noise schedule of MOSPA."""

from __future__ import annotations

from motet.diffusion.schedule import Schedule, make_schedule
from motet.methods.mospa.config import MospaConfig


def noise_schedule(config: MospaConfig) -> Schedule:
    """The schedule of guided diffusion: a cosine without a smallest beta, or a line whose ends
    depend on the number of steps.
    """
    scale = 1000 / config.diffusion_steps
    return make_schedule(
        config.schedule, config.diffusion_steps, scale * 1e-4, scale * 0.02, floor=0.0
    )
