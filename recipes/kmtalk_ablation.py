"""KMTalk's ablation table: every variant trained alike on a part of the corpus, then measured on
people it never saw.

    python -m recipes.kmtalk_ablation --corpus CORPUS --data DATA -o table.json [--steps 60]
    [--every 8]

`DATA` holds `other_speakers` and `grid_s1`. All variants share the seed, the batches and the
closed-form part of their kind. Prints one line a
variant: lip vertex error (mm), median lip-opening correlation on GRID s1 test and on GRID people,
closures under 1 mm (without the closing of lips that `seal` adds).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from motet.data.training_set import TrainingSet
from motet.evaluation.face_scores import on_tracked_time
from motet.evaluation.held_out import HeldOutClip, load_held_out
from motet.methods.kmtalk.config import PRESETS, KMTalkCondition, KMTalkConfig
from motet.methods.kmtalk.generate import KMTalk, build
from motet.methods.kmtalk.loss import stages
from motet.metrics import lip
from motet.metrics.lip_geometry import LipGeometry, lip_geometry_of
from motet.phonetics.alignment import spoken
from motet.rigs.house import load_house
from motet.training.loop import train
from motet.training.settings import TrainConfig
from motet.training.training_sets import training_set
from motet.types import Motion

TRAINED = (
    "default", "boundary_only", "midpoint", "uniform", "no_key_decoder", "no_audio_guidance",
    "selftalk", "selftalk_keys", "faceformer", "faceformer_keys",
)  # fmt: skip
ASKED: dict[str, dict[str, Any]] = {
    "keys one frame late": {"shift": 1},
    "keys one frame early": {"shift": -1},
    "no text": {"text": ""},
}
"""The default asked otherwise, without training anew."""


def learn(config: KMTalkConfig, corpus: TrainingSet, steps: int) -> KMTalk:
    """A variant after equal work: hosts without keys have one stage, which then gets the steps of
    all three."""
    tensors, names = None, [stage.name for stage in stages(config)]
    for name in names:
        torch.manual_seed(0)
        part = next(stage for stage in stages(config, tensors) if stage.name == name)
        how = TrainConfig(
            steps=3 * steps // len(names),
            batch=8,
            learning_rate=1.5e-3,
            warmup=10,
            average=0.97,
            log_every=10_000,
        )
        with tempfile.TemporaryDirectory() as folder:
            tensors = train(part, corpus, how, Path(folder))
    return build(config, tensors, {})


def measured(
    method: KMTalk, clips: list[HeldOutClip], lip_geometry: LipGeometry, asked: dict[str, Any]
) -> dict[str, float]:
    """Scores over some clips."""
    errors, result, hits, total = [], [], 0, 0
    for clip in clips:
        condition = KMTalkCondition(**{"text": clip.text, "seal": False, **asked})
        audio = dataclasses.replace(clip.audio, samples=clip.audio.samples.unsqueeze(0))
        motion = Motion(method.run(audio, condition, (0,)).values[0], method.space)
        mouth = lip_geometry.measure(motion)
        assert clip.tracked is not None
        predicted, common = on_tracked_time(mouth, clip.tracked)
        result.append(
            lip.opening_correlation(
                predicted.opening, clip.tracked.opening[common], clip.tracked.fps, clip.max_lag_s
            ).correlation
        )
        errors.append(
            lip.lip_vertex_error(predicted.lips, lip_geometry.lips(clip.tracked.motion)[common])
        )  # type: ignore[arg-type]
        closures = spoken(clip.phones, lip.CLOSURES)
        hits, total = (
            hits + sum(lip.realised_closures(mouth.opening, mouth.fps, closures, lip.CLOSED_M)),
            total + len(closures),
        )
    return {
        "lve_mm": sum(errors) / len(errors),
        "correlation": float(torch.tensor(result).median()),
        "closures": hits / max(1, total),
    }


def main() -> None:
    """Train, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60, help="steps a stage")
    parser.add_argument(
        "--every", type=int, default=8, help="take every so many clips of the corpus"
    )
    parser.add_argument("--variants", default=",".join(TRAINED))
    given = parser.parse_args()
    torch.set_num_threads(1)
    whole = training_set(given.corpus)
    corpus, lip_geometry, material = (
        TrainingSet(whole.space, whole.items[:: given.every]),
        lip_geometry_of(load_house()),
        load_held_out(given.data),
    )
    groups = {
        "grid s1": material.group("grid s1")[::3],
        "grid people": material.group("grid people"),
    }
    table: dict[str, dict[str, dict[str, float]]] = {}
    for name in given.variants.split(","):
        method = learn(PRESETS[name], corpus, given.steps)
        for row, asked in {name: {}, **(ASKED if name == "default" else {})}.items():
            table[row] = {
                group: measured(method, clips, lip_geometry, asked)
                for group, clips in groups.items()
            }
            print(row, json.dumps(table[row]), flush=True)
    given.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
