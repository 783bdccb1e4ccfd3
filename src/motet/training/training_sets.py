"""Readers of training sets: performances of motet's corpus, bodies in SAM's layout, meshes in the
layouts of VOCASET and BIWI.

Each returns the training set and what the finished weights record about it (a function, because
naming all sources of a corpus takes a moment). A method's specification names its reader.
"""

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
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.data.clip import Interval
from motet.data.corpus import PRIVATE, TRAINABLE, Corpus, Entry
from motet.data.readers.artalk_lmdb import ArtalkDatabase
from motet.data.readers.biwi import read_biwi
from motet.data.readers.hdtf_tfhp import TfhpDatabase
from motet.data.readers.sam import spatial_set
from motet.data.readers.vertex_sequences import vertex_training_set
from motet.data.readers.vocaset import read_vocaset
from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.lips import LipEncoder, load_lip_encoder
from motet.encoders.phonetic.encoder import PhoneticEncoder, load_phonetic
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.errors import InputError
from motet.face.lip_shapes import close_lips
from motet.methods.artalk.spaces import training_space
from motet.phonetics.phones import PHONES
from motet.training.feature_variants import Variant, variant_features, variants_of
from motet.training.mesh_phones import MeshPhones
from motet.training.voice_augment import SHARE, perturbed_features
from motet.types import Audio, Motion, arkit_space

About = Callable[[], dict[str, Any]]
MAKER_WEIGHT: Mapping[str, float] = {"tracked": 3.0, "solved": 1.5, "synthesised": 1.0}
"""Sampling weight of a frame of each origin: real people count more than synthesis."""

CLOSING_S = 0.04
"""Time in which lips come together and part around a closure."""


_MESHES = {"vertices/vocaset": read_vocaset, "vertices/biwi": read_biwi}


def performances(architecture: Any, folder: Path) -> tuple[TrainingSet, About]:
    """A corpus of motet with features of the phonetic encoder."""
    return training_set(folder), partial(_phonetic_facts, folder)


def whisper_performances(
    architecture: Any, folder: Path
) -> tuple[TrainingSet | ArtalkDatabase, About]:
    """A corpus of motet with Whisper's features, whole and streamed, of clean and degraded sound;
    with those of the phonetic encoder for a model of that encoder. For the published training
    generation the data base that its authors' program reads.
    """
    if architecture.training is not None and (folder / "data.mdb").is_file():
        return _artalk_database(folder)
    if architecture.streaming is None or architecture.streaming.front_end != "lips":
        return performances(architecture, folder)
    return lip_set(folder), partial(_whisper_facts, folder)


def _artalk_database(folder: Path) -> tuple[ArtalkDatabase, About]:
    data = ArtalkDatabase(folder, training_space())
    hours = sum(data.frames.values()) / data.space.fps / 3600
    return data, lambda: {
        "data": f"{hours:.2f} h in {len(data.frames)} clips of {folder.name}",
        "licence": "as the data set",
    }


def meshes_or_performances(architecture: Any, folder: Path) -> tuple[TrainingSet, About]:
    """VOCASET or BIWI for a model of their vertices, otherwise a corpus of motet."""
    space = architecture.space
    if space not in _MESHES:
        return performances(architecture, folder)
    own_trunk = architecture.trunk is not None
    on_phones = architecture.needs_keys and not architecture.anchor.startswith("uniform")
    meshes = vertex_training_set(
        _MESHES[space](folder, "train"),
        space,
        None if own_trunk else load_phonetic().features,
        MeshPhones(folder) if on_phones else None,
    )
    return meshes, lambda: {
        "data": f"{len(meshes.items)} sequences of {folder.name}",
        "licence": "as the data set",
    }


def flame_or_performances(
    architecture: Any, folder: Path
) -> tuple[TrainingSet | TfhpDatabase, About]:
    """HDTF-TFHP for a FLAME model, otherwise a corpus of motet."""
    if architecture.space != "flame":
        return performances(architecture, folder)
    data = TfhpDatabase(folder, "train")
    hours = sum(data.frames.values()) / data.space.fps / 3600
    return data, lambda: {
        "data": f"{hours:.2f} h in {len(data.names)} videos of {folder.name}",
        "licence": "as the data set",
    }


