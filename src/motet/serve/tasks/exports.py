"""Takes as files of other formats, and reports on takes."""

from __future__ import annotations

import dataclasses
import json

from motet.atomic_write import write_bytes
from motet.config import JsonValue
from motet.export import check_spaces, write_clip
from motet.export.picture import DEFAULT_SIZE, check_written, drawing, picture_options
from motet.serve.folder import DataFolder
from motet.serve.tasks.avatars import stored_map
from motet.serve.tasks.takes import stored_take
from motet.serve.tasks.task import Arguments, Json, Report, number, text


def export(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Write a take in the format `format`, under the id `export`.

    Raises:
        ConfigError: an option that does not act on this format.
        SpaceError: the format holds a face and the take moves a body, or the other way round.
    """
    ending, avatar = text(arguments, "format"), text(arguments, "avatar")
    path = folder.path("renders", text(arguments, "export"), ending)
    report("reading the take")
    clip = stored_take(text(arguments, "take"), folder)
    assert clip.motion is not None
    picture = picture_options(
        text(arguments, "size") or DEFAULT_SIZE,
        text(arguments, "background"),
        text(arguments, "camera") or "head",
        text(arguments, "captions"),
        text(arguments, "figure"),
    )
    file = folder.path("avatars", avatar) if avatar else None
    check_spaces(path, clip.motion.space.name.split("+"), "this take")
    check_written([path], picture, file)
    write_clip(
        clip,
        path,
        **drawing(picture),
        avatar=file,
        avatar_map=stored_map(avatar, folder) if avatar else None,
        fps=number(arguments, "fps"),
        progress=lambda done: report("writing", done, clip.motion.frames if clip.motion else 0),
    )
    return {"bytes": path.stat().st_size}


def check(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Scores and remarks of a take, as JSON into the file `out` of the cache.

    Raises:
        InputError: the take has no sound, no face, or is too short.
    """
    from motet.evaluation.located_remarks import located_remarks
    from motet.evaluation.take_quality import METRICS, evaluate
    from motet.metrics.lip_geometry import lip_geometry_of
    from motet.rigs.house import load_house

    clip = stored_take(text(arguments, "take"), folder)
    geometry = lip_geometry_of(load_house())
    scores = evaluate(clip, geometry)
    known = {metric.id: metric for metric in METRICS}
    rows: list[JsonValue] = [
        {
            "id": name,
            "value": value,
            "unit": known[name].unit,
            "about": known[name].about,
            **_limits(name, value),
        }
        for name, value in scores.items()
        if value == value  # a score that is not a number says nothing
    ]
    score_rows: list[JsonValue] = [
        dataclasses.asdict(remark) for remark in located_remarks(clip, geometry, scores)
    ]
    content = json.dumps({"scores": rows, "remarks": score_rows})
    write_bytes(folder.path("cache", text(arguments, "out"), ".json"), content.encode())
    return {}


def _limits(name: str, value: float) -> Json:
    """Where a score should lie, and whether it does."""
    from motet.evaluation.take_quality import LIMITS

    if name not in LIMITS:
        return {"low": None, "high": None, "ok": True}
    low, high = LIMITS[name]
    return {"low": low, "high": high, "ok": low - 1e-9 <= value <= high + 1e-9}
