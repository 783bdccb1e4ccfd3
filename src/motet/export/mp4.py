"""Video files: the pictures of a clip, or the house figure moving to it, with the original
sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.audio.spatial.spatialise import place_of
from motet.errors import InputError
from motet.export.options import ExportOptions
from motet.types import Audio, Clip, Motion

SOURCE_KEY = "sound_source"
"""Where a take's provenance says where its sound comes from: [x, y, z] in metres, or one such place
for each frame."""
EAR_HEIGHT_M = 1.51
"""Of the house figure: angles of a source are counted from between its ears in the first frame."""


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the clip's pictures; a clip that has motion only is rendered as the house figure while
    it is encoded.

    Raises:
        InputError: the clip has neither pictures nor motion, or the motion is not one that the
            house figure understands.
    """
    from motet.export.video import write_video

    if clip.frames is not None:
        if clip.frames.rgb.ndim != 4:
            raise InputError(
                "a video file holds one take (frames, height, width, 3), these pictures are"
                f" {tuple(clip.frames.rgb.shape)}"
            )
        pictures, fps = (picture.cpu().numpy() for picture in clip.frames.rgb), clip.frames.fps
    elif clip.motion is not None:
        pictures, fps = _drawn(clip, clip.motion, options), clip.motion.space.fps
    else:
        raise InputError("a video needs pictures or motion, this clip has neither")
    write_video(
        path, pictures, fps, audio=clip.audio, provenance=clip.provenance, progress=options.progress
    )


def _drawn(clip: Clip, motion: Motion, options: ExportOptions) -> Iterator[np.ndarray]:
    """The house figure: head and shoulders for a face, all of it where there is a body."""
    from motet.rigs.house.face_body import split

    if split(motion)[1] is None:
        from motet.render.renderer import Renderer
        from motet.rigs.house import load_house

        return Renderer(load_house(), options.size, options.size).frames(motion)
    from motet.render.body import BodyRenderer

    source = source_of(clip) if options.marker else None
    return BodyRenderer(options.size, options.size).frames(
        motion,
        source,
        None if clip.audio is None else loudness(clip.audio, motion.frames, motion.space.fps),
    )


def source_of(clip: Clip) -> Float[np.ndarray, "places 3"] | None:
    """Where the take's sound comes from, as its provenance says: by `SOURCE_KEY`, or as AZ,EL,DIST
    among the options of its making.

    Raises:
        InputError: what it says under `SOURCE_KEY` is no place.
    """
    place = clip.provenance.get(SOURCE_KEY)
    if place is None:
        try:
            azimuth, elevation, distance = (
                float(part)
                for part in str(clip.provenance.get("options", {}).get("source", "")).split(",")
            )
            return place_of(azimuth, elevation, distance) + [0.0, EAR_HEIGHT_M, 0.0]
        except (ValueError, AttributeError, InputError):
            return None
    source = np.atleast_2d(np.asarray(place, np.float64))
    if source.ndim != 2 or source.shape[1] != 3 or not np.isfinite(source).all():
        raise InputError(
            f"the take's {SOURCE_KEY} must be one place, or one for each frame, of three finite"
            " numbers"
        )
    return source


def loudness(audio: Audio, frames: int, fps: float) -> Float[np.ndarray, "frames"]:
    """How loud the sound is in each frame against its loudest, 0..1."""
    samples = audio.samples.detach().float().cpu().numpy().reshape(-1, audio.samples.shape[-1])
    edges = np.minimum(np.arange(frames + 1) * audio.sample_rate / fps, samples.shape[1]).astype(
        int
    )
    power = np.concatenate([[0.0], np.cumsum(np.square(samples).mean(axis=0, dtype=np.float64))])
    level = np.sqrt(
        np.maximum(power[edges[1:]] - power[edges[:-1]], 0) / np.maximum(np.diff(edges), 1)
    )
    return level / max(float(level.max()), 1e-9)
