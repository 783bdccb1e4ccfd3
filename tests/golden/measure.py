"""Runs the cases of the golden net and answers what came out as numbers and facts."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import motet
from motet.cli import main
from motet.types import Audio, Clip, Frames, Motion, MotionSpace, Track, arkit_space
from tests.golden import sounds
from tests.golden.cases import Line, Picture, Take
from tests.golden.contents import Found, blocks, contents, flat_json, one_array, some

FILES = Path(__file__).parent / "files"
PIECES = (1, 700, 4_321, 160, 9_999, 2_048)
"""Lengths of the pieces of a stream in samples, over and over."""
PICTURE_SIZE = 128


def measured(case: Take | Line, folder: Path) -> Found:
    """What a case answers; `folder` is an empty one for its files."""
    found = _taken(case, folder) if isinstance(case, Take) else _typed(case, folder)
    found.facts = _without_paths(found.facts, folder)
    return found


def run_line(command: str, folder: Path) -> None:
    """One command line, with its names put in.

    Raises:
        AssertionError: it did not end with 0.
    """
    names = {"files": FILES, "out": folder / "out"}
    for name in ("cut", "tail", "second"):
        if f"{{{name}}}" in command:
            path = folder / f"{name}.flac"
            names[name] = path if path.exists() else sounds.write(name, path)
    names["out"].mkdir(exist_ok=True)
    arguments = [part.format(**names) for part in command.split()]
    code = main(arguments)
    assert code == 0, f"motet {command} ended with {code}"


def drawn(clip: Clip) -> list[np.ndarray]:
    """Pictures of a clip before any encoder changes them.

    The one place of the golden net that reaches behind the public doors: when the module that
    draws moves, these two imports move along.
    """
    from motet.export.mp4 import _rendered
    from motet.export.options import ExportOptions
    from motet.export.picture import PictureOptions

    assert clip.motion is not None
    options = ExportOptions(PictureOptions(PICTURE_SIZE, PICTURE_SIZE))
    return list(_rendered(clip, clip.motion, options))


def picture(case: Picture) -> np.ndarray:
    """The picture of a case."""
    if case.take:
        motion = _kept_motion(case.take).slice(case.frame, case.frame + 1)
    else:
        motion = _posed(case)
    provenance = {"options": {"source": case.source}} if case.source else {}
    return drawn(Clip(None, motion, provenance=provenance))[0]


def mouth_picture(frame: int) -> np.ndarray:
    """A part of a speech2lip frame, 128 pixels square, with the mouth in its middle."""
    return _spoken()[frame, 256:384, 192:320]


@cache
def _spoken() -> np.ndarray:
    clip = motet.run(sounds.sound("second"), "speech2lip", seed=3)
    assert clip.frames is not None
    return clip.frames.rgb.numpy()


def _taken(case: Take, folder: Path) -> Found:
    audio, options = sounds.sound(case.sound), _filled(case.options)
    if case.pieces:
        return _streamed(case, audio, options)
    if len(case.seeds) > 1:
        return _numbers(motet.load(case.method, None).run(audio, options, seeds=case.seeds))
    clip = motet.run(audio, case.method, seed=case.seeds[0], options=options, fps=case.fps)
    found = _numbers(clip.motion if clip.motion is not None else clip.frames)
    found.facts["provenance"] = dict(clip.provenance)
    for ending in case.endings:
        found.add(ending, contents(clip.save(folder / f"take.{ending}")))
    return found


def _streamed(case: Take, audio: Audio, options: dict[str, Any]) -> Found:
    """The whole answer of a stream, and how many frames each push gave."""
    audio = motet.load(case.method, None).prepare(audio, options)
    stream = motet.stream(case.method, seed=case.seeds[0], options=options)
    parts: list[Any] = []
    pushes = []
    start = 0
    while start < audio.samples.shape[-1]:
        stop = start + PIECES[len(pushes) % len(PIECES)]
        given = list(stream.push(audio.slice(start, stop)))
        parts, start = parts + given, stop
        pushes.append(sum(part.frames for part in given))
    parts += stream.finish()
    found = _numbers(_joined(parts))
    found.facts["pushes"] = pushes
    return found


def _joined(parts: list[Any]) -> Motion | Frames:
    if isinstance(parts[0], Frames):
        return Frames(torch.cat([part.rgb for part in parts]), parts[0].fps)
    return Motion(torch.cat([part.values for part in parts]), parts[0].space)


def _numbers(answer: Motion | Frames | None) -> Found:
    """Motion by its values; pictures by the means of their squares in every twelfth frame."""
    if isinstance(answer, Frames):
        pictures = answer.rgb[..., ::12, :, :, :].numpy()
        facts = {"shape": list(answer.rgb.shape), "fps": answer.fps}
        return Found({"blocks": blocks(pictures)}, facts)
    assert answer is not None
    space, values = answer.space, answer.values.double().numpy()
    tracks = {track.name: [list(track.shape), track.unit] for track in space.tracks}
    facts = {"shape": list(values.shape), "space": space.name, "fps": space.fps, "tracks": tracks}
    # Time comes first, so that a batch is thinned out in time as well.
    return Found({"values": some(np.moveaxis(values, -2, 0))}, facts)


def _typed(case: Line, folder: Path) -> Found:
    """The contents of all files that the lines of a case write, and what they print."""
    printed = io.StringIO()
    with _stdin(case), contextlib.redirect_stdout(printed):
        for command in case.commands:
            run_line(command, folder)
    found = Found()
    out = folder / "out"
    for path in sorted(out.rglob("*.*")):
        if path.is_file() and not path.name.startswith((".", "motet")):
            found.add(path.relative_to(out).as_posix(), contents(path))
    if case.printed:
        found.add("printed", _printed(case, printed.getvalue()))
    return found


@contextlib.contextmanager
def _stdin(case: Line) -> Any:
    before = sys.stdin
    if case.stdin:
        stream = io.BufferedReader(io.BytesIO(sounds.raw(case.stdin)))
        sys.stdin = SimpleNamespace(buffer=stream)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdin = before


def _printed(case: Line, text: str) -> Found:
    if case.printed == "json":
        return one_array(flat_json(json.loads(text)))
    lines = [json.loads(line) for line in text.splitlines()]
    rows = [[line["frame"], line["sample"], *line["blendshapes"].values()] for line in lines]
    heads = [line["head"] for line in lines]
    table = np.concatenate([np.array(rows), np.array(heads)], axis=1)
    return Found({"rows": some(table)}, {"names": list(lines[0]["blendshapes"])})


def _posed(case: Picture) -> Motion:
    motion = Motion(torch.zeros(1, arkit_space().dim), arkit_space())
    for name, weight in case.weights.items():
        motion.channel("blendshapes", name)[:] = weight
    return motion.with_track("head", torch.tensor([case.head]))


def _kept_motion(name: str) -> Motion:
    """The motion of a committed take, read with NumPy alone."""
    with np.load(FILES / f"{name}.npz", allow_pickle=False) as stored:
        members = {key: stored[key] for key in stored.files}
    tracks, values = [], []
    for track in members["tracks"].tolist():
        array, channels = members[track], tuple(members[f"{track}.channels"].tolist())
        tracks.append(Track(track, array.shape[1:], str(members[f"{track}.unit"]), channels))
        values.append(torch.from_numpy(array.reshape(len(array), -1)))
    space = MotionSpace(str(members["space"]), tuple(tracks), float(members["fps"]))
    return Motion(torch.cat(values, dim=-1), space)


def _filled(options: Any) -> dict[str, Any]:
    return {
        name: value.replace("{files}", str(FILES)) if isinstance(value, str) else value
        for name, value in options.items()
    }


def _without_paths(facts: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Facts as JSON values in which no folder of this machine stands."""
    text = json.dumps(facts, sort_keys=True)
    for place, name in ((FILES, "{files}"), (folder / "out", "{out}"), (folder, "{folder}")):
        text = text.replace(json.dumps(str(place))[1:-1], name)
    return json.loads(text)
