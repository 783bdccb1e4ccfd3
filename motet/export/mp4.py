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

    if clip.frames is not None:
        if clip.frames.rgb.ndim != 4:
            raise InputError(f"a video file holds one take (frames, height, width, 3), these pictures are {tuple(clip.frames.rgb.shape)}")
        pictures, fps = (picture.cpu().numpy() for picture in clip.frames.rgb), clip.frames.fps
    elif clip.motion is not None:
        from motet.render.renderer import Renderer
        from motet.rigs.house import load_house

        pictures, fps = Renderer(load_house(), options.size, options.size).frames(clip.motion), clip.motion.space.fps
    else:
        raise InputError("a video needs pictures or motion, this clip has neither")
    write_video(path, pictures, fps, audio=clip.audio, provenance=clip.provenance, progress=options.progress)
