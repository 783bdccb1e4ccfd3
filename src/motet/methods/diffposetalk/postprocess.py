"""Post-processing of the house space: head, lip aperture, lip closures."""

from __future__ import annotations

from typing import Any

from motet.encoders.base import AudioEncoder, MouthEncoder
from motet.encoders.phonetic import heads
from motet.face.head import ContinueHead, ScaleHead
from motet.face.lip_aperture import BlendAperture
from motet.face.lip_closure import STEPS_BEFORE, EnforceClosures
from motet.face.mouth_blend import BlendMouth
from motet.face.mouth_style import MouthStyle
from motet.face.operator import FaceCues, Operator, OperatorChain
from motet.face.speech_cues import speech_cues
from motet.methods.diffposetalk.config import DiffPoseTalkCondition
from motet.streaming.window_buffer import WindowBuffer

STEPS_PER_FRAME = 2
"""Feature steps of a frame (50 Hz over 25 fps)."""
CONTEXT_BEFORE, CONTEXT_AFTER = STEPS_BEFORE + heads.STEPS_BEFORE, heads.STEPS_AFTER
"""Feature steps that the heads of lip aperture and closures read before and after a window."""


def face_chain(
    condition: DiffPoseTalkCondition, encoder: AudioEncoder[Any], style: MouthStyle, head: slice
) -> OperatorChain:
    """The operators of a session. Closures come last, so that nothing opens them again.

    `ContinueHead` joins the head's movement over the border between windows.

    Args:
        head: columns of the head's rotation.
    """
    operators: list[Operator[Any]] = [ScaleHead(head, condition.head), ContinueHead(head)]
    if condition.opening:
        # The whole mouth where the encoder regresses it, else its opening alone.
        if isinstance(encoder, MouthEncoder):
            operators.append(BlendMouth(condition.opening, style))
        else:
            operators.append(BlendAperture(condition.opening))
    if condition.closures:
        operators.append(EnforceClosures())
    return OperatorChain(operators)


def window_cues(
    condition: DiffPoseTalkCondition,
    encoder: AudioEncoder[Any],
    features: WindowBuffer,
    first_frame: int,
    frames: int,
) -> FaceCues:
    """What the audio features say about the frames of a window, for `face_chain`."""
    start = STEPS_PER_FRAME * first_frame
    stop = start + STEPS_PER_FRAME * frames
    # (batch, steps, channels): fewer at both ends of the sound
    known = features.known(start - CONTEXT_BEFORE, stop + CONTEXT_AFTER)
    return speech_cues(
        encoder,
        known,
        min(start, CONTEXT_BEFORE),  # index of the window's first step among them
        frames,
        opening=condition.opening > 0,
        closures=condition.closures,
    )
