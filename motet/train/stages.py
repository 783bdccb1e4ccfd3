"""From a corpus folder to the finished weights of a method: every stage in order, each resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.checkpoint import load_strict, read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.corpus import TrainingItem, TrainingSet
from motet.data.biwi import read_biwi
from motet.data.clip import SHIPPABLE, Corpus, Entry, Interval
from motet.data.vertex_sequences import vertex_training_set
from motet.data.vocaset import read_vocaset
from motet.encoders.phonetic.front_end import PhoneticFrontEnd, load_phonetic
from motet.errors import ConfigError, InputError, nearest
from motet.method import MethodSpec, Stage
from motet.phonetics.phones import PHONES
from motet.rigs.lips import seal
from motet.train.loop import train
from motet.train.settings import TrainConfig
from motet.train.strangers import SHARE, stranger_features
from motet.types import Audio, Motion, arkit_space

MAKER_WEIGHT: Mapping[str, float] = {"tracked": 3.0, "solved": 1.5, "synthesised": 1.0}
"""How often a frame of each origin is seen: real people count more than synthesis."""

CLOSING_S = 0.04
"""Time in which lips come together and part around a closure."""

Report = Callable[[Mapping[str, float]], None]


def training_set(data: Path, split: str = "train", cache: Path | None = None) -> TrainingSet:
    """The clips of a corpus that may shape shipped weights, each also as a stranger would say it, with phonetic features kept in `cache`.

    Raises:
        InputError: no clip of that split, or not a corpus.
    """
    corpus, encoder = Corpus(data), load_phonetic()
    entries = corpus.select(split=split, licences=SHIPPABLE)
    if not entries:
        raise InputError(f"{data} has no {split} clips that may shape shipped weights")
    cache = (cache or data / "features") / encoder.digest
    items: list[TrainingItem] = []
    for entry in entries:
        item = _item(corpus, entry, _features(corpus, entry, encoder.features, cache))
        double = _features(corpus, entry, partial(_as_a_stranger, encoder, entry.facts.name), cache / "strangers")
        items += [dataclasses.replace(item, weight=item.weight * (1 - SHARE)), dataclasses.replace(item, features=double, weight=item.weight * SHARE)]
    return TrainingSet(arkit_space(), items)


def _as_a_stranger(encoder: PhoneticFrontEnd, name: str, audio: Audio) -> Tensor:
    return stranger_features(audio, encoder.encoder, zlib.crc32(name.encode()))


def train_method(
    spec: MethodSpec,
    preset: str,
    data: Path,
    runs: Path,
    out: Path,
    config: TrainConfig,
    stage: str = "",
    report: Report | None = None,
    start: Path | None = None,
) -> str:
    """Train all stages of a method in order, or one by name, and write the weights; answers their digest.

    A finished stage leaves `RUNS/METHOD-STAGE/finished.safetensors`, from which the next one starts.

    Args:
        start: weights of the same architecture that the first trained stage begins with instead of chance or an earlier stage.

    Raises:
        ConfigError: no such preset or stage, an earlier stage has not been trained, or `start` is of another architecture.
        CheckpointError: `start` is missing or damaged.
        InputError: the corpus has nothing to train on.
    """
    presets = spec.load("presets")
    if preset not in presets:
        raise ConfigError(f"{spec.name} has no preset {preset!r}; {nearest(preset, presets)}")
    architecture = presets[preset]
    torch.manual_seed(config.seed)
    names = [s.name for s in spec.load("stages")(architecture)]
    if stage and stage not in names:
        raise ConfigError(f"{spec.name} has no stage {stage!r}; {nearest(stage, names)}")
    tensors, began = (None, {}) if start is None else _beginning(start, spec.name, architecture)
    examples, about = _examples(spec, architecture, data)
    digest = ""
    for name in names:
        finished = runs / f"{spec.name}-{name}" / "finished.safetensors"
        if stage and name != stage:
            if start is None and names.index(name) < names.index(stage):
                tensors = _earlier(finished, name)
            continue
        part = next(s for s in spec.load("stages")(architecture, tensors) if s.name == name)
        tensors = _completed(part, train(part, examples, config, finished.parent, report), examples)
        facts = {**about(), "stage": name, "training": dataclasses.asdict(config)} | began | _own_facts(part, examples)
        save_checkpoint(finished, tensors, architecture, facts)
        digest = save_checkpoint(out, tensors, architecture, facts, half=True)
    return digest


def _examples(spec: MethodSpec, architecture: Any, data: Path) -> tuple[Any, Callable[[], dict[str, Any]]]:
    """What a folder holds, and what is said about it in the weights: bodies in SAM's layout, meshes in theirs, or a corpus of motet."""
    space = getattr(architecture, "space", spec.space)
    if spec.space == "smplx25":
        from motet.data.sam import spatial_set

        bodies = spatial_set(data, "train", architecture.hearing, velocity_fps=architecture.velocity_fps)
        hours = sum(len(item.motion) for item in bodies.items) / 30 / 3600
        return bodies, lambda: {"data": f"{hours:.2f} h in {len(bodies.items)} sequences in SAM's layout", "licence": "Apache-2.0"}
    if space in _MESHES:
        own_trunk = getattr(architecture, "trunk", None) is not None
        meshes = vertex_training_set(_MESHES[space](data, "train"), space, None if own_trunk else load_phonetic().features)
        return meshes, lambda: {"data": f"{len(meshes.items)} sequences of {data.name}", "licence": "as the data set"}
    return training_set(data), partial(_facts, data)


