"""Post-processing of a take: scale, edited keys, silence and closures in the house space; of meshes
the edited keys alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from motet.face.head import SmoothHead
from motet.face.intensity import MOUTH_CHANNELS, ClampWeights, ScaleChannels
from motet.face.lip_closure import CloseAtPhones, amount_from_timing
from motet.face.mouth_blend import BlendMouth
from motet.face.operator import FaceCues, Operator, OperatorChain
from motet.face.silence import DampSilence, silent_frames
from motet.methods.kmtalk.config import KMTalkCondition
from motet.methods.kmtalk.key_edits import EditedKeys, KeyEdits
from motet.methods.kmtalk.keys import closures
from motet.phonetics.phone_source import WORDS, Phones
from motet.types import MotionSpace

CONFIRMED = 0.3
"""Evidence in the sound from which a recognised p, b or m closes the lips completely."""
HEAD_SMOOTHING_FRAMES = 6
"""Deviation of the filter over the head's course, a quarter of a second. The regressor predicts the
head from each frame's audio alone, which jitters (13 degrees a second at a range of 2)."""


def channel_scale(condition: KMTalkCondition, space: MotionSpace) -> Float[Tensor, " dim"]:
    """Factor of each channel of the house space."""
    scale = torch.ones(space.dim)
    scale[MOUTH_CHANNELS] = condition.amplitude
    scale[space.range("head")] = condition.head
    return scale


def face_chain(
    condition: KMTalkCondition, space: MotionSpace, edits: KeyEdits | None
) -> OperatorChain:
    """Operators of the house space. A take with edited keys is not post-processed further."""
    head = space.range("head")
    operators: list[Operator[Any]] = [SmoothHead(head, HEAD_SMOOTHING_FRAMES)]
    if edits is None and condition.opening:
        operators.append(BlendMouth(condition.opening))
    operators.append(ScaleChannels(channel_scale(condition, space)))
    if edits is not None and condition.clamp:
        operators.append(EditedKeys(edits, head, HEAD_SMOOTHING_FRAMES))
    operators.append(ClampWeights())
    if edits is None:
        # Silence is damped before closures, so that a closure at its border survives.
        operators.append(DampSilence(MOUTH_CHANNELS, space.fps))
        if condition.seal:
            operators.append(CloseAtPhones())
    return OperatorChain(operators)


def mesh_chain(condition: KMTalkCondition, edits: KeyEdits | None) -> OperatorChain:
    """Operators of mesh spaces: edited keys."""
    if edits is None or not condition.clamp:
        return OperatorChain(())
    return OperatorChain([EditedKeys(edits, None, HEAD_SMOOTHING_FRAMES)])


def face_cues(
    phones: Sequence[Phones],
    samples: Float[Tensor, "batch time"],
    frames: int,
    fps: float,
    acoustic: FaceCues,
) -> FaceCues:
    """Cues of whole recordings: silent frames, the mouth, and closures at p, b and m.

    Recognised words are often wrong, so their closures count only as far as the sound itself has
    them; without an encoder that knows, they count as those of a text do.

    Args:
        acoustic: mouth and evidence for closed lips from the audio encoder.
    """
    closed = torch.stack([amount_from_timing(frames, fps, closures(item.spans)) for item in phones])
    if acoustic.closure_evidence is not None:
        # Half a closure's length to either side: recognised times err by a frame or two.
        near = functional.max_pool1d(acoustic.closure_evidence.unsqueeze(1), 5, 1, 2)[:, 0]
        sure = torch.tensor([[item.source in WORDS] for item in phones])
        closed = torch.where(sure, closed, closed * (near / CONFIRMED).clamp(max=1.0))
    return FaceCues(
        mouth=acoustic.mouth,
        closure_amount=closed,
        silent=torch.stack([silent_frames(row, frames) for row in samples]),
    )
