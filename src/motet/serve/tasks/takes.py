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
from motet.serve.tasks.sounds import stored_sound
from motet.serve.tasks.task import Arguments, Json, Report, mapping, number, text
from motet.session import load_methods
from motet.sinks import MOTION_SINK
from motet.types import Clip, frame_count

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
        options[name] = resolved(value, folder)
    postprocess = settings.from_json(Postprocess, mapping(arguments, "postprocess"))
    seed = int(number(arguments, "seed") or 0)
    return Request(options, postprocess, (seed,), number(arguments, "fps"))


def resolved(value: OptionValue, folder: DataFolder) -> OptionValue:
    """`take:ID`, `path:ID` and `person:ID` as files; the server has checked everything else."""
    kind, _, identity = value.partition(":") if isinstance(value, str) else ("", "", "")
    match kind:
        case "take":
            return str(folder.take(identity))
        case "path":
            return str(folder.path("sounds", identity, ".csv"))
        case "person":
            return str(folder.path("persons", identity))
        case _:
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
        made["sound"] = stored_sound(clip.audio.load(), folder)
    return {**take_facts(clip), **made}


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
