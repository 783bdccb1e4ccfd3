"""Post-processing of face motion: the chain of stream operators, and the options of a take.

Every face method configures one `OperatorChain` in this order, leaving out what it has no use for:

    head (smooth, scale, continue) -> aperture -> closures

and behind every method come the options of a take:

    shut over hum -> intensity -> emotions -> gestures -> head scaled or held -> head turned to
    the target -> gaze -> blinks -> closed at the start and the end

Why this order: closures come after the aperture, or the blend would open them again; intensity
comes after both, and scales a closed mouth to a closed mouth. KMTalk, which has the whole recording
and the times of the phones, damps silence between the two, so that a closure at the border of a
silence is kept. Gestures are drawn after emotions, whose scale of the head is for the method's own
part; the gaze comes when the head is done, for the eyes turn against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motet.acting import ALONE_DEG, FREE, METHOD, emotion_keys, gaze_target
from motet.face.blink import Blink, OpenLids
from motet.face.clip_end import CloseEnd, OpenStart, closing_frames
from motet.face.emotion import Emotion
from motet.face.gaze import Gaze
from motet.face.gestures import Gestures
from motet.face.head import HoldHead, TurnHead
from motet.face.hum import ShutInHum
from motet.face.intensity import ScaleChannels, ScaleMouth
from motet.face.operator import FaceCues, Operator, OperatorChain
from motet.face.rhythm import BatchRhythm
from motet.options import Postprocess
from motet.types import Motion, MotionSpace


def take_chain(
    options: Postprocess, space: MotionSpace, seeds: Sequence[int], *, ends: bool
) -> OperatorChain:
    """The operators behind every method, for motion in the `arkit` space."""
    operators: list[Operator[Any]] = [ShutInHum()]
    if options.intensity != 1.0:
        operators.append(ScaleMouth(options.intensity))
    head = space.range("head")
    keys = emotion_keys(options.emotion)
    if keys:
        operators.append(Emotion(keys, head, space.fps))
    if options.gestures:
        operators.append(Gestures(head, seeds, space.fps))
    if not options.head:
        operators.append(HoldHead(head))
    elif options.head_scale != 1.0:
        operators.append(ScaleChannels(_head_gain(options.head_scale, space)))
    if options.gaze != METHOD:
        target = gaze_target(options.gaze) or (0.0, 0.0)
        rest = [at - max(-most, min(most, at)) for at, most in zip(target, ALONE_DEG, strict=True)]
        if options.head and any(rest):
            operators.append(TurnHead(head, *rest))
        operators.append(Gaze(target, options.gaze == FREE, head, seeds, space.fps))
    operators.append(Blink(seeds, space.fps) if options.blink else OpenLids())
    if options.close_end:
        operators.append(OpenStart(space.fps))
    if ends and options.close_end:
        operators.append(CloseEnd(space.fps))
    return OperatorChain(operators)


def _head_gain(gain: float, space: MotionSpace) -> Tensor:
    scale = torch.ones(space.dim)
    scale[space.range("head")] = gain
    return scale


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
    rhythm: BatchRhythm | None = None,
) -> Motion:
    """Apply the options of a take to motion in the `arkit` space; other spaces pass unchanged.

    Args:
        motion: (batch, frames, dim); one item for each seed.
        first_frame: absolute number of the first frame, for anything that depends on time.
        ends: whether the clip ends with these frames.
        rhythm: of the sound up to these frames; without one, gestures are those of silence.
    """
    if motion.space.name != "arkit" or not motion.frames:
        return motion
    chain = take_chain(options, motion.space, seeds, ends=ends)
    known = () if rhythm is None else rhythm.at(first_frame, motion.frames, motion.space.fps)
    return Motion(chain.apply(motion.values, FaceCues(first_frame, rhythm=known)), motion.space)
