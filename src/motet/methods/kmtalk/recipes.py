"""Training on VOCASET and BIWI: Xu et al. 2024.

No code was released. Adam at 1e-4 with batches of one sentence is what all their baselines publish;
the epochs of the stages (60, 60 and 20, the last at 2e-5) are ours, as steps over 314 and 190
training sentences.
"""

from __future__ import annotations

from motet.method import Recipe

_ADAM = {
    "learning_rate": 1e-4,
    "batch": 1,
    "warmup": 0,
    "schedule": "constant",
    "weight_decay": 0.0,
    "beta2": 0.999,
    "clip": 0.0,
    "average": 0.0,
}


def _recipe(sentences: int) -> Recipe:
    return {
        "keys": {**_ADAM, "steps": 60 * sentences},
        "completion": {**_ADAM, "steps": 60 * sentences},
        "joint": {**_ADAM, "steps": 20 * sentences, "learning_rate": 2e-5},
    }


RECIPES = {"vocaset": _recipe(314), "biwi": _recipe(190)}
