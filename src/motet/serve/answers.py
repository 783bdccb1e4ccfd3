"""Rows of the database as the answers of the API."""

from __future__ import annotations

import shlex
import time

from motet.config import JsonValue
from motet.export import BODY_ARCHIVES, FORMATS
from motet.export.picture import WITH_FIGURE
from motet.method import MethodSpec
from motet.options import Postprocess
from motet.serve import models
from motet.serve.jobs import Jobs
from motet.serve.store import JobRow, Json, SoundRow, TakeRow

MANY_FILES = (".png", ".usda", ".usdc")
"""Formats that are several files and so no download; `.usdz` packs a scene into one."""
_FLAGS = {"style", "source", "genre", "text", "person"}
"""Options that have flags of their own at `motet run`."""


def method_info(spec: MethodSpec, loaded: bool) -> models.MethodInfo:
    """A method as it is listed."""
    return models.MethodInfo(
        name=spec.name,
        title=spec.title,
        output=spec.output,
        space=spec.space,
        fps=spec.fps,
        sample_rate=spec.sample_rate,
        layout=spec.layout,
        streams=spec.streams,
        look_ahead_s=spec.look_ahead_s if spec.streams else None,
        delays=sorted({position.most_s for position in spec.delays}),
        whole_recording=spec.whole_recording,
        loaded=loaded,
        available=bool(spec.weights),
    )


def formats() -> list[models.FormatInfo]:
    """Every format that takes are exported to."""
    listed = [
        models.FormatInfo(
            ending=ending,
            face="arkit" in kind.spaces,
            body="smplx25" in kind.spaces,
            avatar=kind.takes_avatar,
            pictures=kind.module == "mp4",
            figure=ending in WITH_FIGURE,
        )
        for ending, kind in FORMATS.items()
        if ending not in MANY_FILES
    ]
    listed += [
        models.FormatInfo(
            ending=f".{name}.npz", face=False, body=True, avatar=False, pictures=False, figure=False
        )
        for name in BODY_ARCHIVES
    ]
    return listed


def sound(row: SoundRow) -> models.Sound:
    """A sound."""
    url = f"/api/sounds/{row.id}"
    return models.Sound.model_validate(
        {
            **row.facts,
            "id": row.id,
            "name": row.name,
            "made": row.made,
            "url": url,
            "playable_url": f"{url}/playable",
            "peaks_url": f"{url}/peaks",
        }
    )


def take(row: TakeRow) -> models.Take:
    """A take."""
    facts, request, url = row.facts, row.request, f"/api/takes/{row.id}"
    fps, frames = _number(facts.get("fps")), int(_number(facts.get("frames")))
    is_motion = facts.get("kind") == "motion"
    return models.Take.model_validate(
        {
            "id": row.id,
            "sound": row.sound,
            "state": row.state,
            "parent": row.parent,
            "method": request.get("method") or facts.get("method") or "",
            "seed": request.get("seed") or 0,
            "options": request.get("options") or {},
            "postprocess": request.get("postprocess") or {},
            "kind": facts.get("kind"),
            "space": facts.get("space"),
            "fps": fps,
            "frames": frames,
            "seconds": frames / fps if fps else 0.0,
            "command": command(request) if row.state == "made" else "",
            "made": row.made,
            "edited": row.edits.get("take") or "",
            "file_url": f"{url}/file",
            "curves_url": f"{url}/curves" if is_motion else "",
            "check_url": f"{url}/check",
        }
    )


def command(request: Json) -> str:
    """The command line that makes the same take."""
    name = str(request["name"])
    words = ["motet", "run", name if not name.startswith("-") else f"./{name}"]
    words += ["-m", str(request["method"]), "--seed", str(request["seed"])]
    options, postprocess = request["options"], request["postprocess"]
    assert isinstance(options, dict) and isinstance(postprocess, dict)
    for option, value in options.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        text = _file_of(text, name)
        words += [f"--{option}", text] if option in _FLAGS else ["--option", f"{option}={text}"]
    for setting, value in postprocess.items():
        if value == getattr(Postprocess(), setting):
            continue
        flag = setting.replace("_", "-")
        # One word: a gaze may begin with a minus sign.
        words += [f"--no-{flag}"] if value is False else [f"--{flag}={value}"]
    if request.get("fps") is not None:
        words += ["--fps", str(request["fps"])]
    return shlex.join(words)


def _file_of(value: str, sound: str) -> str:
    """The value of an option as a command line names it."""
    kind, _, identity = value.partition(":")
    stem = sound.rpartition(".")[0] or sound
    files = {"take": f"{identity}.npz", "path": f"{stem}.path.csv", "person": f"person-{identity}"}
    return files.get(kind, value)


def job(row: JobRow, jobs: Jobs) -> models.Job:
    """A job."""
    return models.Job.model_validate(
        {
            "id": row.id,
            "kind": row.kind,
            "state": row.state,
            "stage": row.stage,
            "done": row.done,
            "total": row.total,
            "eta_s": eta_s(row),
            "place": jobs.place(row),
            "problem": row.problem or None,
            "result": row.result or None,
            "made": row.made,
            "ended": row.ended,
            "request": row.request,
        }
    )


def eta_s(row: JobRow) -> float | None:
    """Seconds to the end at the speed so far; None before anything is done."""
    if row.state != "running" or not 0 < row.done <= row.total:
        return None
    return round((time.time() - row.started) * (row.total - row.done) / row.done, 1)


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
