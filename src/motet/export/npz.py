"""The take as a NumPy archive: everything in a clip, readable with `numpy.load` alone.

- `format`: `motet-take/1`
- one key for each track: float32 (frames, ...), under its own name, e.g. `blendshapes`, `head`
- `fps`: float64
- `space`: name of the motion space
- `tracks`: names of the tracks in their order in the flat vector
- `<track>.unit`: meaning of one number
- `<track>.channels`: names along the last axis (may be empty)
- `method`, `weights`: name of the method and digest of its weights (empty when unknown)
- `seed`: int64 (-1 when unknown)
- `condition`: the options of the take, JSON
- `provenance`: everything known about how the take was made, JSON; includes the four above
- `sound`: the bytes of a FLAC file (uint8), or samples (float32, channels, time), if there is one
- `sample_rate`: int64, of the sound
- `layout`: `mono`, `stereo`, ...
- `sound_scale`: float64, factor on the decoded sound (1 unless it exceeded full scale)

`name.smplx.npz`, `name.amass.npz` and `name.beat2.npz` are archives of other programs instead:
`motet.export.smplx_npz`; so are `name.flame.npz`, `name.vhap.npz` and `name.vertices.npz`:
`motet.export.face_archives`.

The same clip gives the same bytes: members have a fixed order and date.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
import torch

from motet.array_files import read_arrays
from motet.atomic_write import appearing
from motet.audio.io.write import write_flac
from motet.audio_types import AudioSource
from motet.config import parse_json
from motet.errors import AssetError, AudioError, SpaceError
from motet.export import face_archives, smplx_npz
from motet.export.curves import single_motion
from motet.export.options import ExportOptions
from motet.types import Audio, Clip, Layout, Motion, MotionSpace, Track

FORMAT = "motet-take/1"
_OWN_KEYS = {
    "format", "fps", "space", "tracks", "method", "weights", "seed", "condition", "provenance",
    "sound", "sample_rate", "layout", "sound_scale",
}  # fmt: skip


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write a take.

    Raises:
        InputError: the clip has no motion, a track has the name of another key, or the provenance
            is not JSON.
    """
    if kind := smplx_npz.kind_of(path):
        options.report(smplx_npz.write_kind(clip, path, kind))
        return
    if kind := face_archives.kind_of(path):
        options.report(face_archives.write_kind(clip, path, kind, options))
        return
    motion = single_motion(clip, "take")
    members = {"format": np.array(FORMAT), **_curves(motion), **_provenance(clip)}
    with (
        appearing(path) as beside,
        zipfile.ZipFile(beside, "w") as archive,
        tempfile.TemporaryFile(dir=path.parent) as flac,
    ):
        for name, array in members.items():
            _store(archive, name, array)
        if clip.audio is not None and clip.audio.length:
            _store_sound(archive, clip.audio, flac)
    options.report(motion.frames)


def read(path: Path) -> Clip:
    """Read a take written by `write`.

    Raises:
        AssetError: not a take, damaged, or of a newer format.
    """
    members = read_arrays(path)
    if "format" not in members and ("poses" in members or "global_orient" in members):
        return smplx_npz.read_kind(members, path)
    version = _text(members, "format", path)
    if version != FORMAT:
        raise AssetError(
            f"{path} is a take of the format {version[:40]!r}, this program reads {FORMAT!r}"
        )
    try:
        provenance = parse_json(_text(members, "provenance", path))
        if not isinstance(provenance, dict):
            raise AssetError(f"{path} is damaged: its provenance is not an object")
        return Clip(_read_sound(members, path), _read_motion(members, path), provenance=provenance)
    except (ValueError, RecursionError, SpaceError, AudioError, KeyError, RuntimeError) as error:
        raise AssetError(f"{path} is damaged: {error}") from error


def _curves(motion: Motion) -> dict[str, np.ndarray]:
    members: dict[str, np.ndarray] = {}
    for track in motion.space.tracks:
        if track.name in _OWN_KEYS or "." in track.name or "/" in track.name:
            raise SpaceError(f"a track named {track.name!r} cannot be written; rename it")
        members[track.name] = motion[track.name].float().cpu().contiguous().numpy()
    names = [track.name for track in motion.space.tracks]
    members |= {
        "fps": np.array(float(motion.space.fps)),
        "space": np.array(motion.space.name),
        "tracks": _texts(names),
    }
    for track in motion.space.tracks:
        members[f"{track.name}.unit"] = np.array(track.unit)
        members[f"{track.name}.channels"] = _texts(track.channels)
    return members