_MESHES = {"vertices/vocaset": read_vocaset, "vertices/biwi": read_biwi}
"""Readers of the data sets of meshes, for the presets that speak in them."""


def _completed(stage: Stage, tensors: dict[str, Tensor], examples: TrainingSet) -> dict[str, Tensor]:
    load_strict(stage.model, tensors)
    stage.model.eval()
    if stage.complete is None:
        return tensors
    with torch.no_grad():
        stage.complete(examples)
    return {name: tensor.detach().clone() for name, tensor in stage.model.state_dict().items()}


def _own_facts(stage: Stage, examples: TrainingSet) -> dict[str, Any]:
    """What the stage says of its finished model (the averaged parameters are in place since `_completed`)."""
    if stage.facts is None:
        return {}
    with torch.no_grad():
        return stage.facts(examples)


def _beginning(start: Path, method: str, architecture: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of the weights to go on from, and the word about them that goes into the new ones."""
    checkpoint = read_checkpoint(start)
    if from_json(type(architecture), checkpoint.config) != architecture:
        raise ConfigError(f"{start} holds another architecture than the preset of {method} to be trained; choose the preset it was made with")
    return checkpoint.tensors, {"began_with": checkpoint.digest}


def _earlier(path: Path, name: str) -> dict[str, Tensor]:
    if not path.exists():
        raise ConfigError(f"the stage {name!r} comes first and has not been trained ({path} is missing)")
    return read_checkpoint(path).tensors


def _facts(data: Path) -> dict[str, Any]:
    entries = Corpus(data).select(split="train", licences=SHIPPABLE)
    hours: dict[str, float] = {}
    for entry in entries:
        hours[f"{entry.facts.source} ({entry.facts.licence})"] = hours.get(f"{entry.facts.source} ({entry.facts.licence})", 0.0) + entry.seconds / 3600
    rounded = {source: round(value, 3) for source, value in sorted(hours.items())}
    return {
        "data": f"{sum(hours.values()):.2f} h in {len(entries)} clips, each also as a stranger would say it",
        "licence": "Apache-2.0",
        "sources": rounded,
        "front_end": load_phonetic().digest,
    }


def _item(corpus: Corpus, entry: Entry, features: Tensor) -> TrainingItem:
    recording = corpus.read(entry)
    motion = recording.motion if recording.motion.space.fps == 25 else recording.motion.at(25)
    valid = recording.valid_channels if recording.valid_channels is not None else torch.ones(motion.space.dim, dtype=torch.bool)
    if recording.facts.maker == "tracked" and recording.facts.phones:
        motion = _with_sure_closures(motion, recording.facts.phones)
    phones = tuple((phone.start, phone.end, phone.symbol) for phone in recording.facts.phones)
    weight = MAKER_WEIGHT.get(entry.facts.maker, 1.0)
    return TrainingItem(motion.values, features, valid, entry.facts.speaker, entry.facts.style, phones, weight)


def _with_sure_closures(motion: Motion, phones: Sequence[Interval]) -> Motion:
    """The lips of a tracked person shut where p, b and m are said: the tracker leaves a third of them open by a millimetre or two."""
    time = torch.arange(motion.frames).double() / motion.space.fps
    amount = torch.zeros(motion.frames, dtype=torch.float64)
    for phone in phones:
        if phone.symbol in PHONES and PHONES[phone.symbol].is_closure:
            outside = torch.maximum(phone.start - time, time - phone.end).clamp(min=0)
            amount = torch.maximum(amount, (1 - outside / CLOSING_S).clamp(min=0))
    sealed = seal(motion["blendshapes"].double().numpy(), amount.numpy())
    return motion.with_track("blendshapes", torch.from_numpy(sealed).float())


def _features(corpus: Corpus, entry: Entry, hear: Callable[[Audio], Tensor], cache: Path) -> Tensor:
    """Features of one clip, float16 on disk; named by what they depend on, so a changed corpus is heard anew."""
    identity = json.dumps([entry.facts.name, entry.file, entry.seconds, entry.facts.seed])
    path = cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.safetensors"
    if path.exists():
        return load_file(path)["features"].float()
    recording = corpus.read(entry)
    if recording.audio is None:
        raise InputError(f"the clip {entry.facts.name!r} has no sound to train on")
    cache.mkdir(parents=True, exist_ok=True)
    features = hear(recording.audio)
    save_file({"features": features.half().contiguous()}, path)
    return features
