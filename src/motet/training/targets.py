"""What `motet train` can train: every method, and every other set of weights that ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from motet.errors import ConfigError, nearest
from motet.method import MethodSpec
from motet.methods import find_methods
from motet.training.settings import TrainConfig, follow_recipe
from motet.training.target import Target, TrainingData, hold_out_validation
from motet.training.target_names import OTHERS, RENAMED


def target_names() -> list[str]:
    """Names of all targets."""
    return [*(name for name, spec in find_methods().items() if spec.stages), *OTHERS]


def find_target(name: str, preset: str = "default") -> Target[Any]:
    """The target of that name.

    Args:
        preset: of a method's architecture; the other targets have the one of the shipped weights.

    Raises:
        ConfigError: no such target or preset.
    """
    name = RENAMED.get(name, name)
    if name not in target_names():
        raise ConfigError(f"nothing to train is called {name!r}; {nearest(name, target_names())}")
    if name in OTHERS:
        if preset != "default":
            raise ConfigError(f"{name} has no preset {preset!r}; leave --preset out")
        return _OTHERS[name]()
    return method_target(find_methods()[name], preset)


def method_target(spec: MethodSpec, preset: str = "default") -> Target[Any]:
    """A method with one of its presets.

    Raises:
        ConfigError: no such preset.
    """
    presets = spec.architectures()
    if preset not in presets:
        raise ConfigError(f"{spec.name} has no preset {preset!r}; {nearest(preset, presets)}")
    architecture = presets[preset]

    def read(folder: Path, validation: float) -> TrainingData[Any]:
        return hold_out_validation(*spec.read_training_set(architecture, folder), validation)

    recipe = spec.recipe(preset)

    def schedule(stage: str, config: TrainConfig) -> TrainConfig:
        return follow_recipe(config, recipe.get(stage, {}))

    build = partial(spec.build_stages, architecture)
    return Target(spec.name, architecture, build, read, schedule=schedule)


# Imported in the functions: a target loads only what it trains.
def _phonetic() -> Target[Any]:
    from motet.training.phonetic import phonetic_target

    return phonetic_target()


def _closure_head() -> Target[Any]:
    from motet.encoders.phonetic.closure_head import ClosingConfig
    from motet.encoders.phonetic.encoder import load_phonetic
    from motet.training.closure_head import DEFAULTS, closure_stage, read_closures

    config = ClosingConfig(load_phonetic().digest)
    return Target(
        "closure-head",
        config,
        lambda tensors: [closure_stage(config, tensors)],
        read_closures,
        DEFAULTS,
    )


def _lip_aperture_head() -> Target[Any]:
    from motet.encoders.phonetic.encoder import load_phonetic
    from motet.encoders.phonetic.lip_aperture_head import OpeningConfig
    from motet.training.lip_aperture_head import lip_aperture_stage
    from motet.training.training_sets import performances

    config = OpeningConfig(load_phonetic().digest)

    def read(folder: Path, validation: float) -> TrainingData[Any]:
        del validation  # A closed form has nothing to stop early.
        return hold_out_validation(*performances(config, folder), 0.0)

    # Not halved: float16 would save nothing on a few thousand weights.
    return Target(
        "lip-aperture-head", config, lambda tensors: [lip_aperture_stage()], read, half=False
    )


def _speech_heads() -> Target[Any]:
    from motet.encoders.whisper.encoder import load_network
    from motet.encoders.whisper.heads import SpeechHeadsConfig
    from motet.training import speech_heads

    config = SpeechHeadsConfig(load_network()[1])
    return Target(
        "speech-heads",
        config,
        lambda tensors: speech_heads.speech_heads_stages(config, tensors),
        speech_heads.read_speech_steps,
        speech_heads.DEFAULTS,
        export=lambda finished: (speech_heads.join_stages(finished), config),
    )


def _lips() -> Target[Any]:
    from motet.encoders.lips import LipsConfig
    from motet.encoders.whisper.encoder import load_network
    from motet.face.lip_shapes import SOLVED
    from motet.phonetics.phones import SYMBOLS
    from motet.training.lips import lips_stage, read_lip_corpus

    config = LipsConfig(load_network()[1], SOLVED, phones=len(SYMBOLS))
    return Target("lips", config, lambda tensors: [lips_stage(config)], read_lip_corpus)


def _sync_expert() -> Target[Any]:
    from motet.methods.speech2lip.sync.loss import expert_stage
    from motet.training.sync_expert import DEFAULTS, EXPERT, read_sync_data

    return Target(
        "sync-expert",
        EXPERT,
        lambda tensors: [expert_stage(EXPERT, tensors)],
        read_sync_data,
        DEFAULTS,
    )


_OTHERS: Mapping[str, Callable[[], Target[Any]]] = {
    "phonetic": _phonetic,
    "closure-head": _closure_head,
    "lip-aperture-head": _lip_aperture_head,
    "speech-heads": _speech_heads,
    "lips": _lips,
    "sync-expert": _sync_expert,
}
