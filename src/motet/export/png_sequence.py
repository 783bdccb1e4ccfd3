"""PNG pictures, one a frame, with opacity where the background is transparent.

`NAME.png` becomes `NAME.00000.png`, `NAME.00001.png`, ... Each file appears only when it is
complete. The pictures have no sound.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from motet.atomic_write import make_folder, write_bytes
from motet.errors import ConfigError
from motet.export.mp4 import drawn_pictures
from motet.export.options import ExportOptions
from motet.types import Clip

DIGITS = 5


def write(clip: Clip, path: Path, options: ExportOptions) -> Path:
    """Write the clip's pictures beside `path`, and return the first.

    Raises:
        InputError: the clip has neither pictures nor motion.
        ConfigError: more frames than the names have numbers for.
    """
    pictures, _ = drawn_pictures(clip, options)
    make_folder(path.parent)
    for number, picture in enumerate(pictures):
        if number >= 10**DIGITS:
            raise ConfigError(f"more than {10**DIGITS} pictures are not written; write a video")
        write_bytes(numbered(path, number), encode_png(picture))
        options.report(number + 1)
    return numbered(path, 0)


def numbered(path: Path, number: int) -> Path:
    """The file of one picture."""
    return path.with_name(f"{path.stem}.{number:0{DIGITS}d}.png")


def encode_png(picture: UInt8[np.ndarray, "height width channels"]) -> bytes:
    """A PNG file of a picture with three or four channels."""
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt = "rgba" if picture.shape[2] == 4 else "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=encoder.pix_fmt)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
