"""Videos (.mp4, .webm, .mov): the pictures of a clip, or a figure with its motion, with the
original sound.

The figure is the house figure, the user's avatar, or for motion in FLAME coefficients or vertices
the user's own head.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from motet.audio.spatial.spatialise import position_from_angles
from motet.errors import ConfigError, InputError
from motet.export.options import ExportOptions
from motet.export.picture import PictureOptions
from motet.export.user_mesh import posed_chunks, shaped_figure
from motet.types import Audio, Clip, Motion

SOURCE_KEY = "sound_source"
"""Key of a take's provenance: position [x, y, z] of the sound source in metres, or one for each
frame."""
BRIGHT = 0.5
"""Linear light of the second background, below what the renderer compresses."""
EAR_HEIGHT_M = 1.51
"""Height of the house figure's ears, from which the angles of a source are measured."""


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the clip's pictures; motion without pictures is rendered as the house figure.

    Raises:
        InputError: the clip has neither pictures nor motion, or the house figure cannot play its
            motion.
        ConfigError: a transparent background, which the format cannot hold.
    """
    from motet.export.codecs import codec_of
    from motet.export.video import write_video

    pictures, fps = drawn_pictures(clip, options)
    write_video(
        path,
        pictures,
        fps,
        audio=clip.audio,
        provenance=clip.provenance,
        progress=options.progress,
        codec=codec_of(path),
    )


def drawn_pictures(
    clip: Clip, options: ExportOptions
) -> tuple[Iterator[UInt8[np.ndarray, "height width channels"]], float]:
    """The clip's pictures, or those of the figure that moves, with captions; and their rate.

    Pictures have three channels, or with a transparent background four (red, green, blue, opacity).

    Raises:
        InputError: the clip has neither pictures nor motion.
        ConfigError: an option that these pictures cannot have.
    """
    if clip.frames is not None:
        if clip.frames.rgb.ndim != 4:
            raise InputError(
                "a video file holds one take (frames, height, width, 3), these pictures are"
                f" {tuple(clip.frames.rgb.shape)}"
            )
        pictures: Iterator[np.ndarray] = (rgb.cpu().numpy() for rgb in clip.frames.rgb)
        fps = clip.frames.fps
    elif clip.motion is not None:
        pictures, fps = _rendered(clip, clip.motion, options), clip.motion.space.fps
    else:
        raise InputError("a video needs pictures or motion, this clip has neither")
    if options.picture.captions:
        from motet.export.captions import cues_of, with_captions

        pictures = with_captions(pictures, fps, cues_of(clip, options.picture.captions))
    return pictures, fps


def _square(picture: PictureOptions) -> int:
    """Height and width of pictures of a user's mesh, which has a fixed camera and backdrop."""
    size = picture.width
    if dataclasses.replace(picture, captions="") != PictureOptions(size, size):
        raise ConfigError(
            "your own mesh is drawn in a square before a plain backdrop; give --size PIXELS and"
            " leave --background, --camera and --figure out"
        )
    return size


def _rendered(clip: Clip, motion: Motion, options: ExportOptions) -> Iterator[np.ndarray]:
    """The house figure: head and shoulders for a face, the whole figure for a body; or the user's
    FLAME head or template.
    """
    from motet.rigs.house.face_body import split

    drawn = options.picture
    if options.avatar is not None:
        return _avatar(motion, options.avatar, options)
    shaped = shaped_figure(clip, motion, options.mesh)
    if shaped is not None:
        from motet.render.mesh import MeshRenderer

        colours = None if options.mesh is None else options.mesh.colours
        faces = shaped.rig.topology.faces.numpy()
        mesh = MeshRenderer(shaped.rest.numpy(), faces, _square(drawn), colours)
        return mesh.frames(v for chunk in posed_chunks(shaped, motion) for v in chunk)
    if split(motion)[1] is None:
        return _face(motion, drawn)
    from motet.render.body import BodyRenderer
    from motet.render.body_camera import BODY_CAMERAS
    from motet.rigs.house.body import load_house_body

    camera = "follow" if drawn.camera == PictureOptions().camera else drawn.camera
    if drawn.background or camera not in BODY_CAMERAS:
        raise ConfigError(
            "a body is drawn whole and stands on a floor; leave --background out, and choose the"
            f" camera {', '.join(BODY_CAMERAS)}"
        )

    source = source_of(clip) if options.marker else None
    glow = None
    if clip.audio is not None:
        glow = loudness(clip.audio.load(), motion.frames, motion.space.fps)
    figure = load_house_body(drawn.figure)
    renderer = BodyRenderer(drawn.width, drawn.height, figure, camera=camera)
    return renderer.frames(motion, source, glow)


