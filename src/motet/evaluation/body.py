"""A body method on held-out sounds and directions, between baselines that bracket it.

Upper bounds: the scripted policy run once more with another seed, and the reactions themselves.
Lower bounds: the source position of another clip, muted sound, and a figure that stands still. With
the ear channels exchanged and no source position, headings must be mirrored.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from motet.audio.spatial.interaural import swapped
from motet.body.skeleton import STANDING_HEIGHT_M, body_motion, pose_body
from motet.data.readers.sam import Recorded, Sam
from motet.errors import InputError
from motet.evaluation.report import Report, Score
from motet.metrics import body, body_reaction
from motet.metrics.body_reaction import FamilyClassifier, Reacting, mirrored_truth
from motet.session import LoadedMethod
from motet.types import Audio, Motion

GENRES = ("dull", "neutral", "sensitive")
EAR_HEIGHT_M = 1.51
Truth = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class BodyEvaluation:
    """What is measured on."""

    seconds: float = 8.0
    """Of every sequence; one window of the published model."""
    splits: tuple[str, ...] = ("test", "sector")
    limit: int = 60
    """Sequences of each split at most, evenly chosen."""
    known: int = 400
    """Reactions of the training split that the classifier of families learns from at most."""
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Case:
    """One held-out sequence."""

    recorded: Recorded
    audio: Audio
    truth: Truth
    other: Truth
    """The truth of another sequence, for the shuffled baseline."""


BodySubject = Callable[[Case, int], tuple[Motion, Truth]]
"""(case, seed) -> the motion and the truth it is to be measured against."""


def source_text(position: Sequence[float]) -> str:
    """A position in the world of the first frame as `azimuth,elevation,distance` from the ears."""
    # seen from the ears at the standing height
    x, y, z = position[0], position[1] - EAR_HEIGHT_M, position[2]
    distance = math.sqrt(x * x + y * y + z * z)
    azimuth = math.degrees(math.atan2(x, z))
    elevation = math.degrees(math.asin(y / max(distance, 1e-9)))
    return f"{azimuth:.4f},{elevation:.4f},{distance:.4f}"


def method_subjects(
    loaded: LoadedMethod, options: Mapping[str, Any] | None = None
) -> dict[str, BodySubject]:
    """The method with and without a source position, and with corrupted conditions."""

    def run(audio: Audio, truth: Truth, source: str, seed: int) -> Motion:
        motion = loaded.run(
            audio,
            {
                **(options or {}),
                "genre": GENRES[truth["genre"]],
                **({"source": source} if source else {}),
            },
            seeds=(seed,),
        )
        return Motion(motion.values[0], motion.space)

    def muted(audio: Audio) -> Audio:
        return dataclasses.replace(audio, samples=torch.zeros_like(audio.samples))

    name = loaded.name
    return {
        name: lambda case, seed: (
            run(case.audio, case.truth, source_text(case.truth["source"]), seed),
            case.truth,
        ),
        f"{name}, source heard": lambda case, seed: (
            run(case.audio, case.truth, "", seed),
            case.truth,
        ),
        "ears exchanged, against the mirrored truth": lambda case, seed: (
            run(swapped(case.audio), case.truth, "", seed),
            mirrored_truth(case.truth),
        ),
        "source of another clip": lambda case, seed: (
            run(case.audio, case.truth, source_text(case.other["source"]), seed),
            case.truth,
        ),
        "muted": lambda case, seed: (
            run(muted(case.audio), case.truth, source_text(case.truth["source"]), seed),
            case.truth,
        ),
    }


def reference_subjects(
    policy_upper_bound: Callable[[str], Motion] | None = None,
) -> dict[str, BodySubject]:
    """The reactions themselves, the policy run once more, and standing still."""
    still = body_motion(
        torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).expand(240, 3),
        torch.eye(3).expand(240, 25, 3, 3),
    )
    result: dict[str, BodySubject] = {
        "reaction": lambda case, seed: (case.recorded.motion(), case.truth),
        "standing still": lambda case, seed: (still, case.truth),
    }
    return (
        result
        if policy_upper_bound is None
        else {
            "policy upper bound": lambda case, seed: (
                policy_upper_bound(case.recorded.name),
                case.truth,
            ),
            **result,
        }
    )


def cases(data: Sam, split: str, config: BodyEvaluation) -> Iterator[Case]:
    """Evenly chosen held-out sequences, each with the truth of one in another direction."""
    truths = data.reactions()
    # Long scenes without an event (idle people, speakers) hold no reaction to measure.
    # Evenly chosen, so that all classes of a sorted list are there.
    # long scenes list events; short ones have exactly one
    names = [name for name in data.names(split) if truths.get(name, {}).get("events", [name])]
    names = [name for name in names if name in truths]
    if not names:
        raise InputError(
            f"{data.folder} holds no facts on the reactions of its split {split!r}; corpora of"
            " 'motet data sam' do (reactions.jsonl)"
        )
    chosen = [
        names[int(position * len(names) / min(config.limit, len(names)))]
        for position in range(min(config.limit, len(names)))
    ]
    for position, name in enumerate(chosen):
        audio = data.audio(name)
        audio = audio.slice(0, round(config.seconds * audio.sample_rate))
        others = [
            truths[other]
            for other in chosen[position + 1 :] + chosen[:position]
            if _direction_apart(truths[other], truths[name]) > 60
        ]
        yield Case(
            data.read(name),
            audio,
            truths[name],
            others[0] if others else mirrored_truth(truths[name]),
        )


def evaluate_body(
    folder: Path,
    subjects: Mapping[str, BodySubject],
    config: BodyEvaluation | None = None,
    report: Callable[[str, int, int], None] | None = None,
) -> Report:
    # at least 60 degrees away, or the shuffled source would be right by chance
    """Scores of every subject on the held-out splits of a corpus with known reactions.

    Raises:
        AssetError: not in SAM's layout.
        InputError: a split is missing, or nothing is known of the reactions.
    """
    config, data = config or BodyEvaluation(), Sam(folder)
    classifier = _classifier(data, config)
    result: dict[str, list[Score]] = {name: [] for name in subjects}
    for split in config.splits:
        values: dict[str, dict[str, list[float]]] = {name: {} for name in subjects}
        positions: dict[str, list[torch.Tensor]] = {name: [] for name in subjects}
        test_cases = list(cases(data, split, config))
        for position, case in enumerate(test_cases):
            for name, subject in subjects.items():
                motion, truth = subject(case, config.seed)
                motion = motion.slice(0, round(config.seconds * motion.space.fps))
                pose = pose_body(motion)
                positions[name].append(pose.positions.float())
                real = pose_body(case.recorded.motion().slice(0, motion.frames)).positions.float()
                scores = body_reaction.evaluate(
                    Reacting(pose, motion.space.fps, truth), classifier
                ) | {"mpjpe": body.mpjpe(real, positions[name][-1])}
                for metric, value in scores.items():
                    values[name].setdefault(metric, []).append(value)
            if report is not None:
                report(split, position + 1, len(test_cases))
        for name, scores in values.items():
            result[name] += (
                [Score("apd", split, body.apd(torch.stack(positions[name])), len(test_cases))]
                if len(test_cases) > 1
                else []
            )
            result[name] += [
                Score(metric, split, sum(each) / len(each), len(each), tuple(each))
                for metric, each in scores.items()
            ]
    return Report(
        {name: tuple(scores) for name, scores in result.items()},
        {"material": str(Path(folder).name), "seconds": config.seconds, "seed": config.seed},
    )


def _classifier(data: Sam, config: BodyEvaluation) -> FamilyClassifier:
    truths = data.reactions()
    names = [name for name in data.names("train") if name in truths]
    names = names[:: max(1, len(names) // config.known)]
    bodies = []
    for name in names:
        motion = data.read(name).motion()
        bodies.append(
            Reacting(
                pose_body(motion.slice(0, round(config.seconds * motion.space.fps))),
                motion.space.fps,
                truths[name],
            )
        )
    return FamilyClassifier.fitted(bodies)


# azimuth of the source, degrees to the left
def _direction_apart(first: Truth, second: Truth) -> float:
    angles = [
        math.degrees(math.atan2(truth["source"][0], truth["source"][2]))
        for truth in (first, second)
    ]
    # smallest angle between both directions, degrees
    return abs((angles[0] - angles[1] + 180) % 360 - 180)
