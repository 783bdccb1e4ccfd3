"""Any method beside the baselines on recordings that it never saw: lips, closures, silence, ten
minutes, several takes.

A subject is a function from sound and seed to motion, so a method, a baseline and somebody else's
system are the same thing here. Lips are measured on a figure with the head at rest. Tracked people
are a subject too: what cameras saw of them, put onto the figure, shows what the scores of real
people are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.evaluation.baselines import Predict
from motet.evaluation.held_out import HeldOut, HeldOutClip, Tracked
from motet.evaluation.report import LENGTH, Report, Score
from motet.metrics import blink, diversity, head, jitter, lip, seam
from motet.metrics.lip_geometry import LipGauge, LipMotion
from motet.metrics.metric import quantile
from motet.phonetics.alignment import SILENCE, Phone, spoken
from motet.types import Audio, Motion, concatenate, frame_count

if TYPE_CHECKING:
    from motet.session import LoadedMethod, Stream

Progress = Callable[[str, int, int], None]
"""(what is being done, steps done, steps in all)"""
PEOPLE = "tracked people"
LISTEN_S, LARGE_S = 20.0, 10.0
"""Of a long file: how much is streamed in small pieces, and how long the others are."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Something to be evaluated."""

    name: str
    predict: Predict
    stream: Callable[[Audio, int], Iterator[Motion]] | None = None
    """Gives the motion in the pieces in which it becomes certain; where they join are the window
    borders."""
    read: Callable[[Audio, int, str], Motion] | None = None
    """The same as `predict` with what is said; used where the text of a recording is known."""

    def of(self, clip: HeldOutClip, seed: int) -> Motion:
        """Motion of one recording, with its text where text is wanted and known."""
        return (
            self.read(clip.audio, seed, clip.text)
            if self.read is not None and clip.text
            else self.predict(clip.audio, seed)
        )


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """How much is measured."""

    seed: int = 0
    """Seed of every prediction; takes use this one and the following."""
    takes: int = 5
    """Takes compared for diversity."""
    silence_s: float = 2.0
    """Length of the digital silence."""
    settle_s: float = 0.5
    """After speech ends, how long lips may take to come to rest before stillness is measured."""
    long_s: float = 600.0
    """Length of the long file."""

    def __post_init__(self) -> None:
        if (
            self.takes < 2
            or self.silence_s < 0.5
            or self.long_s < 1.0
            or not 0.0 <= self.settle_s < self.silence_s
        ):
            raise InputError(
                "evaluation needs two takes, half a second of silence (longer than the time to"
                " settle) and one second of long file at least"
            )


def method_subject(
    loaded: LoadedMethod,
    name: str = "",
    options: dict[str, object] | None = None,
    text: bool = False,
) -> Subject:
    """A loaded method with the options of its condition, exactly as a user gets it.

    Args:
        text: tell the method what is said where it is known; the method needs an option `text`.
    """
    from motet.session import Stream

    def predict(audio: Audio, seed: int) -> Motion:
        motion = loaded.run(audio, options, seeds=(seed,))
        return Motion(motion.values[0], motion.space)

    def stream(audio: Audio, seed: int) -> Iterator[Motion]:
        session, prepared = Stream(loaded, options, seed=seed), loaded.prepare(audio)
        yield from in_certain_pieces(
            session, prepared, max(1, round(prepared.sample_rate / loaded.method.space.fps))
        )

    def read(audio: Audio, seed: int, said: str) -> Motion:
        motion = loaded.run(audio, {**(options or {}), "text": said}, seeds=(seed,))
        return Motion(motion.values[0], motion.space)

    return Subject(name or loaded.spec.name, predict, stream, read if text else None)


