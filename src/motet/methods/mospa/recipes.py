"""Published training: Xu et al. 2025 and their released program.

AdamW at 1e-4 without decay, a cosine to a tenth, no warm-up, clipping or averaging; 6,000 epochs of
about 19 steps of 128 windows. The released program lowers the rate once an epoch, ours each step.
"""

from __future__ import annotations

_ADAMW = {
    "steps": 114_000,
    "batch": 128,
    "learning_rate": 1e-4,
    "warmup": 0,
    "schedule": "cosine",
    "final": 0.1,
    "weight_decay": 0.0,
    "beta2": 0.999,
    "clip": 0.0,
    "average": 0.0,
}
RECIPES = {
    name: {"denoiser": _ADAMW} for name in ("published", "published_steps100", "published_steps4")
}
