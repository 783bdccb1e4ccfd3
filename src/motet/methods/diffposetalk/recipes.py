"""Published trainings: Sun et al. 2024 and their released program.

Adam at 1e-4, no decay, no clipping, no averaging; the denoiser warms up over 5,000 steps and stays
at the peak. Lengths are those of the released checkpoints.
"""

from __future__ import annotations

from motet.method import Recipe

_ADAM = {
    "learning_rate": 1e-4,
    "schedule": "constant",
    "weight_decay": 0.0,
    "beta2": 0.999,
    "clip": 0.0,
    "average": 0.0,
}


def _recipe(style_steps: int, steps: int) -> Recipe:
    return {
        "style": {**_ADAM, "steps": style_steps, "batch": 32, "warmup": 0, "validate_every": 2000},
        "denoiser": {
            **_ADAM, "steps": steps, "batch": 16, "warmup": 5000, "validate_every": 5000,
        },
    }  # fmt: skip


RECIPES = {
    "published": _recipe(26_000, 110_000),
    "published_no_head": _recipe(34_000, 100_000),
    "published_wav2vec2": _recipe(26_000, 110_000),
}