def _avatar(motion: Motion, path: Path, options: ExportOptions) -> Iterator[np.ndarray]:
    """The user's GLB or VRM, as its animated file shows it."""
    from motet.export.avatar_figure import AvatarFigure
    from motet.export.picture import backdrop_of
    from motet.render.textured import TexturedRenderer

    drawn = options.picture
    width, height = drawn.width, drawn.height
    figure = AvatarFigure(path, motion, options.avatar_map, 2 * max(width, height))
    camera = figure.camera(drawn.camera, width / height)

    def pictures(backdrop: Float[np.ndarray, "height width 3"] | None) -> Iterator[np.ndarray]:
        renderer = TexturedRenderer(figure.mesh, camera, width, height, backdrop)
        return map(renderer.draw, figure.frames())

    if not drawn.is_transparent:
        return pictures(backdrop_of(drawn))
    flat = (np.full((height, width, 3), value, np.float32) for value in (0.0, BRIGHT))
    return with_opacity(*map(pictures, flat))


def _face(motion: Motion, drawn: PictureOptions) -> Iterator[np.ndarray]:
    from motet.export.picture import backdrop_of
    from motet.render.body_camera import BODY_CAMERAS
    from motet.render.renderer import Renderer
    from motet.rigs.house import load_figure

    if drawn.camera in BODY_CAMERAS:
        raise ConfigError(
            f"the camera {drawn.camera} is for bodies; a face has head, bust, three-quarter, body"
        )

    figure = load_figure(drawn.figure)
    size, shape = (drawn.width, drawn.height), (drawn.height, drawn.width, 3)
    if not drawn.is_transparent:
        renderer = Renderer(figure, *size, drawn.camera, backdrop=backdrop_of(drawn))
        return renderer.frames(motion)
    black, bright = (
        Renderer(figure, *size, drawn.camera, workers=1, backdrop=np.full(shape, value, np.float32))
        for value in (0.0, BRIGHT)
    )
    return with_opacity(black.frames(motion), bright.frames(motion))


def with_opacity(
    black: Iterator[UInt8[np.ndarray, "height width 3"]],
    bright: Iterator[UInt8[np.ndarray, "height width 3"]],
) -> Iterator[UInt8[np.ndarray, "height width 4"]]:
    """Pictures with opacity from the same pictures before two backgrounds.

    In linear light a pixel is o c + (1 - o) b of its own colour c, opacity o, and background b:
    the difference of both pictures is (1 - o) b, and the one before black is o c.

    Args:
        black, bright: the pictures before a background of 0 and of `BRIGHT`.
    """
    from motet.render.shading import linear_from_srgb, srgb_table

    table = srgb_table()
    linear = linear_from_srgb(np.arange(256))
    for dark, light in zip(black, bright, strict=True):
        through = np.clip((linear[light] - linear[dark]).mean(axis=-1) / BRIGHT, 0.0, 1.0)
        opacity = 1.0 - through  # (height, width)
        own = linear[dark] / np.maximum(opacity, 1 / 255)[..., None]
        colour = table[np.clip(own * (len(table) - 1), 0, len(table) - 1).astype(np.int32)]
        yield np.dstack([colour, np.round(255 * opacity).astype(np.uint8)])


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


def loudness(audio: Audio, frames: int, fps: float) -> Float[np.ndarray, " frames"]:
    """RMS level of each frame relative to the loudest frame, 0..1."""
    samples = audio.samples.detach().float().cpu().numpy().reshape(-1, audio.samples.shape[-1])
    edges = np.arange(frames + 1) * audio.sample_rate / fps  # sample at which each frame begins
    edges = np.minimum(edges, samples.shape[1]).astype(int)
    power = np.square(samples).mean(axis=0, dtype=np.float64)
    # (frames): running sum at the edges
    energy = np.diff(np.concatenate([[0.0], np.cumsum(power)])[edges])
    level = np.sqrt(np.maximum(energy, 0) / np.maximum(np.diff(edges), 1))
    return level / max(float(level.max()), 1e-9)
