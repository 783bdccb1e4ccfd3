"""Video files: the pictures of a clip, or the house figure moving to it, with the original sound."""

from __future__ import annotations

from pathlib import Path

from motet.errors import InputError
from motet.export.options import ExportOptions
from motet.types import Clip

ENDINGS = (".mp4",)


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the clip's pictures; a clip that has motion only is rendered as the house figure while it is encoded.

    Raises:
        InputError: the clip has neither pictures nor motion, or the motion is not one that the house figure understands.
    """
    from motet.export.video import write_video

    frames = clip.frames
    if frames is None:
        raise InputError("a video needs pictures, this clip has none; render it first")
    if frames.rgb.ndim != 4:
        raise InputError(f"a video file holds one take (frames, height, width, 3), these pictures are {tuple(frames.rgb.shape)}")
    pictures = (picture.cpu().numpy() for picture in frames.rgb)
    write_video(path, pictures, frames.fps, audio=clip.audio, provenance=clip.provenance, progress=options.progress)
