"""Published training of the generation whose training code was released: Chu et al. 2025.

AdamW at 1e-4 with a linear fall to a tenth over 200,000 steps, averaged weights. The released
program warms up from a tenth of the peak; ours from zero over the same 1,000 steps. With n GPUs it
divides the lengths by n and multiplies the rate by n.
"""

from __future__ import annotations

_ADAMW = {
    "steps": 200_000,
    "learning_rate": 1e-4,
    "warmup": 1000,
    "schedule": "linear",
    "final": 0.1,
    "weight_decay": 0.01,
    "beta2": 0.999,
    "clip": 0.0,
    "average": 0.9999,
}
RECIPES = {
    "training": {"codec": {**_ADAMW, "batch": 64}, "generator": {**_ADAMW, "batch": 128}},
}
