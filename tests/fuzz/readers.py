"""Every reader of files from strangers, with small seeds made in code."""

from __future__ import annotations

import dataclasses
import gzip
import json
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motet.errors import AssetError
from tests.fuzz import data_readers as d
from tests.fuzz import mutations as m

RATE = 16_000


@dataclasses.dataclass(frozen=True)
class Reader:
    """One reader."""

    name: str
    seeds: Callable[[Path], list[Path]]
    """Writes small intact files into a folder."""
    read: Callable[[Path], object]
    mutations: tuple[m.Mutation, ...]


def _tone(seconds: float = 0.2, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * 200 * time)[:, None].repeat(channels, 1).astype(np.float32)


def _plain_sounds(folder: Path) -> list[Path]:
    import soundfile

    kinds = {
        "a.wav": ("WAV", "PCM_16", 1), "b.wav": ("WAV", "FLOAT", 2),
        "c.wav": ("WAVEX", "PCM_24", 6), "d.wav": ("WAV", "GSM610", 1),
        "e.wav": ("WAV", "IMA_ADPCM", 1), "f.wav": ("RF64", "PCM_16", 1),
        "g.aiff": ("AIFF", "PCM_16", 2), "h.aiff": ("AIFF", "FLOAT", 1),
        "i.w64": ("W64", "PCM_16", 1), "j.au": ("AU", "PCM_16", 1),
        "k.caf": ("CAF", "PCM_16", 1), "l.voc": ("VOC", "PCM_16", 1),
        "m.sph": ("NIST", "PCM_16", 1), "n.sph": ("NIST", "ULAW", 2),
    }  # fmt: skip
    for name, (kind, subtype, channels) in kinds.items():
        rate = 8000 if subtype == "GSM610" else RATE
        soundfile.write(folder / name, _tone(channels=channels), rate, subtype, format=kind)
    return [folder / name for name in kinds]


def _packed_sounds(folder: Path) -> list[Path]:
    import soundfile

    kinds = {"a.flac": ("FLAC", "PCM_16"), "b.ogg": ("OGG", "VORBIS"), "c.opus": ("OGG", "OPUS"),
             "d.mp3": ("MP3", "MPEG_LAYER_III")}  # fmt: skip
    for name, (kind, subtype) in kinds.items():
        soundfile.write(folder / name, _tone(channels=2), RATE, subtype, format=kind)
    return [folder / name for name in kinds]


def _films(folder: Path) -> list[Path]:
    import av

    paths = []
    for name, codec, picture in (
        ("a.m4a", "aac", False), ("b.mp4", "aac", True), ("c.mkv", "libopus", True),
        ("d.webm", "libvorbis", False), ("e.mov", "pcm_s16le", True), ("f.ts", "aac", False),
        ("g.avi", "mp2", False), ("h.wma", "wmav2", False), ("i.flv", "aac", False),
        ("j.amr", "libopencore_amrnb", False), ("k.ac3", "ac3", False),
    ):  # fmt: skip
        path = folder / name
        try:
            _film(path, codec, picture)
        except (av.FFmpegError, ValueError):  # a codec that this build does not write
            path.unlink(missing_ok=True)
            continue
        paths.append(path)
    return paths


