"""A style from a video: its speaker is tracked, and the motion serves as the style clip."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from motet.errors import AssetError, InputError, require

VIDEO_ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
LONGEST_S = 20.0
"""Of a longer video the first part is taken: style encoders were trained on clips of seconds."""


def is_video(style: str) -> bool:
    """Whether a style option names a video."""
    return style.lower().endswith(VIDEO_ENDINGS)


def check_style_video(style: str) -> None:
    """Make sure that a video can be tracked, before anything is loaded.

    Raises:
        AssetError: there is no such file.
        MissingDependency: the tracker is not installed.
    """
    if not Path(style).is_file():
        raise AssetError(f"style {style} does not exist; give a video of a speaking face")
    require("mediapipe", "track")


def style_take(video: str) -> str:
    """Path of a take (.npz) with the motion of a video's speaker; tracked once in a process.

    Raises:
        AssetError: the video or the tracker's model is missing.
        InputError: no face is found in it.
        MissingDependency: the tracker is not installed.
    """
    check_style_video(video)
    path = Path(video).absolute()
    return str(_tracked(path, path.stat().st_mtime_ns))


@functools.lru_cache(maxsize=16)
def _tracked(video: Path, changed_ns: int) -> Path:
    from motet.export import write_clip
    from motet.tracking.track import track_video
    from motet.types import Clip

    recording, report = track_video(video)
    if report.found < 0.5:
        raise InputError(
            f"a face is found in {report.found:.0%} of the frames of {video.name} only; give a"
            " video that shows one speaking face"
        )
    motion = recording.motion
    motion = motion.slice(0, round(LONGEST_S * motion.space.fps))
    path = Path(_folder().name) / f"{video.stem}-{changed_ns:x}.npz"
    return write_clip(Clip(None, motion), path)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Removed when the program ends."""
    return tempfile.TemporaryDirectory(prefix="motet-style-")
