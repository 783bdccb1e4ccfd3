"""Pictures of a person in a video file that gives any frame quickly, forwards and backwards.

H.264 with all colour (4:4:4), near lossless, a key frame a second: training and speaking read from
it in any order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import UInt8

from motet.atomic_write import appearing
from motet.errors import AssetError, InputError

GROUP = 25
"""Frames between two key frames."""
_HELD = 4
"""Groups of frames held in memory."""


def write_footage(
    path: Path, frames: Iterable[UInt8[np.ndarray, "height width 3"]], quality: int = 8
) -> int:
    """Write pictures as footage; returns their number. The file appears only when it is
    complete.

    Args:
        frames: sRGB, all of one even size.
        quality: x264's constant rate factor: 0 loses nothing, 8 cannot be seen, 18 is usual for
            viewing.

    Raises:
        InputError: no pictures at all.
    """
    count = 0
    with appearing(path) as beside, av.open(str(beside), "w", format="mp4") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = _stream(container, frame.shape, quality)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture = picture.reformat(
                format="yuv444p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            picture.pts = count
            container.mux(stream.encode(picture))
            count += 1
        if stream is None:
            raise InputError("footage needs at least one picture")
        container.mux(stream.encode(None))
    return count


def _stream(container: Any, shape: tuple[int, ...], quality: int) -> Any:
    options = {
        "crf": str(quality),
        "preset": "faster",
        "g": str(GROUP),
        "keyint_min": str(GROUP),
        "sc_threshold": "0",
        "bf": "0",
    }
    stream = container.add_stream("libx264", rate=25, options=options)
    stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv444p"
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
    return stream


class Footage:
    """Random access to the frames of a footage file; a few seconds around the last frame asked for
    are kept.

    Raises:
        AssetError: the file is missing or damaged, or has other pictures than the person's facts
            say.
    """

    def __init__(self, path: Path, frames: int, size: tuple[int, int]) -> None:
        if not path.is_file():
            raise AssetError(f"{path} is missing; fit the person again")
        self._path, self._frames, self._size = path, frames, size
        self._groups: OrderedDict[int, list[np.ndarray]] = OrderedDict()

    def __len__(self) -> int:
        return self._frames

    def frame(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """One picture, sRGB."""
        if not 0 <= index < self._frames:
            raise IndexError(f"frame {index} of {self._frames}")
        group = index // GROUP
        if group not in self._groups:
            self._groups[group] = self._decoded(group)
            if len(self._groups) > _HELD:
                self._groups.popitem(last=False)
        self._groups.move_to_end(group)
        return self._groups[group][index - group * GROUP]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        for index in range(self._frames):
            yield self.frame(index)

    def _decoded(self, group: int) -> list[np.ndarray]:
        first, count = group * GROUP, min(GROUP, self._frames - group * GROUP)
        pictures: list[np.ndarray] = []
        try:
            with av.open(str(self._path)) as container:
                stream = container.streams.video[0]
                step = 1 / (stream.average_rate * stream.time_base)
                container.seek(round(first * step), stream=stream)
                for picture in container.decode(stream):
                    if round(picture.pts / step) >= first:
                        pictures.append(picture.to_ndarray(format="rgb24"))
                    if len(pictures) == count:
                        break
        except (av.FFmpegError, IndexError) as error:
            raise AssetError(
                f"{self._path} cannot be decoded ({error}); fit the person again"
            ) from error
        if len(pictures) < count or pictures[0].shape[:2] != self._size:
            raise AssetError(
                f"{self._path} does not hold {self._frames} pictures of {self._size[1]} x"
                f" {self._size[0]}; fit the person again"
            )
        return pictures
