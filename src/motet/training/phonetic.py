"""`motet train phonetic`: extract the teacher's features, distil, export. Every part resumes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from motet.audio.mel import LogMel
from motet.checkpoint import save_checkpoint
from motet.data.augment import HARD, MILD, Degradation
from motet.data.speech.corpus import built_sources, source_facts
from motet.encoders.phonetic.config import PhoneticConfig
from motet.encoders.phonetic.loss import distillation_losses
from motet.encoders.phonetic.network import PhoneticNet
from motet.errors import AssetError, InputError
from motet.method import Stage
from motet.phonetics.phones import SYMBOLS
from motet.synthesis.whisper_weights import load_whisper_encoder
from motet.training.distillation_targets import (
    LIP_CHANNELS,
    Teaching,
    fit_teaching,
    teach_source,
    write_targets,
)
from motet.training.loop import train
from motet.training.settings import TrainConfig
from motet.training.speech_batches import SpeechSet

WEIGHTS: Mapping[str, float] = {
    "grid": 0.7, "facegood": 1.0, "festvox_ru": 0.7, "asterisk_ru": 1.0, "armelle_fr": 1.0, "flite": 1.0, "kokoro": 3.0,
}  # fmt: skip
"""How often a second of each source is heard: more of the free and natural English, less of the
small grammar and the one long voice."""
LAST_WEIGHTS: Mapping[str, float] = {
    "grid": 0.5, "facegood": 1.0, "festvox_ru": 0.5, "asterisk_ru": 1.0, "armelle_fr": 1.0, "flite": 1.0, "kokoro": 7.0,
}  # fmt: skip
"""The same in the short last phase: still more natural free English."""
QUIETER_DB = 15.0
"""How far the floor is raised after training; chosen on the development set of other people, see
README.md."""
DEFAULT = TrainConfig(
    steps=6000,
    batch=16,
    learning_rate=1.2e-3,
    warmup=150,
    weight_decay=0.02,
    average=0.998,
    minutes=61.0,
    save_every_s=120.0,
    log_every=20,
)


def default_config() -> PhoneticConfig:
    """The architecture of the shipped weights."""
    return PhoneticConfig(phones=SYMBOLS, lips=LIP_CHANNELS)


def train_phonetic(
    data: Path,
    out: Path,
    config: TrainConfig = DEFAULT,
    runs: Path = Path("runs"),
    report: Callable[[Mapping[str, float]], None] | None = None,
) -> str:
    """Train from a speech corpus; what already exists is kept. Returns the digest of the weights.

    Args:
        data: holds `grid_s1` (the tracked recordings) and `speech` (a corpus as
            `motet.data.speech.corpus` writes it); the targets are built in `teacher` beside them.

    Raises:
        AssetError: no speech, or no Whisper weights. ConfigError: `runs` holds a run of other
            settings.
    """
    corpus, targets = data / "speech", data / "teacher"
    teaching = prepare_targets(corpus, targets, data / "grid_s1")
    model = build_model(config.seed)
    first = train(
        distillation_stage(model, corpus, targets, teaching, WEIGHTS, HARD),
        None,
        config,
        runs / "phonetic",
        report,
    )
    model.load_state_dict(first)
    last = last_phase(config)
    second = train(
        distillation_stage(model, corpus, targets, teaching, LAST_WEIGHTS, MILD),
        None,
        last,
        runs / "phonetic-last",
        report,
    )
    return export({name: (first[name] + second[name]) / 2 for name in first}, out, corpus, config)


def last_phase(config: TrainConfig) -> TrainConfig:
    """Settings of the last phase: an eighth of the length of the first, two fifths of its rate, a
    shorter average.
    """
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


def prepare_targets(corpus: Path, targets: Path, tracked: Path) -> Teaching:
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
            teach_source(corpus, source, teacher, targets)
    path = targets / "teaching.safetensors"
    if not path.exists():
        fit_teaching(corpus, targets, sources, tracked).save(path)
    teaching = Teaching.load(path)
    for source in sources:
        if not (targets / f"{source}.targets.npy").exists():
            write_targets(corpus, source, targets, teaching, targets)
    return teaching


def build_model(seed: int, config: PhoneticConfig | None = None) -> PhoneticNet:
    """A network with seeded random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PhoneticNet(config or default_config())


def distillation_stage(
    model: PhoneticNet,
    corpus: Path,
    targets: Path,
    teaching: Teaching,
    weights: Mapping[str, float] = WEIGHTS,
    how: Degradation = HARD,
) -> Stage:
    """Streams of degraded speech in, the teacher's clean opinion as target.

    Raises:
        InputError: no targets for any of the sources in `weights`.
    """
    present = {s: w for s, w in weights.items() if (targets / f"{s}.targets.npy").exists()}
    if not present:
        raise InputError(f"{targets} holds no targets; build the corpus and the targets first")
    speech, taps = (
        SpeechSet(corpus, targets, present, how=how),
        (
            model.config.mel_before,
            model.config.mel_after,
        ),
    )

    def batch(_: object, size: int, chance: torch.Generator) -> Mapping[str, Tensor]:
        return speech.batch(size, chance, taps)

    def loss(items: Mapping[str, Tensor], _: torch.Generator) -> dict[str, Tensor]:
        return distillation_losses(model, items, teaching.variance)

    return Stage("phonetic", model, [model], loss, batch)


def raise_floor(
    tensors: Mapping[str, Tensor], config: PhoneticConfig, decibels: float
) -> tuple[dict[str, Tensor], PhoneticConfig]:
    """The same network hearing every sound as if it were `decibels` quieter.

    Quiet detail then vanishes below the floor of the mel energies: the room, the recording, breath.
    Exact: with g for the gain, ln(g E + f) = ln g + ln(E + f / g), so the floor grows and the first
    layer's bias takes the constant.
    """
    gain, mel = 10 ** (-decibels / 10), LogMel()
    bias = tensors["entry.bias"] + tensors["entry.weight"].sum(1) * (math.log(gain) / mel.scale)
    return {**tensors, "entry.bias": bias}, dataclasses.replace(
        config, mel_floor=config.mel_floor / gain
    )


def export(tensors: Mapping[str, Tensor], out: Path, corpus: Path, config: TrainConfig) -> str:
    """Write the weights with their origin as float16, their floor raised; answers the digest."""
    used = {s: source_facts(corpus, s) for s in built_sources(corpus) if s in WEIGHTS}
    facts = {
        "teacher": "Whisper tiny.en encoder (MIT)",
        "speech": used,
        "floor_raised_db": QUIETER_DB,
    }
    facts |= {
        "phases": [dataclasses.asdict(config), dataclasses.asdict(last_phase(config))],
        "weights": "mean of the two phases",
    }
    raised, architecture = raise_floor(tensors, default_config(), QUIETER_DB)
    return save_checkpoint(out, raised, architecture, facts, half=True)
