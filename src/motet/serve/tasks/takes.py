"""Takes: generated from a sound, or read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from motet import config as settings
from motet.audio import open_audio, read_audio
from motet.errors import AssetError
from motet.export import read_take, write_clip
from motet.export.npz import read as read_npz
from motet.options import OptionValue, Postprocess
from motet.request import Request
from motet.serve.folder import DataFolder
from motet.serve.tasks.task import Arguments, Json, Report, mapping, number, text
from motet.session import load_methods
from motet.sinks import MOTION_SINK
from motet.types import Audio, Clip, frame_count

READABLE = (".npz", ".csv", ".json", ".bvh")


def make_take(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Generate a take from a sound and write it under the id `take`.

    The bytes are those that `motet run` writes for the same sound, name and options.
    """
    identity, name = text(arguments, "take"), text(arguments, "name")
    report("reading the sound")
    audio = open_audio(folder.sound(text(arguments, "sound")))
    request = _request(arguments, folder)
    report("loading the method")
    generator = load_methods(text(arguments, "method"), None, request.options)
    report("generating")
    is_motion = generator.sink is MOTION_SINK
    path = folder.take(identity, ".npz" if is_motion else ".mp4")

    def progress(file: Path, frames: int) -> Callable[[int], None]:
        return lambda done: report("writing" if is_motion else "drawing", done, frames)

    generator.write(audio, request, name, lambda take: [path], progress)
    if is_motion:
        return take_facts(read_npz(path))
    frames = frame_count(audio.seconds, generator.fps)
    return {"kind": "pictures", "fps": generator.fps, "frames": frames, "space": ""}


def _request(arguments: Arguments, folder: DataFolder) -> Request:
    options: dict[str, OptionValue] = {}
    for name, value in mapping(arguments, "options").items():
        assert isinstance(value, str | int | float | bool)
        options[name] = _resolved(value, folder)
    postprocess = settings.from_json(Postprocess, mapping(arguments, "postprocess"))
    seed = int(number(arguments, "seed") or 0)
    return Request(options, postprocess, (seed,), number(arguments, "fps"))


def _resolved(value: OptionValue, folder: DataFolder) -> OptionValue:
    """`take:ID` as the file of that take; the server has checked everything else."""
    if isinstance(value, str) and value.startswith("take:"):
        return str(folder.take(value.removeprefix("take:")))
    return value


def import_take(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Read an uploaded file of curves and write it as a take under the id `take`.

    The sound is that of the file, or the sound of the id `sound`.

    Raises:
        AssetError: the file holds no curves.
    """
    ending = text(arguments, "ending")
    if ending not in READABLE:
        raise AssetError(f"curves are read from {', '.join(READABLE)}, not from {ending!r}")
    source = folder.path("cache", text(arguments, "upload"), ending)
    clip = read_take(source)
    if sound := text(arguments, "sound"):
        clip = dataclasses.replace(clip, audio=read_audio(folder.sound(sound)))
    write_clip(clip, folder.take(text(arguments, "take")))
    report("writing")
    made: Json = {}
    if not sound and clip.audio is not None:
        made["sound"] = _sound_of(clip.audio.load(), folder)
    return {**take_facts(clip), **made}


def _sound_of(audio: Audio, folder: DataFolder) -> Json:
    """The sound inside a take as a sound of its own."""
    from motet.audio.io.write import encode_flac
    from motet.serve.folder import digest_of_bytes, write_bytes

    data = encode_flac(audio.samples.clamp(-1, 1), audio.sample_rate, 16)
    identity = digest_of_bytes(data)
    write_bytes(folder.sound(identity), data)
    return {
        "id": identity,
        "seconds": round(audio.seconds, 6),
        "rate": audio.sample_rate,
        "channels": audio.samples.shape[0],
        "layout": audio.layout,
        "mime": "audio/flac",
        "bytes": len(data),
    }


def take_facts(clip: Clip) -> Json:
    """What the database keeps of a take."""
    assert clip.motion is not None
    motion, made = clip.motion, clip.provenance
    return {
        "kind": "motion",
        "fps": float(motion.space.fps),
        "frames": motion.frames,
        "space": motion.space.name,
        "method": str(made.get("method", "")),
        "source": str(made.get("source", "")),
    }


def stored_take(identity: str, folder: DataFolder) -> Clip:
    """A take of motion from the data folder.

    Raises:
        AssetError: it is not there.
    """
    path = folder.take(identity)
    if not path.is_file():
        raise AssetError("the take has no curves: its method draws pictures")
    return read_npz(path)
