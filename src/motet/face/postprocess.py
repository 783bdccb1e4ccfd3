"""Post-processing of face motion: the chain of stream operators, and the options of a take.

Every face method configures one `OperatorChain` in this order, leaving out what it has no use for:

    head (smooth, scale, continue) -> aperture -> closures

and behind every method come the options of a take:

    intensity -> head on or off -> blinks -> closed at the end

Why this order: closures come after the aperture, or the blend would open them again; intensity
comes after both, and scales a closed mouth to a closed mouth. KMTalk, which has the whole recording
and the times of the phones, damps silence between the two, so that a closure at the border of a
silence is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from motet.face.blink import Blink, OpenLids
from motet.face.clip_end import CloseEnd, closing_frames
from motet.face.head import HoldHead
from motet.face.intensity import ScaleMouth
from motet.face.operator import FaceCues, Operator, OperatorChain
from motet.options import Postprocess
from motet.types import Motion, MotionSpace


def take_chain(
    options: Postprocess, space: MotionSpace, seeds: Sequence[int], *, ends: bool
) -> OperatorChain:
    """The operators behind every method, for motion in the `arkit` space."""
    operators: list[Operator[Any]] = []
    if options.intensity != 1.0:
        operators.append(ScaleMouth(options.intensity))
    if not options.head:
        operators.append(HoldHead(space.range("head")))
    operators.append(Blink(seeds, space.fps) if options.blink else OpenLids())
    if ends and options.close_end:
        operators.append(CloseEnd(space.fps))
    return OperatorChain(operators)


def frames_of_end(options: Postprocess, space: MotionSpace) -> int:
    """Frames that can only be processed once it is known whether they are the last."""
    return closing_frames(space.fps) if options.close_end and space.name == "arkit" else 0


def finish_motion(
    motion: Motion,
    options: Postprocess,
    seeds: Sequence[int],
    first_frame: int,
    *,
    ends: bool = False,
) -> Motion:
    """Apply the options of a take to motion in the `arkit` space; other spaces pass unchanged.

    Args:
        motion: (batch, frames, dim); one item for each seed.
        first_frame: absolute number of the first frame, for anything that depends on time.
        ends: whether the clip ends with these frames.
    """
    if motion.space.name != "arkit" or not motion.frames:
        return motion
    chain = take_chain(options, motion.space, seeds, ends=ends)
    return Motion(chain.apply(motion.values, FaceCues(first_frame)), motion.space)