def _film(path: Path, codec: str, picture: bool) -> None:
    import av

    with av.open(str(path), "w") as container:
        rate = 48_000 if codec == "libopus" else 8000 if "amr" in codec else 44_100
        sound = container.add_stream(codec, rate=rate)
        sound.layout = "mono"
        if picture:
            video = container.add_stream("libx264", rate=25)
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
            for _ in range(4):
                image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
                container.mux(video.encode(image))
            container.mux(video.encode(None))
        samples = (3000 * np.sin(np.arange(rate // 5) / 10)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


def _read_sound(path: Path) -> None:
    from motet.audio import open_audio

    sound = open_audio(path)
    for piece in sound.pieces():
        piece.samples.sum()


def _take(frames: int = 4) -> Any:
    from tests.export.takes import take

    return take(frames)


def _takes(folder: Path) -> list[Path]:
    from motet.export import write_clip

    clip = _take()
    return [write_clip(clip, folder / f"a.{ending}") for ending in ("npz", "csv", "json")]


def _bodies(folder: Path) -> list[Path]:
    from motet.export import write_clip
    from motet.types import Clip
    from tests.export.test_body import body

    clip = Clip(None, body(3))
    endings = ("npz", "bvh", "smplx.npz", "amass.npz", "beat2.npz")
    return [write_clip(clip, folder / f"b.{ending}") for ending in endings]


def _read_take(path: Path) -> None:
    from motet.export import read_take

    read_take(path)


def _arrays(folder: Path) -> list[Path]:
    np.save(folder / "a.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    np.save(folder / "b.npy", np.array(["a", "bc"]))
    np.savez(folder / "c.npz", a=np.zeros((2, 3)), b=np.arange(4))
    np.savez_compressed(folder / "d.npz", a=np.ones(100), t=np.array("text"))
    return [folder / name for name in ("a.npy", "b.npy", "c.npz", "d.npz")]


def _read_arrays(path: Path) -> None:
    from motet.array_files import read_array, read_arrays

    if path.suffix == ".npy":
        read_array(path)
        read_array(path, mapped=True)
    else:
        read_arrays(path)


VRM = {
    "VRMC_vrm": {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {"head": {"node": 2}, "neck": {"node": 1}}},
        "expressions": {
            "preset": {"aa": {"morphTargetBinds": [{"node": 3, "index": 0, "weight": 1.0}]}}
        },
    }
}


def _avatars(folder: Path) -> list[Path]:
    from tests.export.avatars import avatar

    return [
        avatar(folder / "a.glb", ["jawOpen", "mouthClose", "eyeBlinkLeft"]),
        avatar(folder / "b.glb", ["viseme_aa", "viseme_PP", "A", "Blink"]),
        avatar(folder / "c.vrm", ["Fcl_MTH_A", "Fcl_MTH_O"], extensions=VRM),
    ]


def _read_avatar(path: Path) -> None:
    from motet.export.gltf.avatar import animated_avatar

    animated_avatar(path, _take(2).motion, {})


def _maps(folder: Path) -> list[Path]:
    text = '{"MyShape": "jawOpen", "Other": null, "bones": {"head": "MyBone"}}'
    (folder / "a.json").write_text(text)
    return [folder / "a.json"]


def _read_map(path: Path) -> None:
    from motet.export.gltf.mapping import read_map

    read_map(path)


def _keys(folder: Path) -> list[Path]:
    from motet.methods.kmtalk.key_file import FORMAT
    from motet.types import arkit_space

    pose = {"jawOpen": 0.5, "head.x": 0.1}
    key = {"frame": 2, "edited": True, "phones": ["a", "b"], "pose": pose}
    space = arkit_space()
    content = {"format": FORMAT, "space": space.name, "fps": space.fps, "frames": 50}
    content["keys"] = [key, key]
    (folder / "a.json").write_text(json.dumps(content))
    return [folder / "a.json"]


def _read_keys(path: Path) -> None:
    from motet.methods.kmtalk.key_file import read_keys
    from motet.types import arkit_space

    read_keys(path, arkit_space(), 50)


def _checkpoints(folder: Path) -> list[Path]:
    from motet.checkpoint import save_checkpoint
    from tests.toy_method import SPEC

    tensors = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(3)}
    save_checkpoint(folder / "a.safetensors", tensors, SPEC.architectures()["default"], {"x": 1})
    return [folder / "a.safetensors"]


def _read_checkpoint(path: Path) -> None:
    from motet import config
    from motet.checkpoint import read_checkpoint, read_official
    from tests.toy_method import SPEC

    checkpoint = read_checkpoint(path)
    config.from_json(SPEC.config_type(), checkpoint.config)
    read_official(path)


def _official(folder: Path) -> list[Path]:
    torch.save({"model": {"w": torch.ones(3)}, "steps": 5}, folder / "a.pt")
    np.savez(folder / "b.npz", w=np.ones(3))
    return [folder / "a.pt", folder / "b.npz"]


def _read_official(path: Path) -> None:
    from motet.checkpoint import read_official

    read_official(path)


def _clips(folder: Path) -> list[Path]:
    from motet.data.clip import save_clip
    from tests.data.test_clip import recording

    return [save_clip(folder / "a.safetensors", [recording("one", 3), recording("two", 4)])]


def _read_clips(path: Path) -> None:
    from motet.data.clip import RecordingFile

    file = RecordingFile(path)
    for number in range(min(len(file), 5)):
        file.facts(number)
        file.read(number)


def _indices(folder: Path) -> list[Path]:
    from motet.data.corpus import save_indexed
    from tests.data.test_clip import recording

    save_indexed(folder / "clip.safetensors", recording("one", 3))
    return [folder / "index.json"]


def _read_index(path: Path) -> None:
    from motet.data.corpus import read_index

    place = path.with_name("index.json")
    place.write_bytes(path.read_bytes())
    read_index(path.parent)


def _pickles(folder: Path) -> list[Path]:
    value = {"a": np.arange(6.0).reshape(2, 3), "b": [1, "x", None], "c": np.int64(3)}
    for protocol in (2, 4):
        (folder / f"{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
    return [folder / "2.pkl", folder / "4.pkl"]


def _read_pickle(path: Path) -> None:
    from motet.restricted_unpickle import read_inert

    read_inert(path.read_bytes())


def _databases(folder: Path) -> list[Path]:
    import lmdb

    with lmdb.open(str(folder / "db"), map_size=1 << 20) as base, base.begin(write=True) as change:
        for number in range(40):
            change.put(f"key{number}".encode(), bytes([number]) * 20)
        change.put(b"large", bytes(9000))
    return [folder / "db" / "data.mdb"]


def _read_database(path: Path) -> None:
    import lmdb

    from motet.data.readers.lmdb_pages import check_lmdb

    check_lmdb(path)
    try:
        with (
            lmdb.open(str(path), subdir=False, readonly=True, lock=False) as base,
            base.begin(buffers=True) as view,
        ):
            for key, value in view.cursor():
                bytes(key), bytes(value[:1])
    except lmdb.Error as error:  # as the reader itself does
        raise AssetError(f"{path}: {error}") from error


def _timings(folder: Path) -> list[Path]:
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\n'
    tier = ' item [1]:\n  class = "IntervalTier"\n  name = "phones"\n  xmin = 0\n  xmax = 1\n'
    spans = "  intervals: size = 2\n" + "".join(
        f'  intervals [{k}]:\n   xmin = {k / 2 - 0.5}\n   xmax = {k / 2}\n   text = "AA1"\n'
        for k in (1, 2)
    )
    rows = [{"start": 0.0, "end": 0.4, "phone": "a"}, {"start": 0.4, "end": 1, "phone": "b"}]
    entries = [[0.0, 0.5, "a"], [0.5, 1, "b"]]
    texts = {
        "a.TextGrid": f"{head}tiers? <exists>\nsize = 1\nitem []:\n{tier}{spans}",
        "b.ctm": "f 1 0.0 0.5 a\nf 1 0.5 0.2 b\n",
        "c.csv": "begin,end,label\n0.0,0.5,a\n0.5,0.9,b\n",
        "d.json": json.dumps(rows),
        "e.json": json.dumps({"tiers": {"phones": {"entries": entries}}}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def _read_timings(path: Path) -> None:
    from motet.phonetics.timings import read_timings

    read_timings(path)


def _persons(folder: Path) -> list[Path]:
    from motet.methods.speech2lip.config import PRESETS
    from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson

    SyntheticPerson(PRESETS["tiny"]).write(folder / "p")
    return [path for path in (folder / "p").iterdir() if path.suffix in (".json", ".safetensors")]


def _read_person(path: Path) -> None:
    from motet.methods.speech2lip.person import folder as person
    from motet.methods.speech2lip.person.tensor_files import read_tensors

    if path.suffix == ".json":
        path.with_name(person.FACTS).write_bytes(path.read_bytes())
        person.read_facts(path.parent)
    else:
        read_tensors(path)


def _ledgers(folder: Path) -> list[Path]:
    lines = [{"key": "k", "outputs": {"a.mp4": "0" * 24}}, {"key": "l", "outputs": ["b"]}]
    (folder / "a.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return [folder / "a.jsonl"]


def _read_ledger(path: Path) -> None:
    from motet.batch.ledger import Ledger

    Ledger(path).is_done("k", [Path("a.mp4")])


def _settings(folder: Path) -> list[Path]:
    (folder / "a.json").write_text(json.dumps({"steps": 5, "batch": 4, "learning_rate": 0.1}))
    return [folder / "a.json"]


def _read_settings(path: Path) -> None:
    from motet import config
    from motet.imported import flatten, read_settings
    from motet.training.run_folder import _stored
    from motet.training.settings import TrainConfig

    _stored(path)
    found = read_settings(path)
    flatten(found)
    config.from_json(TrainConfig, found)


def _sam_lists(folder: Path) -> list[Path]:
    line = {"id": "a", "split": "test", "family": "x", "policy": "y", "genre": "z"}
    (folder / "reactions.jsonl").write_text(f"{json.dumps(line)}\n" * 3)
    return [folder / "reactions.jsonl"]


def _read_sam_list(path: Path) -> None:
    from motet.synthesis.reaction.corpus import summary

    path.with_name("reactions.jsonl").write_bytes(path.read_bytes())
    summary(path.parent)


def _motion_captures(folder: Path) -> list[Path]:
    (path,) = [path for path in _bodies(folder) if path.suffix == ".bvh"]
    with gzip.open(folder / "c.bvh.gz", "wb") as file:
        file.write(path.read_bytes())
    return [path, folder / "c.bvh.gz"]


def _read_motion_capture(path: Path) -> None:
    from motet.body.bvh_format import read_bvh

    read_bvh(path)


TREE, TEXT = (m.tree, m.tree, *m.PLAIN), (m.words, m.words, *m.PLAIN)
READERS: tuple[Reader, ...] = (
    Reader("sound", _plain_sounds, _read_sound, (m.chunks, *m.PLAIN)),
    Reader("packed sound", _packed_sounds, _read_sound, m.PLAIN),
    Reader("film", _films, _read_sound, (m.boxes, *m.PLAIN)),
    Reader("take", _takes, _read_take, (m.archive, m.words, m.tree, *m.PLAIN)),
    Reader("body", _bodies, _read_take, (m.archive, m.words, *m.PLAIN)),
    Reader("arrays", _arrays, _read_arrays, (m.archive, m.npy_header, *m.PLAIN)),
    Reader("avatar", _avatars, _read_avatar, (m.glb, m.glb, m.glb, *m.PLAIN)),
    Reader("avatar map", _maps, _read_map, TREE),
    Reader("keys", _keys, _read_keys, TREE),
    Reader("checkpoint", _checkpoints, _read_checkpoint, (m.safetensors, *m.PLAIN)),
    Reader("official weights", _official, _read_official, (m.archive, *m.PLAIN)),
    Reader("clips", _clips, _read_clips, (m.safetensors, m.safetensors, *m.PLAIN)),
    Reader("corpus index", _indices, _read_index, TREE),
    Reader("pickle", _pickles, _read_pickle, m.PLAIN),
    Reader("database", _databases, _read_database, m.PLAIN),
    Reader("timings", _timings, _read_timings, (*TEXT, m.tree)),
    Reader("person", _persons, _read_person, (m.safetensors, m.tree, *m.PLAIN)),
    Reader("ledger", _ledgers, _read_ledger, TEXT),
    Reader("settings", _settings, _read_settings, TREE),
    Reader("reactions", _sam_lists, _read_sam_list, TEXT),
    Reader("motion capture", _motion_captures, _read_motion_capture, TEXT),
    Reader("mesh", d.meshes, d.read_mesh_file, (m.words, m.words, *m.PLAIN)),
    Reader("flame", d.flame_files, d.read_flame_file, (m.archive, m.safetensors, *m.PLAIN)),
    Reader("identity", d.identities, d.read_identity_file, (m.archive, m.npy_header, *m.PLAIN)),
    Reader("texture space", d.texture_spaces, d.read_texture_space, (m.archive, *m.PLAIN)),
    Reader("responses", d.responses, d.read_responses, m.PLAIN),
    Reader("raw frames", d.raw_frames, d.read_raw_frames, m.PLAIN),
    Reader("neutral faces", d.neutral_faces, d.read_neutral_faces, (m.archive, *m.PLAIN)),
    Reader("vocaset index", d.vocaset_indices, d.read_vocaset_index, m.PLAIN),
    Reader("manifest", d.manifests, d.read_manifest_file, TEXT),
    Reader("edits", d.edit_files, d.read_edits_of, TREE),
    Reader("captions", d.captions, d.read_captions, TEXT),
    Reader("source path", d.source_paths, d.read_source_path, (m.npy_header, *TEXT)),
    Reader("region", d.regions, d.read_region_file, (m.tree, m.npy_header, *TEXT)),
)
