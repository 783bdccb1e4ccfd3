"""`motet train phonetic`: extract the teacher's features, distil, export. Every part resumes."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motet.audio.mel import LogMel
from motet.checkpoint import load_strict
from motet.data.augment import HARD, MILD, Degradation
from motet.data.speech.corpus import built_sources, read_index, source_facts
from motet.encoders.phonetic.config import PhoneticConfig
from motet.encoders.phonetic.loss import distillation_losses
from motet.encoders.phonetic.network import PhoneticNet
from motet.errors import AssetError, InputError
from motet.phonetics.phones import SYMBOLS
from motet.stage import Stage
from motet.synthesis.whisper_weights import load_whisper_encoder
from motet.training.distillation_targets import (
    LIP_CHANNELS,
    TeacherProjection,
    fit_projection,
    write_targets,
    write_teacher_features,
)
from motet.training.settings import TrainConfig
from motet.training.speech_batches import SpeechSet
from motet.training.target import Target, TrainingData

WEIGHTS: Mapping[str, float] = {
    "grid": 0.7,
    "facegood": 1.0,
    "festvox_ru": 0.7,
    "asterisk_ru": 1.0,
    "armelle_fr": 1.0,
    "flite": 1.0,
    "kokoro54": 3.0,
}
"""Sampling weight of a second of each source: more of the free and natural English, less of the
small grammar and the one long voice."""
LAST_WEIGHTS: Mapping[str, float] = {
    "grid": 0.5,
    "facegood": 1.0,
    "festvox_ru": 0.5,
    "asterisk_ru": 1.0,
    "armelle_fr": 1.0,
    "flite": 1.0,
    "kokoro54": 7.0,
}
"""The same in the short last phase: still more natural free English."""
QUIETER_DB = 15.0
"""How far the floor is raised after training; chosen on the development set of other people, see
README.md."""
FIRST, LAST = "distillation", "last"
DEFAULT = TrainConfig(
    steps=6000,
    batch=16,
    learning_rate=1.2e-3,
    warmup=150,
    weight_decay=0.02,
    average=0.998,
    minutes=61.0,
    save_every_s=60.0,
    log_every=20,
)


def default_config() -> PhoneticConfig:
    """The architecture of the shipped weights."""
    return PhoneticConfig(phones=SYMBOLS, lips=LIP_CHANNELS)


def phonetic_target() -> Target[SpeechTargets]:
    """Two stages of distillation; the weights are the mean of both, with a raised floor."""
    architecture = default_config()
    return Target(
        "phonetic",
        architecture,
        lambda tensors: distillation_stages(architecture, tensors),
        read_speech_targets,
        DEFAULT,
        lambda stage, config: last_phase(config) if stage == LAST else config,
        lambda finished: raise_floor(mean_of(finished.values()), architecture, QUIETER_DB),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class SpeechTargets:
    """A speech corpus with the features of the teacher beside it."""

    corpus: Path
    targets: Path
    teaching: TeacherProjection
    split: str = "train"


def read_speech_targets(folder: Path, validation: float) -> TrainingData[SpeechTargets]:
    """A speech corpus and its distillation targets; targets that are missing are made.

    Args:
        folder: holds `grid_s1` (the tracked recordings) and `speech` (a corpus as
            `motet.data.speech.corpus` writes it); the targets are built in `teacher` beside them.

    Raises:
        AssetError: no speech, or no Whisper weights.
    """
    corpus, targets = folder / "speech", folder / "teacher"
    training = SpeechTargets(corpus, targets, prepare_targets(corpus, targets, folder / "grid_s1"))
    return TrainingData(training, _validation_part(training, validation), lambda: about(corpus))


def _validation_part(training: SpeechTargets, share: float) -> SpeechTargets | None:
    """The corpus' own validation split, where it has one."""
    entries = (e for s in built_sources(training.corpus) for e in read_index(training.corpus, s))
    if share and any(entry.split == "validation" for entry in entries):
        return dataclasses.replace(training, split="validation")
    return None


