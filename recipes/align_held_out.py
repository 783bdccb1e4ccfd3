"""Write `src/motet/evaluation/held_out_phones.json`: when each phone of the held-out sentences is
spoken.

    MOTET_DATA=../shared/data python -m recipes.align_held_out

Facts about public recordings, kept in the repository so that evaluation does not need the aligner.
The sentences are GRID clips (their names spell their texts) and five LibriVox sentences.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import soundfile
import torch

from motet.data.readers.grid import grid_sentence
from motet.phonetics.alignment import Aligner, AlignmentFailed, Phone
from motet.types import Audio

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MOTET_DATA", ROOT.parent / "shared" / "data"))
TARGET = ROOT / "src" / "motet" / "evaluation" / "held_out_phones.json"
LIBRIVOX = ROOT / "src" / "motet" / "data" / "librivox"


def sentences() -> list[tuple[str, Audio, str]]:
    """Name, sound and text of everything that is held out and whose text is known."""
    result = []
    for name, text in json.loads((LIBRIVOX / "sentences.json").read_text()).items():
        result.append((f"librivox/{name}", _read(LIBRIVOX / f"{name}.flac"), text))
    names = [str(name) for name in np.load(DATA / "grid_s1" / "motion.npz")["names"]]
    result += [
        (f"grid_s1/{name}", _read(DATA / "grid_s1" / "audio" / f"{name}.flac"), grid_sentence(name))
        for name in names[::20]
    ]
    for path in sorted((DATA / "other_speakers").glob("grid_*.npz")):
        pcm = np.load(path)["audio"].astype(np.float32) / 32768
        result.append(
            (
                f"other_speakers/{path.stem}",
                Audio.mono(torch.from_numpy(pcm), 16000),
                grid_sentence(path.stem.removeprefix("grid_")),
            )
        )
    return result


def _read(path: Path) -> Audio:
    samples, rate = soundfile.read(path, dtype="float32")
    return Audio.mono(torch.from_numpy(samples), rate)


def _rows(phones: list[Phone]) -> str:
    return json.dumps(
        [[phone.label, round(phone.start_s, 2), round(phone.end_s, 2)] for phone in phones],
        separators=(",", ":"),
    )


def main() -> None:
    aligner, lines = Aligner(), []
    for name, audio, text in sentences():
        try:
            lines.append(f'"{name}":{_rows(aligner.align(audio, text))}')
        except AlignmentFailed:
            print(f"{name}: the text does not fit, left out")
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(lines)} sentences, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
