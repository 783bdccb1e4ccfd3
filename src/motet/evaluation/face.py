"""Any face method beside the baselines on held-out recordings.

Measured are lips, closures, silence, a long file and the diversity of takes, on a figure with the
head at rest. A subject is a function from sound and seed to motion, so a method, a baseline and
another system are the same thing here. The tracked ground truth is a row too, put onto the figure:
it shows what real speakers score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from motet.errors import InputError
from motet.evaluation.baselines import Predict
from motet.evaluation.face_scores import GroupTally, lids
from motet.evaluation.held_out import HeldOut, HeldOutClip
from motet.evaluation.report import LENGTH, Report, Score
from motet.metrics import blink, diversity, head, lip, seam
from motet.metrics.lip_geometry import LipGeometry
from motet.types import Audio, Motion, concatenate, frame_count

if TYPE_CHECKING:
    from motet.session import LoadedMethod, Stream

Progress = Callable[[str, int, int], None]
"""(what is being done, steps done, steps in all)"""
GROUND_TRUTH = "ground truth (tracked)"
PROBE_S, LARGE_CHUNK_S = 20.0, 10.0
"""Of a long file: how much is streamed in small chunks, and how long the others are."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """Something to be evaluated."""

    name: str
    predict: Predict
    stream: Callable[[Audio, int], Iterator[Motion]] | None = None
    """Yields the motion window by window; where they join are the window borders."""
    predict_with_text: Callable[[Audio, int, str], Motion] | None = None
    """As `predict`, with the transcript; used where the text of a recording is known."""

    def motion_of(self, clip: HeldOutClip, seed: int) -> Motion:
        """Motion of one recording, with its transcript where it is wanted and known."""
        if self.predict_with_text is not None and clip.text:
            return self.predict_with_text(clip.audio, seed, clip.text)
        return self.predict(clip.audio, seed)


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
        text: give the method the transcript where it is known; it needs an option `text`.
    """
    from motet.session import Stream

    def predict(audio: Audio, seed: int) -> Motion:
        # one take: without the batch axis
        motion = loaded.run(audio, options, seeds=(seed,))
        return Motion(motion.values[0], motion.space)

    def stream(audio: Audio, seed: int) -> Iterator[Motion]:
        # chunks of one frame: windows are seen as they are emitted
        session, prepared = Stream(loaded, options, seed=seed), loaded.prepare(audio)
        chunk = max(1, round(prepared.sample_rate / loaded.method.space.fps))
        yield from window_by_window(session, prepared, chunk)

    def predict_with_text(audio: Audio, seed: int, transcript: str) -> Motion:
        motion = loaded.run(audio, {**(options or {}), "text": transcript}, seeds=(seed,))
        return Motion(motion.values[0], motion.space)

    return Subject(name or loaded.spec.name, predict, stream, predict_with_text if text else None)


