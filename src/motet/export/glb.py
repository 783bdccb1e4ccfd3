"""Binary glTF: a figure, or the user's avatar, animated by a take, without sound.

Motion in FLAME coefficients or vertices animates the user's FLAME head or template, all other
motion the house figure.

The house figure is one skeleton with a mesh for each part (`skin`, `tongue`, `teeth_upper`, ...,
`hair`). Morph targets have the ARKit names in `extras.targetNames`; `skin` has all 52. The joints
`eye.L` and `eye.R` rotate the eyeballs, `neck1`..`neck3` and `head` the head. +Y up, facing +Z,
metres.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.atomic_write import write_bytes
from motet.export.curves import face_motion, single_motion
from motet.export.options import ExportOptions
from motet.export.user_mesh import Shaped, shaped_figure
from motet.rigs.house.face_body import split
from motet.types import Clip, Motion

if TYPE_CHECKING:
    from motet.export.gltf.parts import FigureParts, Performance


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the figure, or the avatar of the options, with the clip's motion as animation."""
    motion = single_motion(clip, "GLB")
    if options.avatar is not None:
        from motet.export.gltf.avatar import animated_avatar

        has_body = split(motion)[1] is not None
        motion = motion if has_body else face_motion(clip, "GLB")
        data, _ = animated_avatar(options.avatar, motion, making(clip), options.avatar_map)
    else:
        from motet.export.gltf.container import pack_glb
        from motet.export.gltf.figure import figure_document

        document = figure_document(*figure_of(clip, motion, options, "GLB"), "take", making(clip))
        document.content["asset"]["generator"] = generator()
        data = pack_glb(*document.finished())
    write_bytes(path, data)
    options.report(motion.frames)


def figure_of(
    clip: Clip, motion: Motion, options: ExportOptions, kind: str
) -> tuple[FigureParts, Performance]:
    """The figure that plays a clip's motion, and its animation: the user's FLAME head or template,
    or the house figure.

    Args:
        kind: the format, as errors name it.

    Raises:
        SpaceError: motion that neither can play.
    """
    from motet.export.gltf.house import house_parts, house_performance
    from motet.export.gltf.house_body import body_performance

    shaped = shaped_figure(clip, motion, options.mesh)
    if shaped is not None:
        return _user_figure(motion, shaped, options)
    figure = options.picture.figure
    if split(motion)[1] is not None:
        return house_parts(figure), body_performance(motion, figure)
    return house_parts(figure), house_performance(face_motion(clip, kind))


def _user_figure(
    motion: Motion, shaped: Shaped, options: ExportOptions
) -> tuple[FigureParts, Performance]:
    """The user's FLAME head or template."""
    from motet.export.gltf.flame import flame_parts, flame_performance
    from motet.export.gltf.template import template_parts
    from motet.rigs.flame_figure import ShapedFlame

    if isinstance(shaped, ShapedFlame):
        colours = None if options.mesh is None else options.mesh.colours
        return flame_parts(shaped, motion, colours), flame_performance(shaped, motion)
    return template_parts(shaped, motion)


def generator() -> str:
    """Name and version of the program."""
    from motet import __version__

    return f"motet {__version__}"


def making(clip: Clip) -> dict[str, Any]:
    """Provenance that is stored in the file."""
    keys = ("method", "weights", "seed", "source")
    facts = {key: clip.provenance.get(key) for key in keys}
    # Empty facts would read as known and blank.
    facts = {key: value for key, value in facts.items() if value not in (None, "")}
    return {"synthetic": True, "made_by": generator(), **facts}
