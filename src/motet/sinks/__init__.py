"""What differs by what a method generates: motion or pictures.

One of two sinks is chosen from the method's spec, once. Writing files, live streaming and checks of
a request go through it, so nothing else asks which of the two came out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from motet.sinks.frame_sink import FrameSink
from motet.sinks.motion_sink import MotionSink
from motet.sinks.sink import Picture as Picture
from motet.sinks.sink import Progress as Progress
from motet.sinks.sink import Sink as Sink
from motet.sinks.sink import absorbs as absorbs

if TYPE_CHECKING:
    from motet.method import MethodSpec

MOTION_SINK, FRAME_SINK = MotionSink(), FrameSink()


def sink_of(specs: Sequence[MethodSpec]) -> MotionSink | FrameSink:
    """The sink of one method, or of a face and a body method."""
    return FRAME_SINK if specs[0].output == "frames" else MOTION_SINK