def window_by_window(session: Stream, audio: Audio, chunk: int) -> Iterator[Motion]:
    """The motion of a sound in the windows in which a method emits it.

    Most methods emit windows of one length. Once the first `PROBE_S` seconds in small chunks have
    shown it, the sound is pushed in large chunks, which by the contract of methods changes nothing
    but the time it takes, and the motion is cut into these windows.

    Args:
        session: a new stream.
        audio: as the method takes it.
        chunk: samples of a small chunk.
    """
    sizes: list[int] = []
    total, probe = audio.samples.shape[-1], round(PROBE_S * audio.sample_rate)
    for start in range(0, min(probe, total), chunk):
        for motion in session.push(audio.slice(start, start + chunk)):
            sizes.append(motion.frames)
            yield motion
    probed = -(-min(probe, total) // chunk) * chunk  # samples already pushed
    # The method emits windows of one size: then long pieces may be pushed and cut up afterwards.
    # The first window may be shorter or longer; all others must agree.
    window = sizes[-1] if len(sizes) >= 4 and len({*sizes[1:]}) == 1 else 0
    step = round(LARGE_CHUNK_S * audio.sample_rate) if window else chunk
    for start in range(probed, total, step):
        for motion in session.push(audio.slice(start, start + step)):
            size = window if window and motion.frames % window == 0 else motion.frames
            yield from (motion.slice(k, k + size) for k in range(0, motion.frames, size))
    yield from session.finish()


def evaluate(
    subjects: Sequence[Subject],
    held_out: HeldOut,
    lip_geometry: LipGeometry,
    config: EvaluationConfig | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Score every subject on all held-out clips, and the ground truth where clips are tracked.

    Raises:
        InputError: no subjects, two of one name, or a subject whose motion cannot be measured.
    """
    config = config or EvaluationConfig()
    names = [subject.name for subject in subjects]
    # The name of the tracked row must not be taken either.
    if not names or len({*names, GROUND_TRUTH}) != len(names) + 1:
        raise InputError(
            f"subjects need different names, not {', '.join(names) or 'none'};"
            f" {GROUND_TRUTH!r} is taken"
        )
    scores: dict[str, tuple[Score, ...]] = {}
    for subject in subjects:
        report = _reporter(subject.name, on_progress, len(held_out.clips) + 4)
        protocol = _Protocol(subject, held_out, lip_geometry, config, report)
        scores[subject.name] = tuple(protocol.scores())
    truth = tuple(_ground_truth_scores(held_out, lip_geometry))
    facts = {
        "material": held_out.name,
        "clips": len(held_out.clips),
        "seed": config.seed,
        "long_s": config.long_s,
        "takes": config.takes,
    }
    return Report(scores | ({GROUND_TRUTH: truth} if truth else {}), facts)


def long_audio(clips: Sequence[HeldOutClip], seconds: float) -> Audio:
    """The recordings one after the other, again and again, for so many seconds."""
    rate = clips[0].audio.sample_rate
    once = torch.cat(
        [clip.audio.samples.reshape(-1) for clip in clips if clip.audio.sample_rate == rate]
    )
    count = round(seconds * rate)
    # ceiling, then cut to the length
    return Audio.mono(once.repeat(-(-count // len(once)))[:count], rate)


@dataclasses.dataclass(frozen=True)
class _Protocol:
    """Everything that is measured of one subject."""

    subject: Subject
    held_out: HeldOut
    lip_geometry: LipGeometry
    config: EvaluationConfig
    report: Callable[[str], None]

    def scores(self) -> Iterator[Score]:
        """All scores, part by part."""
        yield from self._clip_scores()
        for part, measure in (
            ("silence", self._silence_scores),
            ("long file", self._long_scores),
            ("takes", self._diversity_scores),
        ):
            self.report(part)
            yield from measure()

    @property
    def _example(self) -> HeldOutClip:
        return (self.held_out.group("librivox") or self.held_out.clips)[0]

    def _clip_scores(self) -> Iterator[Score]:
        length_error = 0
        for group in self.held_out.groups:
            tally = GroupTally()
            for clip in self.held_out.group(group):
                self.report(clip.name)
                motion = self.subject.motion_of(clip, self.config.seed)
                expected = frame_count(clip.audio.seconds, motion.space.fps)
                length_error = max(length_error, abs(motion.frames - expected))
                tally.add_generated(self.lip_geometry.measure(motion), clip, self.lip_geometry)
            yield from tally.scores(group)
        yield Score(LENGTH.id, "all clips", float(length_error), len(self.held_out.clips))

    def _silence_scores(self) -> Iterator[Score]:
        speech = self._example.audio
        rate = speech.sample_rate
        silence = torch.zeros(round(self.config.silence_s * rate))
        # the lips must have come to rest before stillness is measured
        after = Audio.mono(torch.cat([speech.samples.reshape(-1), silence]), rate)
        cases = (
            ("silence", Audio.mono(silence, rate), 0.0),
            ("silence after speech", after, speech.seconds + self.config.settle_s),
        )
        for group, audio, start in cases:
            mouth = self.lip_geometry.measure(self.subject.predict(audio, self.config.seed))
            scores = lip.evaluate(mouth, silences=[(start, audio.seconds)])
            yield from (Score(name, group, value, 1) for name, value in scores.items())

    def _long_scores(self) -> Iterator[Score]:
        motion, borders = self._long_motion()
        group, fps = "long file", motion.space.fps
        if motion.frames > 2 * len(borders) > 0:
            lips = self.lip_geometry.lips(motion).flatten(1)
            for region, values in (("lips", lips), ("head", motion["head"])):
                for name, value in seam.evaluate(values, borders).items():
                    yield Score(name, f"{group}, {region}", value, 1)
        scores = head.evaluate(motion["head"], fps) | blink.evaluate(lids(motion), fps)
        yield from (Score(name, group, value, 1) for name, value in scores.items())

    def _long_motion(self) -> tuple[Motion, list[int]]:
        """Motion of the long file and the frames at which its windows join."""
        audio = long_audio(self.held_out.clips, self.config.long_s)
        if self.subject.stream is None:
            return self.subject.predict(audio, self.config.seed), []
        windows = list(self.subject.stream(audio, self.config.seed))
        # The last border is the end of the file.
        borders = torch.tensor([window.frames for window in windows]).cumsum(0)[:-1]
        return concatenate(windows), borders.tolist()

    def _diversity_scores(self) -> Iterator[Score]:
        audio, count = self._example.audio, self.config.takes
        takes = [self.subject.predict(audio, self.config.seed + take) for take in range(count)]
        # (takes, frames, dim)
        batch = Motion(torch.stack([take.values for take in takes]), takes[0].space)
        for name, value in diversity.evaluate(batch, self.lip_geometry).items():
            yield Score(name, f"{count} takes", value, 1)


def _ground_truth_scores(held_out: HeldOut, lip_geometry: LipGeometry) -> Iterator[Score]:
    """The same scores of the tracked speakers themselves."""
    for group in held_out.groups:
        tally = GroupTally()
        for clip in held_out.group(group):
            if clip.tracked is not None:
                tally.add_ground_truth(clip.tracked, clip.phones, lip_geometry)
        yield from tally.scores(group)


def _reporter(name: str, on_progress: Progress | None, total: int) -> Callable[[str], None]:
    done = 0

    def report(step: str) -> None:
        nonlocal done
        if on_progress is not None:
            on_progress(f"{name}: {step}", done, total)
        done += 1

    return report
