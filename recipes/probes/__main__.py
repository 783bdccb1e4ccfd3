"""What the shipped phonetic encoder knows about lips and phones of unseen speakers.

    python -m recipes.probes --data DATA

`DATA` holds `grid_s1`, `other_speakers`, `speech` (`python -m recipes.speech_corpus`) and, for the
phones, downloads the public packages of `recipes.speech.held_out`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motet.data.speech.corpus import read_audio, read_index
from motet.data.speech.utterance import Utterance
from motet.encoders.phonetic.encoder import PhoneticEncoder
from recipes.probes.lips import PAST_STEPS, probe_lips
from recipes.probes.phones import probe_phones
from recipes.speech.held_out import english_sentences, known_words
from recipes.speech.packages import SpeechPackages

LABELLED = ("grid", "festvox_ru", "flite")


def training_speech(folder: Path, every: int = 6) -> Iterator[Utterance]:
    """Every so many labelled training utterances of the speech corpus."""
    for source in LABELLED:
        sound = read_audio(folder, source)
        entries = [e for e in read_index(folder, source) if e.split == "train" and e.phones]
        for entry in entries[::every]:
            pcm = sound[entry.offset : entry.offset + entry.samples]
            yield Utterance(
                entry.name,
                source,
                np.asarray(pcm, np.float32) / 32767,
                entry.language,
                entry.speaker,
                entry.licence,
                entry.phones,
            )


def main() -> None:
    """Fit the probes and print their scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    encoder, packages = PhoneticEncoder.load(), SpeechPackages(data / "packages", data)
    tests = {
        "English": list(english_sentences(packages)),
        "Italian": list(known_words(packages, "asterisk_it")),
        "Spanish": list(known_words(packages, "asterisk_es")),
    }

    def features(samples):
        return encoder.encode(samples).hidden

    print(probe_lips(features, data / "grid_s1", data / "other_speakers"))
    training = list(training_speech(data / "speech"))
    for language, score in probe_phones(features, training, tests, PAST_STEPS).items():
        print(language, score)


if __name__ == "__main__":
    main()
