"""Fit the classifier of sounds in weights of mospa.

    python -m recipes.sound_classifier DATA SPEECH OLD.safetensors NEW.safetensors

DATA is a corpus in SAM's layout with cached features (`motet data sam --size life`, then training),
SPEECH a speech corpus whose recordings of the split `train` are further examples of speech. Prints
accuracies on the split `val` of DATA, and on speech of the split `validation`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motet.audio.resampling import resample
from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.data.readers.sam import Sam, spatial_set
from motet.data.speech.corpus import built_sources, read_audio, read_index
from motet.data.speech.utterance import SPEECH_RATE_HZ
from motet.encoders.binaural import RATE_HZ, ear_features
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_classifier import LONGEST, SHORTEST, SoundClassifier, pool
from motet.reaction_families import FAMILY_NAMES, FAMILY_OF, SOUND_NAMES
from motet.types import Audio

VARIANTS, STEPS, RATE, DECAY = 6, 1500, 2e-3, 3e-2
SPEECH_S, PER_SPEAKER = 8.0, 2
"""Each speaker talks for so long, so many times."""

Examples = list[tuple[Tensor, int]]
"""Features of a sound from its onset to the next one, and the number of its kind."""


def corpus_examples(folder: Path, split: str) -> Examples:
    """Every event of a corpus, once for all genres."""
    data, seen, examples = Sam(folder), set(), []
    reactions = data.reactions()
    for item in spatial_set(folder, split, "mono", velocity_fps=30).items:
        name, _, first = item.name.partition("@")
        if (name[:-1], first) in seen:
            continue
        seen.add((name[:-1], first))
        onsets = [round(e["onset_s"] * 30) - int(first or 0) for e in reactions[name]["events"]]
        kinds = [SOUND_NAMES.index(e["class"]) for e in reactions[name]["events"]]
        for onset, stop, kind in zip(onsets, [*onsets[1:], len(item.audio)], kinds, strict=True):
            rows = item.audio[max(onset, 0) : max(stop, 0)]
            if len(rows) >= SHORTEST:
                examples.append((rows, kind))
    return examples


def speech_examples(folder: Path, split: str) -> Examples:
    """Joined recordings of every speaker, as loud as they are."""
    return [(ear_features(x, rhythm=False), SOUND_NAMES.index("speech"))
            for x in _speech(folder, split)]  # fmt: skip


def _speech(folder: Path, split: str) -> Iterator[Tensor]:
    random, length = np.random.default_rng(0), round(SPEECH_S * SPEECH_RATE_HZ)
    for source in built_sources(folder):
        sound, speakers = read_audio(folder, source), {}
        for entry in read_index(folder, source):
            if entry.split == split:
                piece = sound[entry.offset : entry.offset + entry.samples]
                speakers.setdefault(entry.speaker, []).append(piece)
        for pieces in speakers.values():
            for _ in range(PER_SPEAKER):
                order = random.permutation(len(pieces))[:12]
                samples = np.concatenate([pieces[k] for k in order])[:length] / 32768
                audio = Audio.mono(torch.from_numpy(samples.astype(np.float32)), SPEECH_RATE_HZ)
                gain = float(random.uniform(0.1, 1.0))
                yield resample(audio, RATE_HZ).samples * gain


def pooled(examples: Examples, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Statistics of random stretches: from around the onset on, of any length up to the longest."""
    rows, kinds = [], []
    for features, kind in examples:
        first = int(random.integers(0, 4))
        if random.random() < 0.3:  # from somewhere inside a sound that goes on
            first = int(random.integers(0, max(1, len(features) - 2 * SHORTEST)))
        length = int(random.integers(SHORTEST, LONGEST + 1))
        rows.append(pool(features[first : first + length]))
        kinds.append(kind)
    return torch.stack(rows), torch.tensor(kinds)


def fit(examples: Examples, columns: int) -> SoundClassifier:
    """Cross-entropy with weight decay; kinds count alike."""
    torch.manual_seed(0)
    random, classifier = np.random.default_rng(1), SoundClassifier(columns)
    nn_init = torch.nn.init.xavier_uniform_
    nn_init(classifier.outer.weight)
    drawn = [pooled(examples, random) for _ in range(VARIANTS)]
    inputs, kinds = torch.cat([d[0] for d in drawn]), torch.cat([d[1] for d in drawn])
    classifier.mean.copy_(inputs.mean(0))
    classifier.std.copy_(inputs.std(0).clamp(min=1e-3))
    share = torch.bincount(kinds, minlength=len(SOUND_NAMES)).float().clamp(min=1)
    loss = torch.nn.CrossEntropyLoss(share.rsqrt() / share.rsqrt().mean(), label_smoothing=0.05)
    optimiser = torch.optim.AdamW(classifier.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        batch = torch.from_numpy(random.integers(0, len(inputs), 256))
        noise = 1 + 0.1 * torch.randn(len(batch), 1)
        optimiser.zero_grad()
        loss(classifier(inputs[batch] * noise), kinds[batch]).backward()
        optimiser.step()
        schedule.step()
    return classifier.eval()


def report(classifier: SoundClassifier, examples: Examples, name: str) -> None:
    """Print how often the family and the kind are right."""
    inputs, kinds = pooled(examples, np.random.default_rng(2))
    found = classifier(inputs).argmax(-1)
    family = torch.tensor([FAMILY_NAMES.index(FAMILY_OF[n]) for n in SOUND_NAMES])
    right = (family[found] == family[kinds]).float().mean()
    print(f"{name}: {len(kinds)}, family {right:.3f}, kind {(found == kinds).float().mean():.3f}")


def main() -> None:
    """Fit, report, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "speech", "old", "new"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    train = corpus_examples(asked.data, "train") + speech_examples(asked.speech, "train")
    checkpoint = read_checkpoint(asked.old)
    config = from_json(MospaConfig, checkpoint.config)
    classifier = fit(train, config.audio_dim)
    report(classifier, train, "train")
    report(classifier, corpus_examples(asked.data, "val"), "val, variants that were trained on")
    report(classifier, corpus_examples(asked.data, "test"), "test, unheard variants")
    speech = speech_examples(asked.speech, "validation") + speech_examples(asked.speech, "test")
    if speech:
        report(classifier, speech, "speech of unheard speakers")
    own = {f"sound_classifier.{k}": v for k, v in classifier.state_dict().items()}
    tensors = {**MospaModel(config).state_dict(), **checkpoint.tensors, **own}
    print(asked.new, save_checkpoint(asked.new, tensors, config, checkpoint.facts))


if __name__ == "__main__":
    main()