def in_certain_pieces(session: Stream, audio: Audio, piece: int) -> Iterator[Motion]:
    """The motion of a sound in the pieces in which it becomes certain when the sound comes in small
    pieces.

    Most methods answer in windows of one length. Once the first `LISTEN_S` seconds have shown it,
    the sound is given in large pieces, which by the contract of methods changes nothing but the
    time it takes, and the answers are cut into these windows.

    Args:
        session: a new stream.
        audio: as the method takes it.
        piece: samples of a small piece.
    """
    sizes: list[int] = []
    total, probe = audio.samples.shape[-1], round(LISTEN_S * audio.sample_rate)
    for start in range(0, min(probe, total), piece):
        for motion in session.push(audio.slice(start, start + piece)):
            sizes.append(motion.frames)
            yield motion
    listened = -(-min(probe, total) // piece) * piece
    size = sizes[-1] if len(sizes) >= 4 and len({*sizes[1:]}) == 1 else 0
    step = round(LARGE_S * audio.sample_rate) if size else piece
    for start in range(listened, total, step):
        for motion in session.push(audio.slice(start, start + step)):
            cut = size if size and motion.frames % size == 0 else motion.frames
            yield from (motion.slice(first, first + cut) for first in range(0, motion.frames, cut))
    yield from session.finish()


def evaluate(
    subjects: Sequence[Subject],
    material: HeldOut,
    gauge: LipGauge,
    config: EvaluationConfig | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Run every subject over all material and score it; tracked people are added where the material
    has them.

    Raises:
        InputError: no subjects, two of one name, or a subject whose motion cannot be measured.
    """
    config = config or EvaluationConfig()
    names = [subject.name for subject in subjects]
    if not names or len({*names, PEOPLE}) != len(names) + 1:
        raise InputError(
            f"subjects need different names, given were {', '.join(names) or 'none'}; {PEOPLE!r} is"
            " taken"
        )
    found: dict[str, tuple[Score, ...]] = {}
    for subject in subjects:
        report = _reporter(subject.name, on_progress, len(material.clips) + 4)
        found[subject.name] = tuple(_subject_scores(subject, material, gauge, config, report))
    people = tuple(_people_scores(material, gauge))
    facts = {
        "material": material.name,
        "clips": len(material.clips),
        "seed": config.seed,
        "long_s": config.long_s,
        "takes": config.takes,
    }
    return Report(found | ({PEOPLE: people} if people else {}), facts)


def long_audio(clips: Sequence[HeldOutClip], seconds: float) -> Audio:
    """The recordings one after the other, again and again, for so many seconds."""
    rate = clips[0].audio.sample_rate
    once = torch.cat(
        [clip.audio.samples.reshape(-1) for clip in clips if clip.audio.sample_rate == rate]
    )
    count = round(seconds * rate)
    return Audio.mono(once.repeat(-(-count // len(once)))[:count], rate)


def on_tracked_time(predicted: LipMotion, tracked: Tracked) -> tuple[LipMotion, slice]:
    """A prediction read off (linearly) at the times a camera took its frames, and which of those
    frames both cover.
    """
    inside = (
        ((tracked.time_s >= 0) & (tracked.time_s <= (len(predicted.opening) - 1) / predicted.fps))
        .nonzero()
        .flatten()
    )
    if not len(inside):
        raise InputError("the tracked frames and the prediction have no time in common")
    common = slice(int(inside[0]), int(inside[-1]) + 1)
    position = tracked.time_s[common] * predicted.fps
    lips = None if predicted.lips is None else _read_off(predicted.lips, position)
    return LipMotion(_read_off(predicted.opening, position), tracked.fps, lips), common


@dataclasses.dataclass
class _Tally:
    """Numbers of one group, clip by clip, before they are put together."""

    values: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def add(self, scores: dict[str, float]) -> None:
        for name, value in scores.items():
            self.values.setdefault(name, []).append(value)

    def scores(self, group: str) -> Iterator[Score]:
        """Medians where single clips may fail, means where every event counts the same."""
        for name, values in self.values.items():
            middle = name in ("lip_correlation", "lip_lag", "jerk_ratio", "closure_contrast")
            value = quantile(torch.tensor(values), 0.5) if middle else sum(values) / len(values)
            yield Score(name, group, value, len(values), tuple(values))


def _subject_scores(
    subject: Subject,
    material: HeldOut,
    gauge: LipGauge,
    config: EvaluationConfig,
    report: Callable[[str], None],
) -> Iterator[Score]:
    wrong_length = 0
    for group in material.groups:
        tally, recalls = _Tally(), _Tally()
        for clip in material.group(group):
            report(clip.name)
            motion = subject.of(clip, config.seed)
            wrong_length = max(
                wrong_length, abs(motion.frames - frame_count(clip.audio.seconds, motion.space.fps))
            )
            mouth = gauge.measure(motion)
            tally.add(_tracked_scores(mouth, clip, gauge))
            tally.add(_pauses(mouth, clip.phones))
            recalls.add(_closures(mouth, clip.phones, tally))
        yield from tally.scores(group)
        yield from _pooled(recalls, group)
    yield Score(LENGTH.id, "all clips", float(wrong_length), len(material.clips))
    yield from _silence_scores(subject, material, gauge, config, report)
    yield from _long_scores(subject, material, gauge, config, report)
    yield from _diversity_scores(subject, material, gauge, config, report)


def _tracked_scores(mouth: LipMotion, clip: HeldOutClip, gauge: LipGauge) -> dict[str, float]:
    """Correlation, lag, vertex error and smoothness against what the camera saw."""
    if clip.tracked is None:
        return {}
    predicted, common = on_tracked_time(mouth, clip.tracked)
    seen = LipMotion(
        clip.tracked.opening[common], clip.tracked.fps, gauge.lips(clip.tracked.motion)[common]
    )
    scores = lip.evaluate(predicted, seen, max_lag_s=clip.max_lag_s)
    if predicted.lips is not None and seen.lips is not None:
        smooth = jitter.evaluate(predicted.lips, predicted.fps, seen.lips)
        scores |= {name: smooth[name] for name in ("jerk_ratio",) if name in smooth}
    return scores


def _closures(mouth: LipMotion, phones: Sequence[Phone], tally: _Tally) -> dict[str, float]:
    """Whether each closure is realised (counts, put together later) and how far open vowels stand
    off from them.
    """
    closures = [
        (start, end)
        for start, end in spoken(phones, lip.CLOSURES)
        if start * mouth.fps < len(mouth.opening)
    ]
    if not closures:
        return {}
    contrast = lip.closure_contrast(mouth.opening, mouth.fps, phones)
    tally.add({} if contrast is None or mouth.lips is None else {"closure_contrast": contrast})
    thresholds = {"closure_recall_relative": lip.relative_threshold(mouth.opening)} | (
        {} if mouth.lips is None else {"closure_recall": lip.CLOSED_M}
    )
    done = {
        name: sum(lip.realised_closures(mouth.opening, mouth.fps, closures, value))
        for name, value in thresholds.items()
    }
    return {"closures": float(len(closures))} | {name: float(count) for name, count in done.items()}


def _pauses(mouth: LipMotion, phones: Sequence[Phone]) -> dict[str, float]:
    """How still the lips are in pauses of half a second and more inside recordings, a fifth of a
    second after and before speech left out.
    """
    long = [
        (start + 0.2, end - 0.2)
        for start, end in spoken(phones, (SILENCE,))
        if end - start >= 0.5 and end * mouth.fps <= len(mouth.opening)
    ]
    found = lip.evaluate(mouth, silences=long)
    return {"stillness": found["stillness"]} if "stillness" in found else {}


def _pooled(recalls: _Tally, group: str) -> Iterator[Score]:
    """Recalls over all closures of a group, since clips have unequal numbers of them."""
    total = sum(recalls.values.get("closures", []))
    for name in ("closure_recall", "closure_recall_relative"):
        if name in recalls.values:
            yield Score(name, group, sum(recalls.values[name]) / total, len(recalls.values[name]))


def _silence_scores(
    subject: Subject,
    material: HeldOut,
    gauge: LipGauge,
    config: EvaluationConfig,
    report: Callable[[str], None],
) -> Iterator[Score]:
    report("silence")
    clip = (material.group("librivox") or material.clips)[0]
    rate = clip.audio.sample_rate
    quiet = torch.zeros(round(config.silence_s * rate))
    after = Audio.mono(torch.cat([clip.audio.samples.reshape(-1), quiet]), rate)
    cases = (
        (Audio.mono(quiet, rate), "silence", 0.0),
        (after, "silence after speech", clip.audio.seconds + config.settle_s),
    )
    for audio, group, start in cases:
        mouth = gauge.measure(subject.predict(audio, config.seed))
        scores = lip.evaluate(mouth, silences=[(start, audio.seconds)])
        yield from (Score(name, group, value, 1) for name, value in scores.items())


def _long_scores(
    subject: Subject,
    material: HeldOut,
    gauge: LipGauge,
    config: EvaluationConfig,
    report: Callable[[str], None],
) -> Iterator[Score]:
    report("long file")
    audio, group = long_audio(material.clips, config.long_s), "long file"
    borders: list[int] = []
    if subject.stream is None:
        motion = subject.predict(audio, config.seed)
    else:
        pieces = list(subject.stream(audio, config.seed))
        motion = concatenate(pieces)
        borders = torch.tensor([piece.frames for piece in pieces]).cumsum(0)[:-1].tolist()
    if motion.frames > 2 * len(borders) > 0:
        lips = gauge.lips(motion).flatten(1)
        for region, values in (("lips", lips), ("head", motion["head"])):
            yield from (
                Score(name, f"{group}, {region}", value, 1)
                for name, value in seam.evaluate(values, borders).items()
            )
    scores = head.evaluate(motion["head"], motion.space.fps) | blink.evaluate(
        _lids(motion), motion.space.fps
    )
    yield from (Score(name, group, value, 1) for name, value in scores.items())


def _diversity_scores(
    subject: Subject,
    material: HeldOut,
    gauge: LipGauge,
    config: EvaluationConfig,
    report: Callable[[str], None],
) -> Iterator[Score]:
    report("takes")
    clip = (material.group("librivox") or material.clips)[0]
    takes = [subject.predict(clip.audio, config.seed + take) for take in range(config.takes)]
    scores = diversity.evaluate(
        Motion(torch.stack([take.values for take in takes]), takes[0].space), gauge
    )
    yield from (Score(name, f"{config.takes} takes", value, 1) for name, value in scores.items())


def _people_scores(material: HeldOut, gauge: LipGauge) -> Iterator[Score]:
    """The same scores of the tracked people themselves: relative closures from the camera's
    opening, all else on the figure.
    """
    for group in material.groups:
        tally, recalls = _Tally(), _Tally()
        for clip in material.group(group):
            if clip.tracked is None:
                continue
            motion, seen = clip.tracked.motion, LipMotion(clip.tracked.opening, clip.tracked.fps)
            mouth = gauge.measure(motion)
            tally.add(
                {
                    "lip_correlation": (
                        lip.opening_correlation(mouth.opening, seen.opening, seen.fps).correlation
                    )
                }
            )
            tally.add(
                head.evaluate(motion["head"], motion.space.fps)
                | {"blink_rate": blink.evaluate(_lids(motion), motion.space.fps)["blink_rate"]}
            )
            tally.add(_pauses(mouth, clip.phones))
            recalls.add(_closures(mouth, clip.phones, tally) | _closures(seen, clip.phones, tally))
        yield from tally.scores(group)
        yield from _pooled(recalls, group)


def _lids(motion: Motion) -> Float[Tensor, "frames"]:
    return (
        motion.channel("blendshapes", "eyeBlinkLeft")
        + motion.channel("blendshapes", "eyeBlinkRight")
    ) / 2


def _read_off(values: Tensor, position: Float[Tensor, "times"]) -> Tensor:
    left = position.floor().long().clamp(0, len(values) - 1)
    right = (left + 1).clamp(max=len(values) - 1)
    share = (position - left).reshape(-1, *[1] * (values.ndim - 1))
    return values[left] * (1 - share) + values[right] * share


def _reporter(name: str, on_progress: Progress | None, total: int) -> Callable[[str], None]:
    done = 0

    def report(what: str) -> None:
        nonlocal done
        if on_progress is not None:
            on_progress(f"{name}: {what}", done, total)
        done += 1

    return report
