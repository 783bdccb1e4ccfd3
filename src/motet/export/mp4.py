"""MP4: the pictures of a clip, or a figure with its motion, with the original sound.

The figure is the house figure, or for motion in FLAME coefficients or vertices the user's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.audio.spatial.spatialise import position_from_angles
from motet.errors import InputError
from motet.export.options import ExportOptions
from motet.export.user_mesh import posed_chunks, shaped_figure
from motet.types import Audio, Clip, Motion

SOURCE_KEY = "sound_source"
"""Key of a take's provenance: position [x, y, z] of the sound source in metres, or one for each
frame."""
EAR_HEIGHT_M = 1.51
"""Height of the house figure's ears, from which the angles of a source are measured."""


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the clip's pictures; motion without pictures is rendered as the house figure.

    Raises:
        InputError: the clip has neither pictures nor motion, or the house figure cannot play its
            motion.
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
        pictures, fps = _rendered(clip, clip.motion, options), clip.motion.space.fps
    else:
        raise InputError("a video needs pictures or motion, this clip has neither")
    write_video(
        path, pictures, fps, audio=clip.audio, provenance=clip.provenance, progress=options.progress
    )


def _rendered(clip: Clip, motion: Motion, options: ExportOptions) -> Iterator[np.ndarray]:
    """The house figure: head and shoulders for a face, the whole figure for a body; or the user's
    FLAME head or template.
    """
    from motet.rigs.house.face_body import split

    shaped = shaped_figure(clip, motion, options.mesh)
    if shaped is not None:
        from motet.render.mesh import MeshRenderer

        colours = None if options.mesh is None else options.mesh.colours
        faces = shaped.rig.topology.faces.numpy()
        drawn = MeshRenderer(shaped.rest.numpy(), faces, options.size, colours)
        return drawn.frames(v for chunk in posed_chunks(shaped, motion) for v in chunk)
    if split(motion)[1] is None:
        from motet.render.renderer import Renderer
        from motet.rigs.house import load_house

        return Renderer(load_house(), options.size, options.size).frames(motion)
    from motet.render.body import BodyRenderer

    source = source_of(clip) if options.marker else None
    glow = None
    if clip.audio is not None:
        glow = loudness(clip.audio.load(), motion.frames, motion.space.fps)
    return BodyRenderer(options.size, options.size).frames(motion, source, glow)


def source_of(clip: Clip) -> Float[np.ndarray, "positions 3"] | None:
    """Position of the sound source from the take's provenance; None if it has none.

    Under `SOURCE_KEY`, or as AZ,EL,DIST in the option `source`.

    Raises:
        InputError: the value under `SOURCE_KEY` is no position.
    """
    position = clip.provenance.get(SOURCE_KEY)
    if position is None:
        try:
            option = str(clip.provenance.get("options", {}).get("source", ""))
            azimuth, elevation, distance = map(float, option.split(","))
            return position_from_angles(azimuth, elevation, distance) + [0.0, EAR_HEIGHT_M, 0.0]
        except (ValueError, AttributeError, InputError):
            return None
    source = np.atleast_2d(np.asarray(position, np.float64))
    if source.ndim != 2 or source.shape[1] != 3 or not np.isfinite(source).all():
        raise InputError(
            f"the take's {SOURCE_KEY} must be one position, or one for each frame, of three finite"
            " numbers"
        )
    return source


def loudness(audio: Audio, frames: int, fps: float) -> Float[np.ndarray, "frames"]:
    """RMS level of each frame relative to the loudest frame, 0..1."""
    samples = audio.samples.detach().float().cpu().numpy().reshape(-1, audio.samples.shape[-1])
    edges = np.arange(frames + 1) * audio.sample_rate / fps  # sample at which each frame begins
    edges = np.minimum(edges, samples.shape[1]).astype(int)
    power = np.square(samples).mean(axis=0, dtype=np.float64)
    # (frames): running sum at the edges
    energy = np.diff(np.concatenate([[0.0], np.cumsum(power)])[edges])
    level = np.sqrt(np.maximum(energy, 0) / np.maximum(np.diff(edges), 1))
    return level / max(float(level.max()), 1e-9)
