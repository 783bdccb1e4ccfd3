"""Frame error, closure recall and precision of the speech heads on voices held out of training.

    python -m recipes.head_scores --data DATA

`DATA/speech` is the speech corpus; its validation split is encoded offline and as a stream.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.encoders.base import encode
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_whisper_encoder
from motet.phonetics.phones import INDEX, PHONES, SILENCE, SYMBOLS, frame_labels
from motet.phonetics.recognition import viseme

VISEMES = sorted({viseme(symbol) for symbol in SYMBOLS})
VISEME_OF = torch.tensor([VISEMES.index(viseme(symbol)) for symbol in SYMBOLS])
TOLERANCE = 2
"""Steps of 20 ms by which a closure may lie beside its label."""


@dataclasses.dataclass
class Scores:
    """Counts over utterances."""

    steps: int = 0
    wrong: int = 0
    wrong_visemes: int = 0
    closures: int = 0
    found: int = 0
    predicted: int = 0
    right: int = 0

    def add(
        self,
        phones: Float[Tensor, "steps phones"],
        closed: Bool[Tensor, "steps"],
        entry: CorpusEntry,
    ) -> None:
        """One utterance; silence is left out of the frame error."""
        labels = torch.tensor(frame_labels(entry.phones, len(phones), 50.0))
        spoken = (labels >= 0) & (labels != INDEX[SILENCE])
        named, labels = phones.argmax(-1)[spoken], labels[spoken]
        self.steps += len(labels)
        self.wrong += int((named != labels).sum())
        self.wrong_visemes += int((VISEME_OF[named] != VISEME_OF[labels]).sum())
        spans = [span for span in entry.phones if PHONES[span.symbol].is_closure]
        truth = torch.zeros(len(phones), dtype=torch.bool)
        for span in spans:
            first, last = round(span.start * 50), round(span.end * 50)
            truth[max(0, first - TOLERANCE) : last + 1 + TOLERANCE] = True
            self.found += bool(closed[max(0, first - 1) : last + 2].any())
        self.closures += len(spans)
        runs = _runs(closed)
        self.predicted += len(runs)
        self.right += sum(bool(truth[first:last].any()) for first, last in runs)

    def row(self) -> str:
        """Frame error, viseme error, recall, precision, number of closures."""
        shares = (
            self.wrong / max(1, self.steps),
            self.wrong_visemes / max(1, self.steps),
            self.found / max(1, self.closures),
            self.right / max(1, self.predicted),
        )
        return " | ".join(f"{share:.3f}" for share in shares) + f" | {self.closures}"


def _runs(closed: Bool[Tensor, " steps"]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.pad(closed.numpy().astype(int), 1)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def scores_of(
    encoder: WhisperAudioEncoder,
    entries: Sequence[CorpusEntry],
    sound: Int[np.ndarray, " time"],
    threshold: float = 0.5,
) -> Scores:
    """The heads on some utterances."""
    scores = Scores()
    for entry in entries:
        pcm = sound[entry.offset : entry.offset + entry.samples].astype(np.float32) / 32767
        features = encode(encoder, torch.from_numpy(pcm).unsqueeze(0))
        closed = encoder.closures(features, 0, features.shape[1])[0] > threshold
        scores.add(encoder.phones(features)[0], closed, entry)
    return scores


def main() -> None:
    """Print one row for each source, language and mode."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sources", nargs="*", default=["kokoro54", "grid", "festvox_ru"])
    parser.add_argument("--look-ahead", type=float, nargs="*", default=[0.12, 0.3], metavar="S")
    options = parser.parse_args()
    whole = load_whisper_encoder(None, 0)
    modes = {"offline": whole}
    modes |= {f"stream {s:.2f} s": whole.streaming(s) for s in options.look_ahead}
    print("| speech | mode | frame error | viseme error | closure recall | precision | closures |")
    print("|---|---|---|---|---|---|---|")
    for source in options.sources:
        sound = read_audio(options.data / "speech", source)
        index = read_index(options.data / "speech", source)
        held = [entry for entry in index if entry.split == "validation" and entry.phones]
        for language in sorted({entry.language for entry in held}):
            entries = [entry for entry in held if entry.language == language][:30]
            for name, encoder in modes.items():
                row = scores_of(encoder, entries, sound).row()
                print(f"| {source} {language} | {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
