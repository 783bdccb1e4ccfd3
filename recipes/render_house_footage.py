"""Footage of the house figure: speech from several voices, motion from ARTalk, pictures from the
renderer; and the truth beside it.

    python recipes/render_house_footage.py house.mp4 --speech CORPUS/speech --seconds 75
    motet fit house.mp4 -o house --consent "the house figure: a rendered character, nobody's
    likeness"

`house.npz` beside the video is the take: the figure's motion, from which the true pose and depth of
every frame follow (`recipes.rendered_ground_truth`). Speech that may shape shipped weights only:
Kokoro (Apache-2.0), flite and festvox-ru (BSD-like)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from motet import run
from motet.export import write_clip
from motet.types import Audio

VOICES = ("kokoro54", "flite", "festvox_ru")
RATE_HZ, PAUSE_S = 16_000, 0.35


def speech(folder: Path, seconds: float, seed: int) -> np.ndarray:
    """Whole utterances of the voices in turn, drawn by the seed, with pauses between them."""
    noise = np.random.default_rng(seed)
    sources = {
        name: (
            json.loads((folder / f"{name}.json").read_text()),
            np.load(folder / f"{name}.audio.npy", mmap_mode="r"),
        )
        for name in VOICES
    }
    pieces, length = [], 0.0
    while length < seconds:
        items, sound = sources[VOICES[len(pieces) // 2 % len(VOICES)]]
        item = items[int(noise.integers(len(items)))]
        if not 2.0 <= item["samples"] / RATE_HZ <= 8.0:
            continue
        samples = np.asarray(sound[item["offset"] : item["offset"] + item["samples"]])
        samples = samples / 32768.0 if samples.dtype == np.int16 else samples.astype(np.float64)
        pieces += [
            0.1 * samples / max(float(np.sqrt((samples**2).mean())), 1e-4),
            np.zeros(round(PAUSE_S * RATE_HZ)),
        ]
        length += (len(pieces[-1]) + len(pieces[-2])) / RATE_HZ
    return np.clip(np.concatenate(pieces), -1, 1)[: round(seconds * RATE_HZ)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument(
        "--speech",
        type=Path,
        required=True,
        help="speech corpus, as 'python -m recipes.speech_corpus' builds it",
    )
    parser.add_argument("--seconds", type=float, default=75.0)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sound = torch.from_numpy(speech(given.speech, given.seconds, given.seed)).float()
    take = run(Audio.mono(sound, RATE_HZ), "artalk", seed=given.seed)
    take.save(given.video.with_suffix(".npz"))
    write_clip(take, given.video, size=given.size)
    print(given.video, f"{take.motion.seconds:.1f} s")


if __name__ == "__main__":
    main()
