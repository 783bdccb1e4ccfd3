"""Fit the classifier of sounds in weights of mospa.

    python -m recipes.sound_classifier SPEECH SOUNDFONT OLD.safetensors NEW.safetensors

Sounds are those of the synthetic soundscapes, plain ones (`recipes.plain_sounds`), and what a
soundfont plays (`recipes.general_midi`); SPEECH is a speech corpus whose recordings of the split
`train` are further examples of speech. Prints
accuracies on variants of the sounds and on speakers that were not fitted. The weights also get an
example of each family: the features of a sound that the denoiser was trained with.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motet.audio.resampling import resample
from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.config import from_json
from motet.data.speech.corpus import built_sources, read_audio, read_index
from motet.data.speech.utterance import SPEECH_RATE_HZ
from motet.encoders.binaural import RATE_HZ, ear_features
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_classifier import LONGEST, SHORTEST, SoundClassifier, pool
from motet.reaction_families import FAMILY_NAMES, FAMILY_OF, SOUND_FAMILIES, SOUND_NAMES
from motet.synthesis.soundscape.classes import make_sound
from motet.synthesis.soundscape.tones import RATE as SOUND_RATE
from motet.types import Audio
from recipes.general_midi import COMPOSERS, Player
from recipes.plain_sounds import MAKERS, recorded

VARIANTS, STEPS, RATE, DECAY = 8, 2500, 2e-3, 3e-2
NOISE = 0.3
"""Deviation of what is added to inputs, in deviations of each: rooms and microphones differ."""
SOUND_S, SPEECH_S, PER_SPEAKER = 4.2, 4.2, 5
"""Seconds of a made sound and of a speaker, and how often each speaker talks."""
MOST_SPEAKERS = 30
EXAMPLE_VARIANT = 1
TRAINED, UNHEARD = range(5, 17), range(4, 5)
PLAIN, UNHEARD_PLAIN = range(56), range(100, 108)
"""Variants of the sounds; the training of the denoiser leaves out number 4. Seeds of the plain
sounds."""

Examples = list[tuple[Tensor, int]]
"""Features of a sound from its onset to the next one, and the number of its kind."""


def sound_examples(variants: range) -> Examples:
    """Made sounds of every kind, from their onset on."""
    random, examples = np.random.default_rng(3), []
    for name in FAMILY_OF:
        number = SOUND_NAMES.index(name)
        for variant in variants:
            made = make_sound(name, SOUND_S + 0.7, (0, variant))
            onset = round(made.onset_s * SOUND_RATE)
            samples = made.samples[onset : onset + round(SOUND_S * SOUND_RATE)]
            if variant % 4:
                samples = recorded(random, samples)
            examples.append((_features(samples * random.uniform(0.15, 1.0)), number))
    return examples


def plain_examples(seeds: range) -> Examples:
    """Plain sounds through rooms and microphones."""
    examples = []
    for name, make in MAKERS.items():
        for seed in seeds:
            random = np.random.default_rng([seed, SOUND_NAMES.index(name)])
            samples = recorded(random, make(random, SOUND_S))
            examples.append((_features(samples), SOUND_NAMES.index(name)))
    return examples


def played_examples(soundfont: Path, seed: int, share: float = 1.0) -> Examples:
    """What instruments of a soundfont play, through rooms and microphones."""
    player, examples = Player(soundfont), []
    for name, compose, count in COMPOSERS:
        for number in range(round(share * count)):
            random = np.random.default_rng([seed, number, SOUND_NAMES.index(name)])
            samples = player.play(*compose(random, SOUND_S), SOUND_S)
            if number % 3:
                samples = recorded(random, samples)
            examples.append(
                (_features(samples * random.uniform(0.2, 1.0)), SOUND_NAMES.index(name))
            )
    return examples


def _features(samples: np.ndarray) -> Tensor:
    audio = resample(Audio.mono(torch.from_numpy(samples).float(), SOUND_RATE), RATE_HZ)
    return ear_features(audio.samples.flatten(), rhythm=False)


def speech_examples(folder: Path, split: str) -> Examples:
    """Joined recordings of every speaker, as loud as they are."""
    return [(_features(x), SOUND_NAMES.index("speech")) for x in _speech(folder, split)]


def _speech(folder: Path, split: str) -> Iterator[np.ndarray]:
    random, length = np.random.default_rng(0), round(SPEECH_S * SPEECH_RATE_HZ)
    for source in built_sources(folder):
        sound, speakers = read_audio(folder, source), {}
        for entry in read_index(folder, source):
            if entry.split == split:
                piece = sound[entry.offset : entry.offset + entry.samples]
                speakers.setdefault(entry.speaker, []).append(piece)
        for _, pieces in sorted(speakers.items())[:MOST_SPEAKERS]:
            for number in range(PER_SPEAKER):
                order = random.permutation(len(pieces))[:12]
                samples = np.concatenate([pieces[k] for k in order])[:length] / 32768
                audio = Audio.mono(torch.from_numpy(samples.astype(np.float32)), SPEECH_RATE_HZ)
                samples = resample(audio, SOUND_RATE).samples.flatten().double().numpy()
                yield recorded(random, samples) if number else random.uniform(0.1, 1.0) * samples


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
        noise = NOISE * classifier.std * torch.randn(len(batch), inputs.shape[1])
        optimiser.zero_grad()
        loss(classifier(inputs[batch] + noise), kinds[batch]).backward()
        optimiser.step()
        schedule.step()
    return classifier.eval()


def report(classifier: SoundClassifier, examples: Examples, name: str) -> None:
    """Print how often the family and the kind are right."""
    inputs, kinds = pooled(examples, np.random.default_rng(2))
    predicted = classifier(inputs).argmax(-1)
    family = torch.tensor([FAMILY_NAMES.index(SOUND_FAMILIES[n]) for n in SOUND_NAMES])
    right = (family[predicted] == family[kinds]).float().mean()
    print(
        f"{name}: {len(kinds)}, family {right:.3f}, kind {(predicted == kinds).float().mean():.3f}"
    )


def main() -> None:
    """Fit, report, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("speech", "soundfont", "old", "new"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    train = sound_examples(TRAINED) + plain_examples(PLAIN)
    train += speech_examples(asked.speech, "train") + played_examples(asked.soundfont, seed=1)
    checkpoint = read_checkpoint(asked.old)
    config = dataclasses.replace(from_json(MospaConfig, checkpoint.config), families=True)
    classifier = fit(train, config.audio_dim)
    report(classifier, train, "fitted")
    report(classifier, sound_examples(UNHEARD), "unheard variants")
    report(classifier, plain_examples(UNHEARD_PLAIN), "unheard plain sounds")
    report(classifier, played_examples(asked.soundfont, 2, 0.2), "unheard pieces")
    for split in ("validation", "test"):
        speech = speech_examples(asked.speech, split)
        if speech:
            report(classifier, speech, f"speech, split {split}")
    own = {f"sound_classifier.{k}": v for k, v in classifier.state_dict().items()}
    own["family_examples"] = family_examples(config.window)
    tensors = {**MospaModel(config).state_dict(), **checkpoint.tensors, **own}
    print(asked.new, save_checkpoint(asked.new, tensors, config, checkpoint.facts, half=True))


EXAMPLE_OF = {
    "attend": "phone", "greet": "speech", "dance": "music", "avoid": "vehicle", "cover": "siren",
    "flee": "gunshot", "endure": "wind",
}  # fmt: skip
"""The sound that stands for each family."""


def family_examples(frames: int) -> Tensor:
    """Features of one sound of each family from its onset on, (families, frames, columns)."""
    rows = []
    for family in FAMILY_NAMES:
        made = make_sound(EXAMPLE_OF[family], frames / 30 + 1.3, (0, EXAMPLE_VARIANT))
        samples = torch.from_numpy(made.samples[round(made.onset_s * SOUND_RATE) :]).float()
        audio = resample(Audio.mono(samples, SOUND_RATE), RATE_HZ)
        rows.append(ear_features(audio.samples.flatten(), rhythm=False)[:frames])
    return torch.stack(rows)


if __name__ == "__main__":
    main()
