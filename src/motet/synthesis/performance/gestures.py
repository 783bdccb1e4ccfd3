"""Head, blinks, gaze and brows: driven by prosody, varied by a seed, shaped by a style."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from motet.synthesis.performance.prosody import Prosody
from motet.synthesis.performance.style import StyleSettings
from motet.types import ARKIT_SHAPES

_DEGREE = np.pi / 180
_EYE_FULL_RAD = 28 * _DEGREE
"""Turn of the eye at a weight of 1 of the eyeLook shapes."""


@dataclasses.dataclass(frozen=True)
class BlinkFacts:
    """Published blink statistics.

    10-25 a minute, closing 80-100 ms, opening 150-200 ms, more at phrase ends.
    """

    closing_s: tuple[float, float] = (0.08, 0.10)
    opening_s: tuple[float, float] = (0.15, 0.20)
    at_phrase_end: float = 4.0
    """How much likelier a blink begins within 0.3 s around the end of a phrase."""
    in_silence: float = 0.8
    shortest_gap_s: float = 0.4


def head(
    prosody: Prosody, style: StyleSettings, fps: float, random: np.random.Generator
) -> Float[ndarray, "frames 3"]:
    """Axis-angle of the head.

    Nods on accents, new poses between phrases, a lowering at phrase ends, slow drift.

    While nobody speaks only breathing and a slow drift remain.
    """
    frames = len(prosody.loudness)
    time = np.arange(frames) / fps
    # 0.35 s: the body begins and ends before and after the voice
    activity = gaussian_filter1d(prosody.speaking.astype(float), 0.35 * fps)
    pose = _poses(prosody, style, time, random)
    drift = (
        np.stack(
            [
                _drift(frames, fps, tau, random) * size
                # time constants (s) and sizes (degrees) of nod, turn and tilt
                for tau, size in ((1.8, 0.9), (2.2, 1.1), (2.5, 0.6))
            ],
            axis=1,
        )
        * _DEGREE
    )
    drift *= (0.25 + 0.75 * activity)[:, None]
    # 0.24 Hz: about 14 breaths a minute
    breath = 0.12 * _DEGREE * np.sin(2 * np.pi * (0.24 * time + random.random()))
    nod = _nods(prosody, style, time, random)
    # a rising voice lifts the chin: 0.16 degrees a semitone
    pitchwise = -0.16 * _DEGREE * gaussian_filter1d(prosody.pitch * activity, 0.12 * fps)
    for phrase in prosody.phrases:
        # down after the end of a phrase, up at its beginning
        nod += 1.3 * _DEGREE * _bump(time, phrase.end + 0.05, 0.35, 0.6) - 0.9 * _DEGREE * _bump(
            time, phrase.start + 0.1, 0.3, 0.7
        )
    # (frames, 3): axis-angle about x (nod), y (turn), z (tilt)
    turn = pose + drift
    turn[:, 0] += nod + pitchwise
    turn *= style.head_range
    turn[:, 0] += breath + style.head_pitch
    return gaussian_filter1d(turn, 0.05 * fps, axis=0)


def _poses(
    prosody: Prosody, style: StyleSettings, time: ndarray, random: np.random.Generator
) -> ndarray:
    """Poses held for a while and changed along a smooth step, mostly where a phrase begins."""
    pose = np.zeros((len(time), 3))
    if not prosody.phrases:
        return pose
    current = np.zeros(3)
    moments = [p.start - 0.1 for p in prosody.phrases if random.random() < 0.7 * style.head_tempo]
    for phrase in prosody.phrases:
        count = random.poisson(max(phrase.end - phrase.start, 0.0) * 0.28 * style.head_tempo)
        moments += list(random.uniform(phrase.start, phrase.end, count))
    for moment in sorted(moments):
        # standard deviations in degrees: nods are smaller than turns
        target = random.standard_normal(3) * np.array([1.6, 3.2, 1.3]) * _DEGREE
        # People tilt to the side they turn to.
        target[2] += 0.25 * target[1]
        duration = random.uniform(0.35, 0.8)
        x = np.clip((time - moment) / duration, 0.0, 1.0)
        # minimum-jerk step: velocity and acceleration are zero at both ends
        pose += (10 * x**3 - 15 * x**4 + 6 * x**5)[:, None] * (target - current)
        current = target
    return pose


def _nods(
    prosody: Prosody, style: StyleSettings, time: ndarray, random: np.random.Generator
) -> ndarray:
    nod = np.zeros(len(time))
    for accent in prosody.accents:
        if random.random() < 0.35 + 0.5 * accent.strength:
            size = (0.8 + 2.6 * accent.strength) * random.uniform(0.6, 1.3) * style.energy * _DEGREE
            nod += size * (
                _bump(time, accent.time + 0.03, 0.16, 0.26)
                # a small upbeat before the nod
                - 0.35 * _bump(time, accent.time - 0.2, 0.2, 0.2)
            )
    return nod


def blinks(
    prosody: Prosody,
    style: StyleSettings,
    fps: float,
    random: np.random.Generator,
    facts: BlinkFacts | None = None,
) -> Float[ndarray, " frames"]:
    """Lid closure 0..1: a renewal process, its hazard higher at phrase ends."""
    facts = facts or BlinkFacts()
    frames = len(prosody.loudness)
    # Steps of 20 ms, finer than a frame: two blinks never share a step.
    step = 0.02
    ticks = np.arange(0, frames / fps, step)
    hazard = np.where(
        np.interp(ticks, np.arange(frames) / fps, prosody.speaking) > 0.5, 1.0, facts.in_silence
    )
    for phrase in prosody.phrases:
        hazard[np.abs(ticks - phrase.end - 0.1) < 0.3] *= facts.at_phrase_end
    # The dead time after each blink is made up for, so that the mean rate is what was asked for.
    per_second = style.blink_rate / 60
    per_second = per_second / max(1 - per_second * facts.shortest_gap_s, 0.3)
    hazard *= per_second / hazard.mean() if len(hazard) else 1.0
    closure = np.zeros(frames)
    last = -facts.shortest_gap_s
    time = np.arange(frames) / fps
    for moment, chance in zip(ticks, random.random(len(ticks)), strict=True):
        # probability of an event within a step of a Poisson process
        if moment - last >= facts.shortest_gap_s and chance < 1 - np.exp(
            -hazard[int(round(moment / step))] * step
        ):
            last = moment
            depth = random.uniform(0.9, 1.0)
            closure = np.maximum(
                closure,
                depth
                * _lid(
                    time - moment,
                    random.uniform(*facts.closing_s),
                    random.uniform(*facts.opening_s),
                ),
            )
    return closure


def _lid(since: ndarray, closing: float, opening: float) -> ndarray:
    down = np.clip(since / closing, 0, 1)
    # the lids stay shut for 30 ms
    up = np.clip((since - closing - 0.03) / opening, 0, 1)
    return np.sin(down * np.pi / 2) ** 2 * (1 - up) ** 1.6


def gaze(
    prosody: Prosody,
    style: StyleSettings,
    head_turn: Float[ndarray, "frames 3"],
    fps: float,
    random: np.random.Generator,
) -> Float[ndarray, "frames 2"]:
    """Eye rotation in the head, radians: (down, to the person's left).

    Fixations and saccades that partly undo the head's turn.

    Most fixations return to the listener; away-looks cluster where phrases begin.
    """
    frames = len(head_turn)
    target = np.zeros((frames, 2))
    # seconds of a fixation, log-normal about 1.1 s
    moment = random.lognormal(0.1, 0.5)
    starts = np.array([p.start for p in prosody.phrases])
    while moment < frames / fps:
        near_start = len(starts) and np.min(np.abs(starts - moment)) < 0.6
        away = random.random() < (0.45 if near_start else 0.25)
        # exponential amplitudes, degrees: most saccades are small
        size = random.exponential(4.5 if away else 0.9) * _DEGREE * style.gaze_range
        angle = random.uniform(0, 2 * np.pi)
        # vertical movements are 0.6 of horizontal ones
        target[int(moment * fps) :] = (0.6 * size * np.sin(angle), size * np.cos(angle))
        moment += random.lognormal(-0.35 if away else 0.25, 0.45)
    # A saccade lasts 30-60 ms: at 25 fps one frame in between.
    target = np.apply_along_axis(np.convolve, 0, target, [0.25, 0.75], "full")[:frames]
    # 0.75 of the head's turn is undone: the vestibulo-ocular reflex, incomplete in chosen poses
    return np.clip(target - 0.75 * (head_turn[:, :2] - [style.head_pitch * 0.3, 0.0]), -0.5, 0.5)


def brows(
    prosody: Prosody, style: StyleSettings, fps: float, random: np.random.Generator
) -> Float[ndarray, "frames 2"]:
    """Movement of the brows: (raise, draw together), around 0..1, without the style's rest."""
    frames = len(prosody.loudness)
    time = np.arange(frames) / fps
    up, together = np.zeros(frames), np.zeros(frames)
    for accent in prosody.accents:
        if random.random() < 0.12 + 0.4 * accent.strength:
            size = (0.12 + 0.4 * accent.strength) * random.uniform(0.6, 1.3)
            course = size * _bump(
                time, accent.time, random.uniform(0.12, 0.25), random.uniform(0.25, 0.6)
            )
            # Lowered brows draw together on accents where raised ones go up.
            if random.random() < (0.15 if style.brow_height >= -0.1 else 0.6):
                together += 0.7 * course
            else:
                up += course
    up += np.maximum(0.012 * gaussian_filter1d(prosody.pitch, 0.15 * fps), 0.0)
    wander = (
        0.02
        * _drift(frames, fps, 2.0, random)
        * gaussian_filter1d(prosody.speaking.astype(float), 0.4 * fps)
    )
    return np.stack(
        [up * style.brow_activity * style.energy**0.5 + wander, together * style.brow_activity],
        axis=1,
    )


def upper_face(
    lids: Float[ndarray, " frames"],
    eyes: Float[ndarray, "frames 2"],
    brow: Float[ndarray, "frames 2"],
    style: StyleSettings,
) -> Float[ndarray, "frames 52"]:
    """Weights of all shapes above the mouth, with the style's rest."""
    face = np.zeros((len(lids), 52))

    def put(name: str, course: ndarray | float) -> None:
        face[:, ARKIT_SHAPES.index(name)] = np.clip(course, 0.0, 1.0)

    down, left = eyes[:, 0] / _EYE_FULL_RAD, eyes[:, 1] / _EYE_FULL_RAD
    lift = brow[:, 0] + max(style.brow_height, 0.0) * 0.8
    frown = brow[:, 1] + max(-style.brow_height, 0.0)
    sad = max(style.brow_height, 0.0) if style.smile < -0.2 else 0.0
    smile = max(style.smile, 0.0)
    put("browInnerUp", lift * 0.9 + 0.6 * sad)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        stronger = 1 + sign * style.asymmetry
        put(f"browOuterUp{side}", lift * 0.75 * stronger * (0.2 if sad else 1.0))
        put(f"browDown{side}", frown * (1 - 0.4 * sign * style.asymmetry))
        put(f"eyeLookDown{side}", down)
        put(f"eyeLookUp{side}", -down)
        put(f"eyeLookOut{side}", sign * left)
        put(f"eyeLookIn{side}", -sign * left)
        put(f"eyeBlink{side}", lids)
        put(f"eyeSquint{side}", (style.squint + 0.35 * smile) * (1 - 0.3 * lids))
        put(f"eyeWide{side}", (style.wide_eyes + 0.25 * np.maximum(brow[:, 0], 0)) * (1 - lids))
        put(f"cheekSquint{side}", 0.5 * smile * stronger)
        put(f"noseSneer{side}", 0.3 * max(-style.brow_height - 0.4, 0.0))
    return face


def _drift(frames: int, fps: float, tau_s: float, random: np.random.Generator) -> ndarray:
    """Smooth random wandering of unit deviation."""
    noise = random.standard_normal(frames + 200)
    course = gaussian_filter1d(noise, tau_s * fps / 2.5)[100 : 100 + frames]
    # Undoes the loss of deviation by the Gaussian filter: unit deviation again.
    return course * np.sqrt(2 * np.sqrt(np.pi) * tau_s * fps / 2.5)


def _bump(time: ndarray, centre: float, rise_s: float, fall_s: float) -> ndarray:
    x = time - centre
    return np.where(
        # half-widths: `rise_s` and `fall_s` are about two standard deviations
        x < 0,
        np.exp(-0.5 * (x / (rise_s / 2)) ** 2),
        np.exp(-0.5 * (x / (fall_s / 2)) ** 2),
    )
