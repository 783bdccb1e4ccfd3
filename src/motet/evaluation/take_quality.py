"""What can be said of one take without knowing the truth: does it fit its own sound.

Conventions: a clip with sound and motion in the house space, lips measured on a figure. Silence is
what lies more than 45 dB under the loudest tenth of the sound, or under -60 dB of full scale, for
half a second or more; a fifth of a second on both sides is left out. The offset between sound and
lips is where lip opening and loudness go together best: positive when the lips are late. Lips do
not follow loudness alone, so no offset is given where it is not clear (`_is_clear`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.evaluation.baselines import loudness_db
from motet.metrics import blink, head, jitter, lip
from motet.metrics.lip_geometry import LipGeometry
from motet.metrics.metric import Metric, quantile
from motet.phonetics.alignment import Phone
from motet.types import Audio, Clip, frame_count

LEAST_FRAMES = 12
MAX_OFFSET_S = 0.3
"""How far the offset is searched."""
LEAST_CORRELATION, LEAST_GAIN = 0.3, 0.15
"""Correlation of opening and loudness from which on an offset is given, and by how much it exceeds
that without an offset: the opening also follows vowels, so small differences mean nothing."""

METRICS = (
    Metric(
        "length_error",
        "frames",
        "whole take",
        "lower",
        "frames more or less than round(seconds * fps)",
    ),
    Metric(
        "sync_offset",
        "s",
        "inner lips, middle",
        "lower",
        "lag of lip opening behind loudness; positive: lips late",
    ),
    Metric(
        "sync_correlation",
        "1",
        "inner lips, middle",
        "descriptive",
        "correlation of lip opening and loudness at that lag",
    ),
    Metric(
        "opening_range",
        "mm",
        "inner lips, middle",
        "like ground truth",
        "5th to 95th percentile of the opening; people: 10-20, quiet or lively speech 7-24",
    ),
    *(metric for metric in lip.METRICS if metric.id.startswith(("closure", "stillness"))),
    Metric(
        "jerk",
        "m/s^3",
        "all lip vertices",
        "like ground truth",
        "mean size of the third derivative",
    ),
    *head.METRICS,
    *blink.METRICS,
    Metric("out_of_range", "1", "all weights", "lower", "share of weights outside 0..1"),
)

LIMITS: dict[str, tuple[float, float]] = {
    "length_error": (0.0, 1.0),
    "sync_offset": (-0.12, 0.12),
    "closure_recall": (0.9, 1.0),
    "opening_range": (7.0, 24.0),
    "stillness": (0.0, 2.0),
    "out_of_range": (0.0, 0.0),
}
"""Where a score should lie; outside, a viewer will see something wrong."""


def validate(clip: Clip) -> tuple[Audio, Float[Tensor, "frames dim"]]:
    """A clip of one person with one sound.

    Raises:
        InputError: sound or motion is missing, too short, batched or not finite, or has no face.
    """
    if clip.motion is None or clip.audio is None:
        raise InputError(
            f"the take has no {'motion' if clip.motion is None else 'sound'}; quality is judged by"
            " both together"
        )
    values = clip.motion.values
    if values.ndim != 2:
        raise InputError(
            f"one take is checked at a time, this is a batch of {len(values)}; check each alone"
        )
    if clip.motion.frames < LEAST_FRAMES:
        raise InputError(
            f"the take lasts {clip.motion.frames / clip.motion.space.fps:.2f} s"
            f" ({clip.motion.frames} frames); at least {LEAST_FRAMES} frames are needed to judge it"
        )
    if not bool(torch.isfinite(values).all()):
        raise InputError("the motion contains values that are not finite")
    if "blendshapes" not in [track.name for track in clip.motion.space.tracks]:
        raise InputError(
            f"the take moves a body ({clip.motion.space.name}) and no face; 'motet check' measures"
            " faces, bodies are measured by 'motet eval METHOD --data FOLDER' on a corpus of"
            " 'motet data sam'"
        )
    return clip.audio, values


def evaluate(
    clip: Clip, lip_geometry: LipGeometry, phones: Sequence[Phone] = ()
) -> dict[str, float]:
    """All scores that the take allows, in the order of `METRICS`.

    Args:
        phones: timed phones, for closures.

    Raises:
        InputError: see `validate`.
    """
    audio, _ = validate(clip)
    motion = clip.motion
    assert motion is not None
    mouth, fps = lip_geometry.measure(motion), motion.space.fps
    loudness = _loudness(audio, motion.frames, fps)
    scores = {"length_error": float(abs(motion.frames - frame_count(audio.seconds, fps)))}
    # Short takes allow short lags only: ten frames must overlap.
    widest_s = min(MAX_OFFSET_S, (motion.frames - 10) / fps / 2)
    result = lip.opening_correlation(mouth.opening, loudness, fps, widest_s)
    if _is_clear(result, lip.opening_correlation(mouth.opening, loudness, fps), widest_s, fps):
        scores["sync_offset"] = result.lag_s
    scores["sync_correlation"] = result.correlation
    # metres to millimetres
    scores["opening_range"] = 1000.0 * (
        quantile(mouth.opening, 0.95) - quantile(mouth.opening, 0.05)
    )
    scores |= lip.evaluate(mouth, phones=phones, silences=silences(audio, motion.frames, fps))
    assert mouth.lips is not None
    scores |= jitter.evaluate(mouth.lips, fps)
    scores |= head.evaluate(motion["head"], fps)
    weights = motion["blendshapes"]
    lids = (
        motion.channel("blendshapes", "eyeBlinkLeft")
        + motion.channel("blendshapes", "eyeBlinkRight")
    ) / 2
    scores |= blink.evaluate(lids.clamp(0.0, 1.0), fps)
    scores["out_of_range"] = float(((weights < -1e-4) | (weights > 1.0 + 1e-4)).double().mean())
    return scores


def _is_clear(best: lip.Lagged, unshifted: lip.Lagged, widest_s: float, fps: float) -> bool:
    """Whether a lag means anything: opening and loudness agree there, it lies within the search and
    not at its end, and without it they agree clearly less.
    """
    if best.correlation < LEAST_CORRELATION:
        return False
    if abs(best.lag_s) <= LIMITS["sync_offset"][1]:
        return True
    at_end = abs(best.lag_s) > widest_s - 1 / fps
    return not at_end and best.correlation - unshifted.correlation >= LEAST_GAIN


def silences(audio: Audio, frames: int, fps: float) -> list[tuple[float, float]]:
    """Silent stretches without their edges, seconds."""
    level = _loudness(audio, frames, fps)
    # Relative to loud speech, so that quiet recordings have pauses too.
    quiet = level < max(quantile(level, 0.9) - 45.0, -60.0)
    edges = (
        # +1 where a run of quiet frames begins, -1 where it ends.
        # seconds; the last frame of a run is left out of it
        torch.diff(torch.cat([quiet.new_zeros(1), quiet, quiet.new_zeros(1)]).int())
        .nonzero()
        .flatten()
        .tolist()
    )
    runs = [
        (first / fps, (stop - 1) / fps) for first, stop in zip(edges[::2], edges[1::2], strict=True)
    ]
    # The lips need a fifth of a second to come to rest, and open a little before speech.
    return [(start + 0.2, end - 0.2) for start, end in runs if end - start >= 0.5]


def remarks(scores: dict[str, float]) -> list[str]:
    """One line for each score that lies outside its limits; none for a sound take."""
    units = {metric.id: metric for metric in METRICS}
    return [
        f"{name} is {scores[name]:.3g} {units[name].unit}, should lie in {low:g}..{high:g}:"
        f" {units[name].about}"
        for name, (low, high) in LIMITS.items()
        if name in scores and not low - 1e-9 <= scores[name] <= high + 1e-9
    ]


def _loudness(audio: Audio, frames: int, fps: float) -> Float[Tensor, " frames"]:
    """Loudness of all channels at each frame of the motion; silence beyond the end."""
    one = Audio.mono(audio.samples.double().mean(dim=-2).reshape(-1).float(), audio.sample_rate)
    level = loudness_db(one, fps)[:frames]
    return torch.cat([level, level.new_full((frames - len(level),), -80.0)])
