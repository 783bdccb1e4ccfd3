"""Data sets of meshes as they are downloaded, written in the exchange layout that training and
evaluation read; sequences that are written already are left as they are.

    OUT/vertices_npy/NAME.npy, OUT/wav/NAME.wav, OUT/templates.npz, OUT/import.json
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.array_files import read_array, read_arrays
from motet.atomic_write import appearing, make_folder, write_bytes
from motet.audio import write_audio
from motet.data.readers import biwi, biwi_raw, vocaset
from motet.data.readers.vertex_sequences import VertexSequence, read_templates
from motet.errors import ConfigError, InputError

FACTS = "import.json"
Report = Callable[[str, int], None]
"""Called with the name of each sequence and how many are done."""


@dataclasses.dataclass(frozen=True)
class Imported:
    """What an import found and wrote."""

    out: Path
    seconds: Mapping[str, float]
    """By split."""
    written: int
    """Sequences written by this run; the others were there."""
    total: int

    def lines(self) -> list[str]:
        """For the terminal."""
        splits = ", ".join(f"{name} {value / 60:.1f} min" for name, value in self.seconds.items())
        return [f"{self.out}  {self.total} sequences, {self.written} written now", splits]


@dataclasses.dataclass(frozen=True)
class _Source:
    """A download: names of its sequences, and how to read one."""

    data_set: str
    licence: str
    preprocessing: str
    sequences: Callable[[Callable[[str], bool]], Iterator[VertexSequence]]
    """(whether a sequence is written already) -> those that are not."""
    templates: Callable[[], Mapping[str, Float[np.ndarray, "verts 3"]]]
    place: Callable[[str], tuple[str, str] | None]
    fps: float
    """Rows of the files a second."""


def import_meshes(data_set: str, folder: Path, out: Path, report: Report | None = None) -> Imported:
    """Convert VOCASET or BIWI.

    Args:
        data_set: vocaset or biwi.
        folder: the download.
        out: folder of the copy; a run that was stopped goes on.

    Raises:
        AssetError: the download is incomplete or damaged.
        InputError: it holds no sequence of any split, or `out` is the download itself.
        ConfigError: `out` holds another data set.
    """
    if out.resolve() == folder.resolve():
        raise InputError(f"{out} is the download itself; write the copy into another folder")
    source = _source(data_set, folder)
    _claim(out, source)
    for name in ("vertices_npy", "wav"):
        make_folder(out / name)
    written = 0
    for sequence in source.sequences(lambda name: _is_written(out, name)):
        _write(out, sequence)
        written += 1
        if report is not None:
            report(sequence.name, written)
    _save(out / "templates.npz", lambda file: np.savez(file, **source.templates()))
    return _summary(out, source, written)


def _source(data_set: str, folder: Path) -> _Source:
    if data_set == "vocaset":
        return _Source(
            "vocaset",
            "Max Planck Society, non-commercial research",
            "none: metres, 60 rows a second",
            lambda skip: (s for s in vocaset.read_original(folder) if not skip(s.name)),
            lambda: read_templates(folder / "templates.pkl", vocaset.VERTS),
            vocaset.place_of,
            # VOCASET's files have 60 rows a second, of which every second is read.
            vocaset.FPS * vocaset.STRIDE,
        )
    names = biwi_raw.names_of(folder)
    return _Source(
        "biwi",
        "on request, research only",
        "CodeTalker: turned, centred and scaled frame by frame",
        lambda skip: (
            biwi_raw.read_raw_biwi(folder, name, biwi.VERTS) for name in names if not skip(name)
        ),
        lambda: {
            subject: biwi_raw.neutral_face(folder, subject, biwi.VERTS)[0]
            for subject in sorted({name.partition("_")[0] for name in names})
        },
        biwi.place_of,
        biwi.FPS,
    )


def _claim(out: Path, source: _Source) -> None:
    """A folder holds one data set."""
    make_folder(out)
    path = out / FACTS
    if path.is_file() and json.loads(path.read_text()).get("data_set") != source.data_set:
        raise ConfigError(f"{out} holds another data set; give -o an empty folder")
    # `_summary` replaces it once the import is complete.
    write_bytes(path, json.dumps({"data_set": source.data_set}).encode())


def _is_written(out: Path, name: str) -> bool:
    """The sound is written last."""
    return (out / "wav" / f"{name}.wav").is_file()


def _write(out: Path, sequence: VertexSequence) -> None:
    # (frames, vertices, 3) to row-major xyz, as FaceFormer's converters write it
    rows = np.asarray(sequence.vertices, np.float32).reshape(len(sequence.vertices), -1)
    _save(out / "vertices_npy" / f"{sequence.name}.npy", lambda file: np.save(file, rows))
    with appearing(out / "wav" / f"{sequence.name}.wav") as beside:
        write_audio(sequence.audio, beside)


def _save(path: Path, save: Callable[[io.BytesIO], None]) -> None:
    buffer = io.BytesIO()
    save(buffer)
    write_bytes(path, buffer.getvalue())


def _summary(out: Path, source: _Source, written: int) -> Imported:
    """Splits and statistics of all that lies in the folder, also in `import.json`."""
    seconds: dict[str, float] = {}
    splits: dict[str, list[str]] = {}
    squares, numbers = 0.0, 0
    templates = read_templates(out / "templates.npz", _verts(out))
    for path in sorted((out / "vertices_npy").glob("*.npy")):
        placed = source.place(path.stem)
        if placed is None or not _is_written(out, path.stem):
            continue
        rows = read_array(path, mapped=True)
        offsets = rows - templates[placed[0]].reshape(1, -1)
        # Sums, not a mean of means: sequences differ in length.
        squares, numbers = squares + float(np.square(offsets).sum()), numbers + offsets.size
        seconds[placed[1]] = seconds.get(placed[1], 0.0) + len(rows) / source.fps
        splits.setdefault(placed[1], []).append(path.stem)
    if not splits:
        raise InputError(f"{out} has no sequence of a split; is the download complete?")
    facts = {
        "data_set": source.data_set,
        "licence": source.licence,
        "preprocessing": source.preprocessing,
        "splits": splits,
        "seconds": seconds,
        "root_mean_square_displacement": (squares / numbers) ** 0.5,
    }
    write_bytes(out / FACTS, json.dumps(facts, indent=1).encode())
    return Imported(out, seconds, written, sum(map(len, splits.values())))


def _verts(out: Path) -> int:
    return len(next(iter(read_arrays(out / "templates.npz").values())))