def mean_of(models: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several models of one architecture."""
    models = list(models)
    return {name: sum(m[name] for m in models) / len(models) for name in models[0]}


def last_phase(config: TrainConfig) -> TrainConfig:
    """Settings of the last phase: an eighth of the length of the first, two fifths of its rate, a
    shorter average.
    """
    # An eighth of steps or minutes, whichever the user gave.
    minutes = config.minutes / 8 if config.minutes else None
    steps, warmup = max(1, config.steps // 8), max(1, config.warmup // 4)
    return dataclasses.replace(
        config,
        minutes=minutes,
        steps=steps,
        warmup=warmup,
        learning_rate=config.learning_rate * 0.4,
        average=0.99,
    )


def prepare_targets(corpus: Path, targets: Path, tracked: Path) -> TeacherProjection:
    """Extract the teacher's features of every source and write the distillation targets.

    Args:
        tracked: folder of the tracked GRID speaker, for the lip channels.
    """
    sources = [s for s in built_sources(corpus) if s in WEIGHTS]
    if not sources:
        raise AssetError(
            f"{corpus} holds no speech to train on; build it in a checkout with"
            f" 'python -m recipes.speech_corpus {corpus} --data {corpus.parent}'"
        )
    targets.mkdir(parents=True, exist_ok=True)
    missing = [s for s in sources if not (targets / f"{s}.whisper.npy").exists()]
    if missing:
        teacher = load_whisper_encoder()
        for source in missing:
            write_teacher_features(corpus, source, teacher, targets)
    path = targets / "teaching.safetensors"
    if not path.exists():
        fit_projection(corpus, targets, sources, tracked).save(path)
    teaching = TeacherProjection.load(path)
    for source in sources:
        if not (targets / f"{source}.targets.npy").exists():
            write_targets(corpus, source, targets, teaching, targets)
    return teaching


def build_model(seed: int, config: PhoneticConfig | None = None) -> PhoneticNet:
    """A network with seeded random weights."""
    # The caller's random state stays as it is.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PhoneticNet(config or default_config())


def distillation_stages(
    config: PhoneticConfig, tensors: Mapping[str, Tensor] | None = None
) -> list[Stage[SpeechTargets]]:
    """A long phase on strongly degraded speech, a short one on mildly degraded speech."""
    model = PhoneticNet(config)
    if tensors is not None:
        load_strict(model, tensors)
    return [
        distillation_stage(FIRST, model, WEIGHTS, HARD),
        distillation_stage(LAST, model, LAST_WEIGHTS, MILD),
    ]


def distillation_stage(
    name: str, model: PhoneticNet, weights: Mapping[str, float], how: Degradation
) -> Stage[SpeechTargets]:
    """Degraded speech in, the teacher's features of the clean speech as targets."""
    taps = (model.config.mel_before, model.config.mel_after)

    def batch(
        examples: SpeechTargets, size: int, randomness: torch.Generator
    ) -> Mapping[str, Tensor]:
        return {
            # `taps`: the set cuts mel frames exactly as the network will see them
            **speech_set(examples, tuple(weights.items()), how).batch(size, randomness, taps),
            "variance": examples.teaching.variance,
        }

    def loss(items: Mapping[str, Tensor], _: torch.Generator) -> dict[str, Tensor]:
        return distillation_losses(model, items, items["variance"])

    return Stage(name, model, [model], loss, batch)


@functools.cache
def speech_set(
    examples: SpeechTargets, weights: tuple[tuple[str, float], ...], how: Degradation
) -> SpeechSet:
    """The utterances in memory.

    Raises:
        InputError: no targets for any of the sources in `weights`.
    """
    present = {s: w for s, w in weights if (examples.targets / f"{s}.targets.npy").exists()}
    if not present:
        raise InputError(
            f"{examples.targets} holds no targets; build the corpus and the targets first"
        )
    return SpeechSet(examples.corpus, examples.targets, present, examples.split, how=how)


def raise_floor(
    tensors: Mapping[str, Tensor], config: PhoneticConfig, decibels: float
) -> tuple[dict[str, Tensor], PhoneticConfig]:
    """The same network, with every input `decibels` quieter.

    Quiet detail then vanishes below the floor of the mel energies: the room, the recording, breath.
    Exact: with g for the gain, ln(g E + f) = ln g + ln(E + f / g), so the floor grows and the first
    layer's bias takes the constant.
    """
    gain, mel = 10 ** (-decibels / 10), LogMel()
    # `entry` reads (ln E) / scale in every tap and bin: a constant shift of the input adds shift
    # times the sum of its weights.
    bias = tensors["entry.bias"] + tensors["entry.weight"].sum(1) * (math.log(gain) / mel.scale)
    return {**tensors, "entry.bias": bias}, dataclasses.replace(
        config, mel_floor=config.mel_floor / gain
    )


def about(corpus: Path) -> dict[str, Any]:
    """Teacher, sources with their licences, and how the weights came from the stages."""
    used = {s: source_facts(corpus, s) for s in built_sources(corpus) if s in WEIGHTS}
    return {
        "teacher": "Whisper tiny.en encoder (MIT)",
        "speech": used,
        "floor_raised_db": QUIETER_DB,
        "weights": "mean of the stages",
    }
