"""What the mouth of each frame is drawn from: codes of the audio around it, at rest in silence.

A code is the audio net's output for an implicit person, and the shape of the mouth for a person
with exemplars. Where the code of the mouth at rest is known, silence and intensity scale the
distance from it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.clip_end import closing_frames, closing_ramp
from motet.methods.speech2lip.person.folder import FPS
from motet.methods.speech2lip.speaker import Drawer
from motet.methods.speech2lip.speech_activity import FRAMES_BEFORE, speech_activity
from motet.methods.speech2lip.state import Speech2LipState
from motet.nn.device import CPU, on_device


def frames_ready(state: Speech2LipState) -> int:
    """Frames whose features and loudness are known, and that cannot be the last."""
    speaker = state.speaker
    # The window of a frame reaches half its length beyond it.
    after = speaker.window - speaker.window // 2
    features = (state.stream.features.stop - after) // speaker.steps_per_frame + 1
    # A frame near the end closes the mouth: it waits until it is known whether the end comes.
    ahead = max(opening_frames(speaker), closing_frames(FPS) if comes_to_rest(state) else 0)
    return min(features, state.loudness.features.stop - ahead)


def opening_frames(speaker: Drawer) -> int:
    """Frames of loudness that a frame looks ahead: lips open before speech. Half a window, which
    the features look ahead anyway.
    """
    return max(0, speaker.window // (2 * speaker.steps_per_frame) - 1)


def comes_to_rest(state: Speech2LipState) -> bool:
    """Whether the mouth comes to rest at the end."""
    return state.condition.close_end and state.speaker.rest is not None


def frame_codes(state: Speech2LipState, item: int, until: int) -> Float[Tensor, "frames out"]:
    """Codes of the frames `frames_generated` .. `until - 1`, blended with the code of a mouth at
    rest in silence.
    """
    first, speaker = state.frames_generated, state.speaker
    step, size = speaker.steps_per_frame, speaker.window
    start = step * first - size // 2
    stop = step * (until - 1) + size - size // 2
    # (steps, channels), zeros before the audio and after it
    steps = state.stream.features.window(start, stop)[item]
    # (frames, size, channels): one window for each frame
    windows = steps.unfold(0, size, step).transpose(1, 2)
    codes, rest = speaker.codes(windows), speaker.rest
    if rest is None:
        return codes
    with on_device(CPU):
        activity = _activity(state, item, until)  # (frames), 0..1
        if state.frames_total is not None and comes_to_rest(state):
            ramp = closing_ramp(state.frames_total - first, FPS)
            activity = activity * (1 - ramp[: until - first])
    activity = activity.to(codes.device)
    # Intensity scales the distance from rest, in the space of codes.
    return rest + (activity * state.condition.intensity).unsqueeze(1) * (codes - rest)


def _activity(state: Speech2LipState, item: int, until: int) -> Float[Tensor, " frames"]:
    """Speech activity of these frames; 1 where lips are not brought to rest in silence."""
    first, levels = state.frames_generated, state.loudness.features
    if not state.condition.quiet_lips:
        return torch.ones(until - first)
    known = levels.known(first - FRAMES_BEFORE, levels.stop)[item]
    offset = max(0, first - FRAMES_BEFORE)  # frame of the first known level
    return speech_activity(known, first - offset, until - offset, opening_frames(state.speaker))
