"""Seeds and readers of meshes, FLAME files, data sets, impulse responses, lists and captions."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np

VERTS = 6
"""Vertices of the small topology that stands for a data set's own."""
SUBJECT = "FaceTalk_170728_03272_TA"
"""A training speaker of VOCASET."""


def meshes(folder: Path) -> list[Path]:
    """A tetrahedron as OBJ with quads and texture indices, and as PLY in text and binary."""
    points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    triangles = [(0, 1, 2), (0, 2, 3), (0, 3, 1)]
    rows = [f"v {x} {y} {z}" for x, y, z in points]
    rows += ["vt 0 0", *(f"f {a + 1}/1 {b + 1}/1 {c + 1}/1" for a, b, c in triangles), "f 1 2 3 4"]
    (folder / "a.obj").write_text("\n".join(rows) + "\n")
    head = (
        "ply\nformat {}\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 3\nproperty list uchar int vertex_indices\nend_header\n"
    )
    text = "".join(f"{x} {y} {z}\n" for x, y, z in points)
    text += "".join(f"3 {a} {b} {c}\n" for a, b, c in triangles)
    (folder / "b.ply").write_text(head.format("ascii 1.0") + text)
    body = np.array(points, "<f4").tobytes()
    body += b"".join(b"\3" + np.array(t, "<i4").tobytes() for t in triangles)
    (folder / "c.ply").write_bytes(head.format("binary_little_endian 1.0").encode() + body)
    return [folder / name for name in ("a.obj", "b.ply", "c.ply")]


def read_mesh_file(path: Path) -> None:
    """A user's template."""
    from motet.export.user_mesh import read_template

    read_template(path)


def flame_files(folder: Path) -> list[Path]:
    """The official pickle, and the same tables in the other formats."""
    import torch
    from safetensors.torch import save_file

    from tests.flame_files import random_tables, write_pickle

    tables = random_tables(VERTS)
    write_pickle(folder / "a.pkl", tables)
    np.savez(folder / "b.npz", **tables)
    tensors = {f"flame.{k}": torch.from_numpy(v.astype(np.float32)) for k, v in tables.items()}
    save_file(tensors, folder / "c.safetensors")
    torch.save(tensors, folder / "d.pt")
    return [folder / name for name in ("a.pkl", "b.npz", "c.safetensors", "d.pt")]


def read_flame_file(path: Path) -> None:
    """The model, then one posed face: a bad triangle or joint shows there."""
    import torch

    from motet.rigs.flame import load_flame

    flame = load_flame(path)
    flame.vertices(torch.zeros(1, 100), torch.zeros(1, 5, 3))


def identities(folder: Path) -> list[Path]:
    """Shape coefficients alone and in an archive."""
    np.save(folder / "a.npy", np.ones(100, np.float32))
    np.savez(folder / "b.npz", shape=np.ones((3, 300), np.float32))
    return [folder / "a.npy", folder / "b.npz"]


def read_identity_file(path: Path) -> None:
    """Shape coefficients of a user's file."""
    from motet.export.user_mesh import read_identity

    read_identity(path)


def texture_spaces(folder: Path) -> list[Path]:
    """A texture space of the same triangles as `flame_files`."""
    from tests.flame_files import random_tables

    faces = random_tables(VERTS)["f"]
    picture, corners = np.full((4, 4, 3), 120.0), np.arange(faces.size).reshape(faces.shape)
    np.savez(folder / "a.npz", mean=picture, vt=np.full((faces.size, 2), 0.5), ft=corners)
    return [folder / "a.npz"]


def read_texture_space(path: Path) -> None:
    """Colours of the vertices."""
    from motet.export.user_mesh import read_colours
    from motet.rigs.flame import flame_from_tables
    from tests.flame_files import random_tables

    read_colours(path, flame_from_tables(random_tables(VERTS)))


def responses(folder: Path) -> list[Path]:
    """A SOFA file of four directions."""
    import h5py

    values = {
        "Data.IR": np.ones((4, 2, 64)),
        "SourcePosition": np.ones((4, 3)),
        "Data.SamplingRate": [48_000.0],
    }
    with h5py.File(folder / "a.sofa", "w") as file:
        for name, value in values.items():
            file[name] = value
    return [folder / "a.sofa"]


def read_responses(path: Path) -> None:
    """A head from impulse responses."""
    from motet.audio.spatial.hrtf import load_head

    load_head(path)


def _frame() -> bytes:
    return VERTS.to_bytes(4, "little") + np.ones((VERTS, 3), "<f4").tobytes()


def raw_frames(folder: Path) -> list[Path]:
    """A raw frame of BIWI, and archives of three."""
    (folder / "a.vl").write_bytes(_frame())
    for name, mode in (("b.tar", "w"), ("c.tar.gz", "w:gz")):
        with tarfile.open(folder / name, mode) as archive:
            for number in range(3):
                member = tarfile.TarInfo(f"frame_{number:03}.vl")
                member.size = len(_frame())
                archive.addfile(member, io.BytesIO(_frame()))
    return [folder / name for name in ("a.vl", "b.tar", "c.tar.gz")]


def read_raw_frames(path: Path) -> None:
    """One frame, or all of an archive."""
    from motet.data.readers import biwi, biwi_raw

    if path.suffix == ".vl":
        biwi.read_vl(path, VERTS)
    else:
        for _ in biwi_raw.archived_frames(path, VERTS):
            pass


def neutral_faces(folder: Path) -> list[Path]:
    """Neutral faces by subject, as downloaded and as converted."""
    faces = {SUBJECT: np.ones((VERTS, 3))}
    (folder / "a.pkl").write_bytes(pickle.dumps(faces, 2))
    np.savez(folder / "b.npz", **faces)
    return [folder / "a.pkl", folder / "b.npz"]


