"""Binary glTF: the house figure, or the user's avatar, moving to a take. Without the sound, which
glTF cannot hold.

The figure is one skeleton with a mesh for each part (`skin`, `tongue`, `teeth_upper`, ..., `hair`).
Morph targets bear the ARKit names in `extras.targetNames`; `skin` has all 52. The eyeballs turn by
the joints `eye.L` and `eye.R`, the head by `neck1`..`neck3` and `head`. +Y up, the face looks to
+Z, metres.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.atomic_write import write_bytes
from motet.export.curves import face_motion, the_motion
from motet.export.options import ExportOptions
from motet.rigs.house.face_body import split
from motet.types import Clip


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the figure, or the avatar that the options name, with the clip's motion as
    animation.
    """
    motion = the_motion(clip, "GLB")
    whole = split(motion)[1] is not None
    motion = motion if whole and options.avatar is None else face_motion(clip, "GLB")
    if options.avatar is not None:
        from motet.export.gltf.avatar import animated_avatar

        data, _ = animated_avatar(options.avatar, motion, making(clip))
    else:
        from motet.export.gltf.container import pack_glb
        from motet.export.gltf.figure import figure_document
        from motet.export.gltf.house import house_parts, house_performance
        from motet.export.gltf.house_body import body_performance

        document = figure_document(
            house_parts(),
            body_performance(motion) if whole else house_performance(motion),
            "take",
            making(clip),
        )
        document.content["asset"]["generator"] = generator()
        data = pack_glb(*document.finished())
    write_bytes(path, data)
    options.report(motion.frames)


def generator() -> str:
    """What the file says it was made by."""
    from motet import __version__

    return f"motet {__version__}"


def making(clip: Clip) -> dict[str, Any]:
    """What the file says about itself."""
    facts = {
        key: clip.provenance[key]
        for key in ("method", "weights", "seed", "source")
        if clip.provenance.get(key) not in (None, "")
    }
    return {"synthetic": True, "made_by": generator(), **facts}