def _provenance(clip: Clip) -> dict[str, np.ndarray]:
    facts = clip.provenance
    options = facts.get("condition", facts.get("options", {}))
    try:
        condition = json.dumps(options, sort_keys=True, allow_nan=False)
        provenance = json.dumps(dict(facts), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssetError(f"the provenance of the clip is not JSON: {error}") from error
    seed = facts.get("seed")
    return {
        "method": np.array(str(facts.get("method", ""))),
        "weights": np.array(str(facts.get("weights", ""))),
        "seed": np.array(seed if isinstance(seed, int) and abs(seed) < 2**63 else -1, np.int64),
        "condition": np.array(condition),
        "provenance": np.array(provenance),
    }


def _store_sound(archive: zipfile.ZipFile, audio: AudioSource, flac: BinaryIO) -> None:
    """The sound as FLAC: 16 bits where that is exact, else 24; raw where FLAC cannot hold it."""
    if isinstance(audio, Audio) and audio.samples.ndim != 2:
        raise AudioError(
            "a take holds one sound (channels, time), this has the shape"
            f" {tuple(audio.samples.shape)}"
        )
    facts = {"sample_rate": np.array(audio.sample_rate, np.int64), "layout": np.array(audio.layout)}
    if audio.channels > 8 or audio.sample_rate > 655_350:
        raw = audio.load().samples.detach().float().cpu().contiguous().numpy()
        members = {"sound": raw, "sound_scale": np.array(1.0), **facts}
    else:
        scale, bits = _scale_and_bits(audio)
        write_flac((_scaled(piece, scale) for piece in audio.pieces()), flac, bits)
        _store_bytes(archive, "sound", flac)
        members = {"sound_scale": np.array(scale), **facts}
    for name, array in members.items():
        _store(archive, name, array)


def _scale_and_bits(audio: AudioSource) -> tuple[float, int]:
    """The power of two by which samples are divided to lie in [-1, 1), and the bits they need."""
    highest, peak = -math.inf, 0.0
    for piece in audio.pieces():
        highest = max(highest, float(piece.samples.max()))
        peak = max(peak, float(piece.samples.abs().max()))
    scale = 1.0 if highest < 1 and peak <= 1 else 2.0 ** math.floor(math.log2(peak) + 1)
    values = (_scaled(piece, scale).samples * 2**15 for piece in audio.pieces())
    return scale, 16 if all(bool((value == value.round()).all()) for value in values) else 24


def _scaled(audio: Audio, scale: float) -> Audio:
    samples = audio.samples.detach().float().cpu() / scale
    return Audio(samples, audio.sample_rate, "other")


def _store_bytes(archive: zipfile.ZipFile, name: str, file: BinaryIO) -> None:
    """The content of a file as an array of bytes."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    header = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(header, facts)
    info = _member(name)
    info.file_size = len(header.getvalue()) + size
    with archive.open(info, "w") as member:
        member.write(header.getvalue())
        shutil.copyfileobj(file, member, 1 << 20)


def _store(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    data = io.BytesIO()
    np.lib.format.write_array(data, array, version=(1, 0), allow_pickle=False)
    archive.writestr(_member(name), data.getvalue())


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_STORED if name == "sound" else zipfile.ZIP_DEFLATED
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


def _texts(names: Any) -> np.ndarray:
    return np.array(list(names), dtype=np.str_) if len(names) else np.zeros(0, "<U1")


def _text(members: dict[str, np.ndarray], key: str, path: Path) -> str:
    value = members.get(key)
    if value is None or value.dtype.kind != "U" or value.ndim != 0:
        raise AssetError(f"{path} is not a take of motet: it has no text {key!r}")
    return str(value)


def _number(members: dict[str, np.ndarray], key: str, path: Path) -> float:
    value = members.get(key)
    if value is None or value.dtype.kind not in "if" or value.ndim != 0 or not np.isfinite(value):
        raise AssetError(f"{path} is damaged: it has no number {key!r}")
    return float(value)


def _names(members: dict[str, np.ndarray], key: str, path: Path) -> tuple[str, ...]:
    value = members.get(key)
    if value is None or value.dtype.kind != "U" or value.ndim != 1:
        raise AssetError(f"{path} is damaged: it has no names {key!r}")
    return tuple(map(str, value))


def _read_motion(members: dict[str, np.ndarray], path: Path) -> Motion:
    tracks, values = [], []
    for name in _names(members, "tracks", path):
        array = members.get(name, np.zeros(0))
        is_table = array.dtype == np.float32 and array.ndim >= 2 and array.size > 0
        if not is_table or not np.isfinite(array).all():
            raise AssetError(
                f"{path} is damaged: the track {name[:40]!r} is not a table of finite numbers"
            )
        channels = _names(members, f"{name}.channels", path)
        if channels and len(channels) != array.shape[-1]:
            raise AssetError(
                f"{path} is damaged: the track {name[:40]!r} has {array.shape[-1]} channels and"
                f" {len(channels)} names"
            )
        tracks.append(Track(name, array.shape[1:], _text(members, f"{name}.unit", path), channels))
        values.append(torch.from_numpy(array.reshape(len(array), -1)))
    fps = _number(members, "fps", path)
    if not tracks or len({len(value) for value in values}) != 1 or not 0 < fps <= 1000:
        raise AssetError(f"{path} is damaged: its tracks or its frame rate make no motion")
    space = MotionSpace(_text(members, "space", path), tuple(tracks), fps)
    return Motion(torch.cat(values, dim=-1), space)


def _read_sound(members: dict[str, np.ndarray], path: Path) -> Audio | None:
    if "sound" not in members:
        return None
    sound, rate = members["sound"], int(_number(members, "sample_rate", path))
    layout: Any = _text(members, "layout", path)
    if layout not in get_args(Layout):
        raise AssetError(f"{path} is damaged: a sound of layout {layout[:20]!r}")
    if sound.dtype == np.float32 and sound.ndim == 2:
        return Audio(torch.from_numpy(sound), rate, layout)
    if sound.dtype != np.uint8 or sound.ndim != 1:
        raise AssetError(f"{path} is damaged: its sound is neither FLAC nor samples")
    import soundfile

    flac = io.BytesIO(sound.tobytes())
    try:
        samples, flac_rate = soundfile.read(flac, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError, MemoryError) as error:
        raise AssetError(f"{path} is damaged: its sound cannot be decoded") from error
    if flac_rate != rate:
        raise AssetError(f"{path} is damaged: its sound has {flac_rate} Hz, it declares {rate}")
    scale = np.float32(_number(members, "sound_scale", path))
    return Audio(torch.from_numpy(np.ascontiguousarray(samples.T * scale)), rate, layout)
