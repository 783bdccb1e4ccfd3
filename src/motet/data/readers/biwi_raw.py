"""BIWI (B3D(AC)^2) as it is downloaded: a file for each frame, scans, sounds.

    faces/SUBJECT/eNN/frame_001.vl ...     or faces/SUBJECT/eNN.tar, eNN.tgz with the same files
    rigid_scans/SUBJECT.obj                the neutral face with the triangles
    audio/SUBJECT/eNN.wav                  also audio/SUBJECT_eNN.wav, with `_cut` behind the name

Frames become CodeTalker's (`motet.data.readers.biwi.preprocess`); only the emotional sentences of
its splits are read.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from motet.audio import read_audio
from motet.data.readers.biwi import FPS, frame_of, place_of, preprocess
from motet.data.readers.vertex_sequences import VertexSequence, mono
from motet.errors import AssetError, InputError
from motet.geometry.mesh_files import read_mesh

ARCHIVES = (".tar", ".tgz", ".tar.gz")


def names_of(folder: Path) -> list[str]:
    """Sequences such as `F2_e01` that are there and belong to a split.

    Raises:
        AssetError: the folder is not the download.
    """
    faces = folder / "faces"
    if not faces.is_dir() or not (folder / "rigid_scans").is_dir():
        raise AssetError(
            f"{folder} is no download of BIWI: it needs faces/SUBJECT/eNN with .vl files (or"
            " eNN.tgz), rigid_scans/SUBJECT.obj and audio/"
        )
    names = {
        f"{subject.name}_{entry.name.split('.')[0]}"
        for subject in faces.iterdir()
        if subject.is_dir()
        for entry in subject.iterdir()
    }
    return sorted(name for name in names if place_of(name) is not None)


def read_raw_biwi(folder: Path, name: str, verts: int) -> VertexSequence:
    """One sequence, preprocessed, with its subject's neutral face.

    Raises:
        AssetError: a file is missing, damaged or of another topology.
        InputError: the name belongs to no split.
    """
    placed = place_of(name)
    if placed is None:
        raise InputError(f"{name!r} is no sequence of BIWI's splits, such as F2_e01")
    subject, _, sentence = name.partition("_")
    template, faces = neutral_face(folder, subject, verts)
    frames = [
        preprocess(frame, faces) for frame in _frames(folder / "faces" / subject, sentence, verts)
    ]
    if not frames:
        raise AssetError(f"{folder / 'faces' / subject / sentence} holds no frames (*.vl)")
    vertices = np.stack(frames).astype(np.float32)
    sound = mono(read_audio(_sound(folder / "audio", subject, sentence)))
    return VertexSequence(name, *placed, vertices, template, sound, FPS)


def neutral_face(
    folder: Path, subject: str, verts: int
) -> tuple[Float[np.ndarray, "verts 3"], Int[np.ndarray, "faces 3"]]:
    """The preprocessed scan of a subject and its triangles.

    Raises:
        AssetError: there is none, or of another topology.
    """
    path = folder / "rigid_scans" / f"{subject}.obj"
    mesh = read_mesh(path)
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces)
    if len(vertices) != verts:
        raise AssetError(f"{path} has {len(vertices)} vertices; BIWI has {verts}")
    return preprocess(vertices, faces), faces


def _frames(folder: Path, sentence: str, verts: int) -> Iterator[Float[np.ndarray, "verts 3"]]:
    """Raw frames in order, of a folder or of an archive, which is not unpacked."""
    if (folder / sentence).is_dir():
        for path in sorted((folder / sentence).rglob("*.vl")):
            yield frame_of(path.read_bytes(), str(path), verts)
        return
    for ending in ARCHIVES:
        path = folder / f"{sentence}{ending}"
        if path.is_file():
            yield from archived_frames(path, verts)


def archived_frames(path: Path, verts: int) -> Iterator[Float[np.ndarray, "verts 3"]]:
    """Frames of an archive by their names.

    Raises:
        AssetError: damaged, or with frames of another size.
    """
    try:
        with tarfile.open(path) as archive:
            members = [m for m in archive.getmembers() if m.isfile() and m.name.endswith(".vl")]
            for member in sorted(members, key=lambda m: m.name):
                # Larger members are not read at all: an archive from elsewhere may be a bomb.
                file = archive.extractfile(member) if member.size <= 12 * verts + 8 else None
                data = file.read() if file is not None else b""
                yield frame_of(data, f"{member.name} in {path}", verts)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise AssetError(f"{path} is damaged: {error}; fetch it again") from error


def _sound(folder: Path, subject: str, sentence: str) -> Path:
    # the three layouts in which copies of the data set are found
    stems = (f"{subject}/{sentence}", f"{subject}_{sentence}", f"{subject}/{subject}_{sentence}")
    for stem in stems:
        for path in (folder / f"{stem}.wav", folder / f"{stem}_cut.wav"):
            if path.is_file():
                return path
    raise AssetError(f"{folder / stems[0]}.wav is missing; every sequence needs its sound")