def read_neutral_faces(path: Path) -> None:
    """Neutral faces by subject."""
    from motet.data.readers.vertex_sequences import read_templates

    read_templates(path, VERTS)


def vocaset_indices(folder: Path) -> list[Path]:
    """The two index files of VOCASET's download; the name says which."""
    index = {SUBJECT: {"sentence01": {0: 0, 1: 1, 2: 2}}}
    sound = {"audio": np.zeros(2000, np.int16), "sample_rate": 22_050}
    (folder / "a.index.pkl").write_bytes(pickle.dumps(index, 2))
    (folder / "b.sound.pkl").write_bytes(pickle.dumps({SUBJECT: {"sentence01": sound}}, 2))
    return [folder / "a.index.pkl", folder / "b.sound.pkl"]


def read_vocaset_index(path: Path) -> None:
    """The download with one of its index files changed."""
    from motet.data.readers import vocaset

    folder = path.parent / f"vocaset{path.suffixes[0]}"
    if not folder.exists():
        folder.mkdir()
        np.save(folder / "data_verts.npy", np.zeros((4, vocaset.VERTS, 3), np.float32))
        faces = {SUBJECT: np.zeros((vocaset.VERTS, 3), np.float32)}
        (folder / "templates.pkl").write_bytes(pickle.dumps(faces, 2))
        index, sound = vocaset_indices(folder)
        index.rename(folder / "subj_seq_to_idx.pkl")
        sound.rename(folder / "raw_audio_fixed.pkl")
    name = "subj_seq_to_idx" if ".index" in path.suffixes else "raw_audio_fixed"
    (folder / f"{name}.pkl").write_bytes(path.read_bytes())
    for _ in vocaset.read_original(folder):
        pass


def manifests(folder: Path) -> list[Path]:
    """A list of recordings as a table and as JSON lines."""
    rows = [{"audio": "a.wav", "name": "x", "seed": 3, "emotion": "happy"}, {"audio": "b.wav"}]
    (folder / "a.csv").write_text("audio,name,seed,text\na.wav,x,3,hello\nb.wav,y,4,\n")
    (folder / "b.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return [folder / "a.csv", folder / "b.jsonl"]


def read_manifest_file(path: Path) -> None:
    """The rows of a list of recordings."""
    from motet.batch.manifest import read_manifest

    read_manifest(path)


def edit_files(folder: Path) -> list[Path]:
    """Edits of a take with layers of each kind."""
    span = {"t0": 0.02, "t1": 0.1, "groups": ["mouth", "head"]}
    layers = [
        {"type": "key", "channels": ["jawOpen"], "t": 0.1, "value": 0.5, "in": 0.05, "out": 0.05},
        {"type": "region", **span, "gain": 0.5, "offset": 0.1, "fade": 0.1},
        {"type": "shift", **span, "dt": 0.05},
        {"type": "take", **span, "take_id": "t", "fade": 0.1},
        {"type": "close_lips", "t": 0.1, "width": 0.08},
    ]
    (folder / "a.json").write_text(json.dumps(layers[:3]))
    (folder / "b.json").write_text(json.dumps({"layers": layers, "seeds": {"t": 4}}))
    return [folder / "a.json", folder / "b.json"]


def read_edits_of(path: Path) -> None:
    """Edits, applied to a short take."""
    from motet.editing import read_edit_file
    from tests.export.takes import take

    clip = take(6)
    read_edit_file(path.read_bytes()).applied(clip, lambda seed: clip.motion)


def captions(folder: Path) -> list[Path]:
    """Captions of both formats."""
    text = "1\n00:00:00,000 --> 00:00:01,500\nHello <i>there</i>\n\n2\n"
    text += "00:00:01,500 --> 00:00:02,000\nagain\n"
    (folder / "a.srt").write_text(text)
    (folder / "b.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n")
    return [folder / "a.srt", folder / "b.vtt"]


def read_captions(path: Path) -> None:
    """Captions and the text that they become again."""
    from motet.export.captions import read_cues, srt, vtt

    cues = read_cues(path)
    srt(cues), vtt(cues)


def source_paths(folder: Path) -> list[Path]:
    """Positions of a sound source over time."""
    rows = np.array([[0.0, 1.0, 1.6, 2.0], [1.0, 0.5, 1.6, 2.0]])
    (folder / "a.csv").write_text("time,x,y,z\n0,1,1.6,2\n1,0.5,1.6,2\n")
    np.save(folder / "b.npy", rows)
    np.savez(folder / "c.npz", sound_source=rows[:, 1:])
    return [folder / name for name in ("a.csv", "b.npy", "c.npz")]


def read_source_path(path: Path) -> None:
    """Positions of a sound source."""
    from motet.body.source_path import parse_source

    parse_source(str(path))


def regions(folder: Path) -> list[Path]:
    """Vertices of a region in every format."""
    (folder / "a.txt").write_text("0, 1, 2\n")
    (folder / "b.json").write_text(json.dumps({"lips": [0, 1], "nose": [2]}))
    (folder / "c.pkl").write_bytes(pickle.dumps({"lips": np.arange(2), "nose": np.arange(3)}, 2))
    np.save(folder / "d.npy", np.arange(3))
    return [folder / name for name in ("a.txt", "b.json", "c.pkl", "d.npy")]


def read_region_file(path: Path) -> None:
    """Vertices of a region."""
    from motet.metrics.regions import read_region

    part = "lips" if path.suffix in (".json", ".pkl") else ""
    read_region(path, "mouth", part, VERTS)
