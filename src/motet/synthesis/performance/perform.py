"""From sound and timed phones to a performance in the house space."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from motet.errors import InputError
from motet.face.lip_shapes import (
    MEASURES,
    RESPONSE,
    SOLVED,
    close_lips,
    joined,
    solve_mouth,
    spread,
)
from motet.phonetics.phones import PHONES, PhoneSpan
from motet.synthesis.performance import gestures
from motet.synthesis.performance.acoustics import Acoustics
from motet.synthesis.performance.articulation import COURSES, articulation
from motet.synthesis.performance.coarticulation import DominanceModel
from motet.synthesis.performance.prosody import RATE_HZ, Prosody, analyse
from motet.synthesis.performance.style import StyleSettings
from motet.types import ARKIT_SHAPES, frame_count

_MATRIX = np.array([RESPONSE[n] for n in SOLVED])
OPENING_GAIN, WIDTH_GAIN, WIDTH_RANGE = 1.4, 2.5, 0.23
"""From the tracked man of the fit to people at large: factor of his opening, factor of the width
that his regressor gives, and width of a fully spread phone in mouth widths. Set so that the spreads
of opening and width reach those of seven people (median; the clips grid_brbk7n, grid_lrwp9a,
grid_swiz3n, web_a, web_c, wh_01, wh_05 of `other_speakers`)."""
_ARTICULATED = {
    "mouthPucker": ("protrusion", 0.75),
    "mouthFunnel": ("protrusion", 0.34),
    "mouthSmile": ("width", 0.34),
    "mouthStretch": ("width", 0.30),
    "mouthUpperUp": ("upper_lip", 0.32),
}
"""Shapes that follow an articulatory course, and their weight at its top (people's ranges)."""


@dataclasses.dataclass(frozen=True)
class PerformanceModel:
    """Everything that was fitted."""

    dominance: DominanceModel
    acoustics: Acoustics
    acoustic_share: tuple[float, float, float, float] = (0.8, 0.3, 0.8, 0.8)
    """Weight of the acoustic regressor in each of the four lip measures, against the phones
    (chosen on held-out clips)."""


def perform(
    model: PerformanceModel,
    sound: Float[ndarray, " time"],
    phones: Sequence[PhoneSpan],
    style: StyleSettings,
    seed: int,
    features: Float[ndarray, "steps features"] | None = None,
    fps: float = 25.0,
) -> Float[ndarray, "frames 55"]:
    """A performance of a sound at 16 kHz: 52 weights and the head's axis-angle, at `fps`.

    Args:
        phones: timed phones; without any the mouth stays closed and still.
        features: Whisper features of the sound at 50 Hz; without them the phones alone shape the
            mouth.

    Raises:
        InputError: sound that is empty or not finite, or phones out of order.
    """
    _check(sound, phones)
    frames = frame_count(len(sound) / RATE_HZ, fps)
    prosody = analyse(sound, phones, frames, fps)
    # one stream of random numbers for each part: a change in one leaves the others as they are
    head_seed, blink_seed, gaze_seed, brow_seed = np.random.SeedSequence(seed).spawn(4)
    mouth = mouth_weights(model, prosody, phones, style, features, fps)
    turn = gestures.head(prosody, style, fps, np.random.default_rng(head_seed))
    lids = gestures.blinks(prosody, style, fps, np.random.default_rng(blink_seed))
    eyes = gestures.gaze(prosody, style, turn, fps, np.random.default_rng(gaze_seed))
    brow = gestures.brows(prosody, style, fps, np.random.default_rng(brow_seed))
    face = np.clip(mouth + gestures.upper_face(lids, eyes, brow, style), 0.0, 1.0)
    return np.concatenate([face, turn], axis=1)


def mouth_weights(
    model: PerformanceModel,
    prosody: Prosody,
    phones: Sequence[PhoneSpan],
    style: StyleSettings,
    features: Float[ndarray, "steps features"] | None = None,
    fps: float = 25.0,
) -> Float[ndarray, "frames 52"]:
    """The mouth alone, as house weights.

    The phones give shapes and closures; the sound gives, by `acoustic_share`, how far the lips open
    and how wide they are; loudness and rate scale the amplitude; the style scales it again and sets
    the mouth's rest. Opening and width have people's ranges, not those of the tracked man.
    """
    frames = len(prosody.loudness)
    times = np.arange(frames) / fps
    open_share = _speech_envelope(phones, times)
    # (frames, shapes)
    shapes = model.dominance(phones, times) * open_share[:, None]
    courses = articulation(phones, times) * open_share[:, None]
    # (frames, 4): what the shapes do to the lip measures
    measures = shapes @ _MATRIX
    # The width follows phonetics, not the tracked man (see `articulation`).
    measures[:, 1] = WIDTH_RANGE * courses[:, 0]
    if features is not None:
        acoustic = model.acoustics.measures(features, frames, fps) * open_share[:, None]
        acoustic[:, 1] *= WIDTH_GAIN
        share = np.array(model.acoustic_share)
        measures = (1 - share) * measures + share * acoustic
    shapes = articulated(shapes, courses)
    # gap, height and jaw; the width has a range of its own
    measures[:, [0, 2, 3]] *= OPENING_GAIN
    measures[:, 0] = np.maximum(measures[:, 0], 0.0)
    gain = style.articulation * _amplitude(prosody, style)
    # 0.45 frames at 25 fps: takes off the steps between phones, keeps closures
    measures = gaussian_filter1d(measures * gain[:, None], 0.45 * fps / 25, axis=0)
    shapes = gaussian_filter1d(shapes * np.clip(gain, 0.0, 1.4)[:, None], 0.45 * fps / 25, axis=0)
    # The measures are met by the shapes of the solver, with these shapes as the prior.
    mouth = spread(solve_mouth(measures, shapes))
    mouth = _with_style(mouth, style)
    return _with_contacts(mouth, phones, times, open_share)


def articulated(
    shapes: Float[ndarray, "frames shapes"], courses: Float[ndarray, "frames 3"]
) -> Float[ndarray, "frames shapes"]:
    """Mouth shapes with protrusion, spreading and upper lip by their articulatory courses."""
    result = shapes.copy()
    for name, (course, top) in _ARTICULATED.items():
        values = np.clip(courses[:, COURSES.index(course)], 0.0, 1.1)
        result[:, SOLVED.index(name)] = top * values
    return result


def _amplitude(prosody: Prosody, style: StyleSettings) -> ndarray:
    """Gain of the opening: loud speech opens wider, fast speech less.

    Both vary slowly, so that single phones keep their proportions.
    """
    loud = gaussian_filter1d(np.where(prosody.speaking, prosody.loudness, 0.9), 5.0)
    # 11 phones a second is ordinary; each more takes 2.5 % of the opening
    rate = np.clip(1.0 - 0.025 * (prosody.rate - 11.0), 0.82, 1.12)
    return np.clip(1.0 + 0.6 * style.energy * (loud - 0.9), 0.6, 1.35) * np.where(
        prosody.rate > 1.0, rate, 1.0
    )


def _speech_envelope(
    phones: Sequence[PhoneSpan], times: ndarray, ahead_s: float = 0.6, behind_s: float = 0.38
) -> ndarray:
    """1 in speech, with smooth ramps for the lips' anticipation and return.

    People draw breath through the mouth: GRID's speakers open it 0.2 to 0.5 s before their first
    phone. How far is left to the sound's own reader and to the phones; this only says until when
    the mouth may be open at all.
    """
    speech = [p for p in phones if PHONES[p.symbol].manner != "silence"]
    if not speech:
        return np.zeros(len(times))
    start, end = np.array([p.start for p in speech]), np.array([p.end for p in speech])
    # index of the next phone that begins after each frame
    following = np.searchsorted(start, times, side="right")
    until = np.where(
        following < len(start), start[np.minimum(following, len(start) - 1)] - times, np.inf
    )
    since = np.where(
        following > 0, times - np.maximum.accumulate(end)[np.maximum(following - 1, 0)], np.inf
    )
    nearness = np.maximum(1 - np.maximum(until, 0) / ahead_s, 1 - np.maximum(since, 0) / behind_s)
    x = np.clip(nearness, 0.0, 1.0)
    # smooth step: no velocity at either end
    return x * x * (3 - 2 * x)


def _with_style(mouth: ndarray, style: StyleSettings) -> ndarray:
    """The mouth's rest in this style, yielding where the lips are rounded, and uneven sides."""
    result = mouth.copy()
    # Rounded lips cannot smile at the same time.
    rounded = np.clip(
        1
        - 1.2
        * (
            joined(mouth)[:, [SOLVED.index("mouthPucker"), SOLVED.index("mouthFunnel")]].sum(axis=1)
        ),
        0.2,
        1.0,
    )
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        stronger = 1 + sign * style.asymmetry
        result[:, ARKIT_SHAPES.index(f"mouthSmile{side}")] += (
            max(style.smile, 0.0) * stronger * rounded
        )
        result[:, ARKIT_SHAPES.index(f"mouthFrown{side}")] += max(-style.smile, 0.0) * stronger
        result[:, ARKIT_SHAPES.index(f"mouthPress{side}")] += style.lip_tension
        for name in ("mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthDimple"):
            result[:, ARKIT_SHAPES.index(name + side)] *= 1 + 0.5 * sign * style.asymmetry
    return np.clip(result, 0.0, 1.0)


def _with_contacts(
    mouth: ndarray, phones: Sequence[PhoneSpan], times: ndarray, open_share: ndarray
) -> ndarray:
    """Contacts: lips at p, b, m and at rest; lip on teeth at f, v; tongue at dentals."""
    lips = _contact(phones, times, lambda p: PHONES[p.symbol].is_closure)
    teeth = _contact(phones, times, lambda p: PHONES[p.symbol].is_labiodental)
    tongue = _contact(phones, times, lambda p: PHONES[p.symbol].place == "dental")
    result = mouth.copy()

    def add(name: str, course: ndarray) -> None:
        column = ARKIT_SHAPES.index(name)
        result[:, column] = np.clip(result[:, column] + course, 0.0, 1.0)

    # The lower lip lies at the upper teeth: it is neither lowered nor protruded.
    for name in ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthFunnel", "mouthShrugUpper"):
        result[:, ARKIT_SHAPES.index(name)] *= 1 - 0.8 * teeth
    # Also closed where nobody speaks: 3 times the envelope is 1 well before the first phone.
    result = close_lips(
        result, np.maximum(np.maximum(lips, 0.85 * teeth), 1 - np.clip(3 * open_share, 0.0, 1.0))
    )
    for side in ("Left", "Right"):
        add(f"mouthPress{side}", 0.10 * lips)
        add(f"mouthUpperUp{side}", 0.12 * teeth)
    add("mouthRollLower", 0.08 * lips + 0.32 * teeth)
    add("tongueOut", 0.16 * tongue)
    add("jawOpen", 0.03 * teeth + 0.04 * tongue)
    # Pressing must not be undone by what was added for the teeth in a neighbouring phone.
    return np.where((lips > 0.99)[:, None], close_lips(result, lips), result)


def _contact(phones: Sequence[PhoneSpan], times: ndarray, target, ramp_s: float = 0.05) -> ndarray:
    """0..1: 1 over the middle of the selected phones, with short ramps around."""
    course = np.zeros(len(times))
    if not len(times):
        return course
    step = times[1] - times[0] if len(times) > 1 else 0.04
    for phone in phones:
        if target(phone):
            low, high = (
                phone.start + 0.15 * (phone.end - phone.start),
                phone.end - 0.25 * (phone.end - phone.start),
            )
            first, last = max(0, int((low - ramp_s) / step)), int((high + ramp_s) / step) + 2
            t = times[first:last]
            away = np.maximum(np.maximum(low - t, t - high), 0.0)
            course[first:last] = np.maximum(
                course[first:last], np.clip(1 - away / ramp_s, 0.0, 1.0)
            )
            # A short phone may lie between two frames: the nearest one gets the full contact.
            course[min(round((low + high) / 2 / step), len(times) - 1)] = 1.0
    return course


def _check(sound: ndarray, phones: Sequence[PhoneSpan]) -> None:
    if sound.ndim != 1 or not len(sound):
        raise InputError(
            f"a performance needs mono sound at {RATE_HZ} Hz as a plain vector, this has the shape"
            f" {sound.shape}"
        )
    if not np.isfinite(sound).all():
        raise InputError(
            "the sound contains values that are not finite (NaN or infinity); repair or re-export"
            " the recording"
        )
    for one, next_one in zip(phones, phones[1:], strict=False):
        if next_one.start < one.start:
            raise InputError(
                f"phones must be in time order; {next_one.symbol!r} at {next_one.start} s comes"
                f" after {one.symbol!r} at {one.start} s"
            )


assert MEASURES[0] == "gap"
