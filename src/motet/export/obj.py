"""OBJ sequence: `name.obj` is the neutral head, `name.0000.obj`, `name.0001.obj`, ... its frames.

The neutral head is written last, so where it is there the frames are complete.
"""

from __future__ import annotations

from pathlib import Path

from motet.atomic_write import write_bytes
from motet.errors import SpaceError
from motet.export.curves import single_motion
from motet.export.options import ExportOptions
from motet.export.user_mesh import posed_chunks, shaped_figure
from motet.geometry.mesh_files import wavefront
from motet.types import Clip


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write one file for each frame and the neutral head.

    Raises:
        SpaceError: motion of the house figure, or the user's FLAME or template is missing.
    """
    motion = single_motion(clip, "OBJ")
    shaped = shaped_figure(clip, motion, options.mesh)
    if shaped is None:
        raise SpaceError(
            f"OBJ files hold FLAME or mesh motion, this is motion in {motion.space.name!r}; write"
            " .glb for the house figure"
        )
    faces, index = shaped.rig.topology.faces.numpy(), 0
    for vertices in posed_chunks(shaped, motion):
        for frame in vertices:
            name = path.with_name(f"{path.stem}.{index:04d}{path.suffix}")
            write_bytes(name, wavefront(frame, faces))
            index += 1
            options.report(index)
    write_bytes(path, wavefront(shaped.rest.numpy(), faces))