def bodies(architecture: Any, folder: Path) -> tuple[Any, About]:
    """Bodies and binaural features, in SAM's layout."""
    bodies_set = spatial_set(
        folder, "train", architecture.sound_features, velocity_fps=architecture.velocity_fps
    )
    hours = sum(len(item.motion) for item in bodies_set.items) / 30 / 3600
    return bodies_set, lambda: {
        "data": f"{hours:.2f} h in {len(bodies_set.items)} sequences in SAM's layout",
        "licence": "Apache-2.0",
    }


def training_set(data: Path, split: str = "train", cache: Path | None = None) -> TrainingSet:
    """The clips of a corpus that may train weights, each also with a perturbed voice;
    phonetic features are kept in `cache`.

    Raises:
        InputError: no clip of that split, or not a corpus.
    """
    corpus, encoder = Corpus(data), load_phonetic()
    # Features of sound at the level of `speech_level`; earlier ones lie under the digest alone.
    cache = (cache or data / "features") / f"{encoder.digest}-level"
    items: list[TrainingItem] = []
    for entry in trainable(corpus, split):
        item = training_item(corpus, entry, _features(corpus, entry, encoder.features, cache))
        double = _features(
            corpus, entry, partial(_perturbed, encoder, entry.facts.name), cache / "perturbed"
        )
        items += [
            # The weight of the clip is split, so that a perturbed copy does not count it twice.
            dataclasses.replace(item, weight=item.weight * (1 - SHARE)),
            dataclasses.replace(item, features=double, weight=item.weight * SHARE),
        ]
    return TrainingSet(arkit_space(), items)


def lip_set(data: Path, split: str = "train", cache: Path | None = None) -> TrainingSet:
    """The clips of a corpus that may train weights, each with its variants of the features of the
    encoder `lips` (`motet.training.feature_variants`); they are kept in `cache`.

    Raises:
        InputError: no clip of that split, or not a corpus.
    """
    corpus, encoder, cache = Corpus(data), load_lip_encoder(None, 0), cache or data / "features"
    items: list[TrainingItem] = []
    for entry in trainable(corpus, split):
        variants = variants_of(entry.facts.name)
        for variant in variants:
            features = _lip_features(corpus, entry, variant, encoder, cache)
            item = training_item(corpus, entry, features)
            # All variants of a recording together weigh as much as the recording.
            items.append(dataclasses.replace(item, weight=item.weight / len(variants)))
    return TrainingSet(arkit_space(), items)


def _lip_features(
    corpus: Corpus, entry: Entry, variant: Variant, encoder: LipEncoder, cache: Path
) -> Float[Tensor, "steps dim"]:
    """Of whole recordings Whisper's features alone are kept: the mouth is a product away."""
    if variant.look_ahead_s != float("inf"):
        encode = partial(variant_features, variant=variant, encoder=encoder)
        return _features(corpus, entry, encode, cache / encoder.mouth_digest / variant.name)
    network = WhisperAudioEncoder(encoder.network, encoder.digest)
    return encoder.with_mouth(whole_features(corpus, entry, network, cache))


def whole_features(
    corpus: Corpus, entry: Entry, encoder: WhisperAudioEncoder, cache: Path
) -> Float[Tensor, "steps dim"]:
    """Whisper's features of a whole recording, degraded as its first variant is."""
    variant = variants_of(entry.facts.name)[0]
    encode = partial(variant_features, variant=variant, encoder=encoder)
    return _features(corpus, entry, encode, cache / encoder.digest / variant.name)


def trainable(corpus: Corpus, split: str) -> list[Entry]:
    """The entries of a split whose licence allows training.

    Raises:
        InputError: there are none.
    """
    entries = corpus.select(split=split, licences=TRAINABLE)
    if not entries:
        raise InputError(
            f"{corpus.folder} has no {split} clips whose licence allows training; licences are"
            f" {', '.join(TRAINABLE)}"
        )
    return entries


