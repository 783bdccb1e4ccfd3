"""English from the free synthesiser flite: four voices built from recordings, with exact phone
times (BSD-like).

Pitch and rate vary from sentence to sentence by a seed.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from motet.data.speech.utterance import Utterance
from motet.errors import AssetError
from motet.phonetics import phones
from recipes.speech.decode import read_speech
from recipes.speech.english_text import sentences
from recipes.speech.packages import SpeechPackages

LICENCE = "BSD-like (flite; CMU ARCTIC voices awb, rms, slt; kal16)"
_VOICES = ("slt", "rms", "awb", "kal16")


def utterances(
    packages: SpeechPackages, minutes: float = 90.0, seed: int = 1
) -> Iterator[Utterance]:
    """Sentences until `minutes` are full, the voices taking turns.

    Raises:
        AssetError: flite is not installed.
    """
    chance, seconds, text = random.Random(seed), 0.0, sentences(packages, seed)
    with tempfile.TemporaryDirectory() as folder:
        index = 0
        while seconds < minutes * 60:
            voice = _VOICES[index % len(_VOICES)]
            made = _speak(
                next(text), voice, chance.uniform(0.8, 1.3), Path(folder) / "out.wav", index
            )
            seconds, index = seconds + made.seconds, index + 1
            yield made


def _speak(text: str, voice: str, stretch: float, path: Path, index: int) -> Utterance:
    command = [
        "flite",
        "-voice",
        voice,
        "--setf",
        f"duration_stretch={stretch:.3f}",
        "-psdur",
        "-t",
        text,
        "-o",
        str(path),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise AssetError(
            f"flite does not run ({error}); install it: apt-get install flite"
        ) from error
    samples, labels, start = read_speech(path), [], 0.0
    for item in done.stdout.split():
        name, _, end = item.rpartition(":")
        labels.append((start, float(end), name.upper()))
        start = float(end)
    return Utterance(
        f"flite_{index:05d}",
        "flite",
        samples,
        "en",
        f"flite_{voice}",
        LICENCE,
        phones.spans(labels, phones.ARPABET),
        text,
    )