def _perturbed(encoder: PhoneticEncoder, name: str, audio: Audio) -> Tensor:
    return perturbed_features(audio, encoder, zlib.crc32(name.encode()))


def _whisper_facts(data: Path) -> dict[str, Any]:
    about = "whole and in part streamed, clean or through rooms, microphones and noise"
    return corpus_facts(data, about, load_network()[1])


def _phonetic_facts(data: Path) -> dict[str, Any]:
    return corpus_facts(data, "each also with a perturbed voice", load_phonetic().digest)


def corpus_facts(data: Path, about: str, front_end: str) -> dict[str, Any]:
    """What weights record about a corpus."""
    entries = trainable(Corpus(data), "train")
    private = any(entry.facts.licence == PRIVATE for entry in entries)
    hours: dict[str, float] = {}
    for entry in entries:
        hours[f"{entry.facts.source} ({entry.facts.licence})"] = (
            hours.get(f"{entry.facts.source} ({entry.facts.licence})", 0.0) + entry.seconds / 3600
        )
    rounded = {source: round(value, 3) for source, value in sorted(hours.items())}
    return {
        "data": f"{sum(hours.values()):.2f} h in {len(entries)} clips, {about}",
        "licence": PRIVATE if private else "Apache-2.0",
        "sources": rounded,
        "front_end": front_end,
    }


def training_item(corpus: Corpus, entry: Entry, features: Tensor) -> TrainingItem:
    """A clip with its features; lips of tracked people are closed in p, b and m."""
    recording = corpus.read(entry)
    # Everything trains at 25 frames a second.
    motion = recording.motion if recording.motion.space.fps == 25 else recording.motion.at(25)
    valid = (
        recording.valid_channels
        if recording.valid_channels is not None
        else torch.ones(motion.space.dim, dtype=torch.bool)
    )
    # Only trackers leave gaps; made and solved performances close their lips.
    if recording.facts.maker == "tracked" and recording.facts.phones:
        motion = _with_sure_closures(motion, recording.facts.phones)
    phones = tuple((phone.start, phone.end, phone.symbol) for phone in recording.facts.phones)
    weight = MAKER_WEIGHT.get(entry.facts.maker, 1.0)
    return TrainingItem(
        motion.values,
        features,
        valid,
        entry.facts.speaker,
        entry.facts.style,
        phones,
        weight,
        recording=entry.facts.name,
    )


def _with_sure_closures(motion: Motion, phones: Sequence[Interval]) -> Motion:
    """The lips of a tracked person closed in every p, b and m: the tracker leaves a third of them
    open by a millimetre or two.
    """
    time = torch.arange(motion.frames).double() / motion.space.fps
    amount = torch.zeros(motion.frames, dtype=torch.float64)
    for phone in phones:
        if phone.symbol in PHONES and PHONES[phone.symbol].is_closure:
            # seconds outside the phone; the lips part within CLOSING_S
            outside = torch.maximum(phone.start - time, time - phone.end).clamp(min=0)
            amount = torch.maximum(amount, (1 - outside / CLOSING_S).clamp(min=0))
    sealed = close_lips(motion["blendshapes"].double().numpy(), amount.numpy())
    return motion.with_track("blendshapes", torch.from_numpy(sealed).float())


def _features(
    corpus: Corpus, entry: Entry, encode: Callable[[Audio], Tensor], cache: Path
) -> Tensor:
    """Features of one clip, float16 on disk; named by what they depend on, so a changed corpus is
    encoded anew.
    """
    # Not `hash`, which differs between processes.
    identity = json.dumps([entry.facts.name, entry.file, entry.seconds, entry.facts.seed])
    path = cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.safetensors"
    if path.exists():
        return load_file(path)["features"].float()
    recording = corpus.read(entry)
    if recording.audio is None:
        raise InputError(f"the clip {entry.facts.name!r} has no sound to train on")
    cache.mkdir(parents=True, exist_ok=True)
    features = encode(recording.audio)
    save_file({"features": features.half().contiguous()}, path)
    return features
