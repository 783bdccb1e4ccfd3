"""A fitted person as a viewer sees them, on the held-out tail of their footage.

The person speaks the tail's own sound through the same programs as any user's, over the tail's own
pictures, and the mouth is compared with the filmed one. Beside it stand the nearest training frame
(by the sound) and a still mouth, laid in with the same mask and colours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from motet.checkpoint import read_checkpoint
from motet.errors import InputError
from motet.evaluation.report import Report, Score
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.dataset import feature_windows
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth, dense, warp_lips
from motet.methods.speech2lip.sync.load import load_expert
from motet.methods.speech2lip.sync.model import mouth_view
from motet.metrics import picture, talking_mouth
from motet.options import OptionValue
from motet.session import load
from motet.tracking.lip_landmarks import LIPS, LipFinder
from motet.types import Audio, Frames

METHOD, FILMED, NEAREST, STILL = "speech2lip", "filmed", "nearest training frame", "still mouth"
GROUP = "held-out tail"
LANDMARKS_EVERY = 2
"""Lips are found in every so many pictures."""
OFFSETS = list(range(-12, 13))
_WINDOW = 16
Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Tail:
    """The held-out frames, shot by shot, with what scoring needs."""

    person: Person
    mouth: Mouth
    shots: tuple[range, ...]
    frames: Tensor
    share: Float[Tensor, "frames 1 h w"]
    """How much of each pixel of the mouth's surroundings is drawn."""


def evaluate_talking(
    person: Person,
    finder: LipFinder | None,
    options: Mapping[str, OptionValue] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a fitted person's held-out tail.

    Args:
        finder: finds lips; without it nothing that needs landmarks is scored.
        options: of the takes.
        progress: called with (way, frames done, frames in all).

    Raises:
        InputError: the person has no tail, or no trained model.
    """
    tail, report = held_out(person), progress or (lambda what, done, total: None)
    ways: dict[str, Callable[[], UInt8[Tensor, "frames size size 3"]]] = {
        FILMED: lambda: crops_of(tail),
        METHOD: lambda: spoken(tail, options or {}),
        NEAREST: lambda: nearest(tail),
        STILL: lambda: still(tail),
    }
    seen: dict[str, Seen] = {}
    for number, (name, draw) in enumerate(ways.items()):
        report(name, number, len(ways))
        seen[name] = look(tail, draw(), finder)
    report(name, len(ways), len(ways))
    scores = {name: scores_of(tail, own, seen[FILMED]) for name, own in seen.items()}
    count = len(tail.frames)
    return Report(
        {n: tuple(Score(m, GROUP, v, count) for m, v in s.items()) for n, s in scores.items()},
        {
            "person": person.facts.name,
            "weights": read_checkpoint(person.weights).digest,
            "frames": count,
            "size": person.facts.size,
            "options": dict(options or {}),
            "landmarks": "not measured" if finder is None else f"every {LANDMARKS_EVERY} frames",
        },
    )


def held_out(person: Person) -> Tail:
    """The tail of a person's footage.

    Raises:
        InputError: the person has no tail, or no trained model.
    """
    facts = person.facts
    if not person.weights.exists():
        raise InputError(f"{person.folder} has no trained model; go on with 'motet fit'")
    shots = tuple(
        # only the part behind the training frames, shot by shot
        range(max(shot.start, facts.train_frames), shot.stop)
        for shot in person.shots()
        if shot.stop > facts.train_frames and not facts.is_skipped(shot.start)
    )
    if not shots:
        raise InputError(
            f"{facts.name} was fitted without a held-out tail; there is nothing to test on"
        )
    mouth = Mouth(person, PRESETS["exemplar"])
    frames = torch.cat([torch.arange(shot.start, shot.stop) for shot in shots])
    # where each pixel of the region lies in the mouth's canonical view
    grid = torch.cat([dense(mouth.region(some).mesh) for some in frames.split(64)])
    mask = mouth.mask.expand(len(frames), -1, -1, -1)
    # (frames, 1, height, width)
    share = torch.nn.functional.grid_sample(mask, grid, align_corners=False)
    return Tail(person, mouth, shots, frames, share)


def shortened(tail: Tail, frames: int) -> Tail:
    """The first frames of a tail."""
    shots, left = [], frames
    for shot in tail.shots:
        shots.append(shot[:left])
        left -= len(shots[-1])
    shortened_shots = tuple(shot for shot in shots if len(shot))
    return dataclasses.replace(
        tail, shots=shortened_shots, frames=tail.frames[:frames], share=tail.share[:frames]
    )


def crops_of(tail: Tail) -> UInt8[Tensor, "frames size size 3"]:
    """The filmed face crops of the tail."""
    crops = tail.person.crops
    return torch.from_numpy(np.stack([crops.frame(int(frame)) for frame in tail.frames]))


def spoken(tail: Tail, options: Mapping[str, OptionValue]) -> UInt8[Tensor, "frames size size 3"]:
    """Face crops of the person who speaks the tail's sound, each shot by itself."""
    from motet.tracking.capture.capture import cut, resized

    facts, samples = tail.person.facts, tail.person.audio.samples[0]
    loaded = load("speech2lip", tail.person.weights)
    parts = []
    for shot in tail.shots:
        own = {
            # Takes begin in the tail's own pictures, once through, without the closing transition.
            "person": str(tail.person.folder), "start": shot.start, "loop": "once",
            "close_end": False, **options,
        }  # fmt: skip
        sound = samples[shot.start * 640 : shot.stop * 640]
        out = cast(Frames, loaded.run(Audio.mono(sound, 16_000), own))
        parts += [resized(cut(whole, facts.crop), facts.size) for whole in out.rgb[0].numpy()]
    return torch.from_numpy(np.stack(parts))


def nearest(tail: Tail) -> UInt8[Tensor, "frames size size 3"]:
    """The mouth of the training frame whose sound is most alike."""
    facts, features = tail.person.facts, tail.person.features
    training = torch.arange(facts.train_frames)
    # (frames, window * channels)
    one, two = (feature_windows(features, f, _WINDOW).flatten(1) for f in (tail.frames, training))
    training_rows = torch.cat([torch.cdist(some, two).argmin(1) for some in one.split(64)])
    crops = tail.person.crops

    def lips(rows: Tensor) -> Tensor:
        frames = training_rows[rows].tolist()
        # Footage is read in order: a jump back decodes again.
        order = np.argsort(frames)
        pictures: dict[int, np.ndarray] = {k: crops.frame(frames[k]) for k in order}
        whole = torch.from_numpy(np.stack([pictures[k] for k in range(len(frames))]))
        whole = whole.movedim(-1, 1).float() / 255
        seen = tail.mouth.lips_seen(whole, frames)
        return seen / tail.mouth.tone(whole, frames)[..., None, None]

    return _laid(tail, lips)


def still(tail: Tail) -> UInt8[Tensor, "frames size size 3"]:
    """The canonical mouth in every frame."""
    return _laid(tail, lambda rows: tail.mouth.canonical.expand(len(rows), -1, -1, -1))


def _laid(tail: Tail, lips: Callable[[Tensor], Tensor]) -> UInt8[Tensor, "frames size size 3"]:
    whole = crops_of(tail)
    for rows in torch.arange(len(tail.frames)).split(32):
        frames = tail.frames[rows]
        pictures = whole[rows].movedim(-1, 1).float() / 255
        tone = tail.mouth.tone(pictures, frames.tolist())
        observed = regions(tail, whole, rows)
        mesh = tail.mouth.region(frames).mesh
        mixed, _ = warp_lips(lips(rows) * tone[..., None, None], tail.mouth.mask, mesh, observed)
        _put(tail, whole, rows, mixed)
    return whole


def regions(tail: Tail, crops: Tensor, rows: Tensor) -> Float[Tensor, "rows 3 h w"]:
    """The surroundings of the mouth in some crops of the tail, 0..1."""
    width, height = tail.mouth.size
    cut = []
    for row, frame in zip(rows.tolist(), tail.frames[rows].tolist(), strict=True):
        left, top = int(tail.mouth.left[frame]), int(tail.mouth.top[frame])
        cut.append(crops[row, top : top + height, left : left + width])
    return torch.stack(cut).movedim(-1, 1).float() / 255


def _put(tail: Tail, crops: Tensor, rows: Tensor, drawn: Tensor) -> None:
    width, height = tail.mouth.size
    made = (drawn * 255).round().clamp(0, 255).byte().movedim(1, -1)
    for row, frame, one in zip(rows.tolist(), tail.frames[rows].tolist(), made, strict=True):
        left, top = int(tail.mouth.left[frame]), int(tail.mouth.top[frame])
        crops[row, top : top + height, left : left + width] = one


@dataclasses.dataclass(frozen=True)
class Seen:
    """One way of drawing the tail."""

    region: Float[Tensor, "frames 3 h w"]
    points: Float[Tensor, "frames 40 2"] | None
    """Landmarks of the lips in the region."""
    found: Bool[Tensor, " frames"] | None


def look(tail: Tail, crops: UInt8[Tensor, "frames size size 3"], finder: LipFinder | None) -> Seen:
    """Regions and landmarks of some crops."""
    region = regions(tail, crops, torch.arange(len(tail.frames)))
    if finder is None:
        return Seen(region, None, None)
    points = torch.zeros(len(crops), len(LIPS), 2)
    found = torch.zeros(len(crops), dtype=torch.bool)
    every = slice(None, None, LANDMARKS_EVERY)
    points[every], found[every] = finder.find(crops[every])
    corner = torch.stack([tail.mouth.left[tail.frames], tail.mouth.top[tail.frames]], -1)
    return Seen(region, points - corner[:, None], found)


def scores_of(tail: Tail, own: Seen, filmed: Seen) -> dict[str, float]:
    """All scores of one way of drawing the tail against the filmed one."""
    # the seam's ring: drawn in part
    edge = ((tail.share > 0.02) & (tail.share < 0.35)).float()
    return {
        **mouth_scores(tail, own, filmed),
        "flicker": _ratio(own, filmed, lambda s: _moved(s, edge, _runs(tail))),
        "perceptual": float(
            torch.cat(
                [
                    picture.perceptual(a, b)
                    for a, b in zip(own.region.split(32), filmed.region.split(32), strict=True)
                ]
            ).mean()
        ),
        **_seams(tail, own, filmed),
        **sync(tail, own.region),
    }


def mouth_scores(tail: Tail, own: Seen, filmed: Seen) -> dict[str, float]:
    """Sharpness, motion, lips and teeth against the filmed ones; lips and teeth only where
    landmarks were found.
    """
    # drawn for the most part
    inside = (tail.share > 0.5).float()
    scores = {
        "sharpness": _ratio(own, filmed, lambda s: talking_mouth.sharpness(s.region, tail.share)),
        "motion": _ratio(own, filmed, lambda s: _moved(s, inside, _runs(tail))),
    }
    if own.points is None or own.found is None or filmed.points is None or filmed.found is None:
        return scores
    both = own.found & filmed.found
    if int(both.sum()) < 3:
        return scores
    scores |= talking_mouth.lip_scores(own.points[both], filmed.points[both])
    one, two = (_teeth(tail, s, both) for s in (own, filmed))
    scores["teeth"] = float(one.mean() / two.mean().clamp(min=1e-6))
    scores["teeth_agreement"] = picture.correlation(one, two)
    return scores


def _seams(tail: Tail, own: Seen, filmed: Seen) -> dict[str, float]:
    parts: dict[str, list[Tensor]] = {}
    for rows in torch.arange(len(tail.frames)).split(32):
        values_by_name = picture.seams(own.region[rows], tail.share[rows], filmed.region[rows])
        for name, values in values_by_name.items():
            parts.setdefault(name, []).append(values)
    return {name: float(torch.cat(values).mean()) for name, values in parts.items()}


def _teeth(tail: Tail, seen: Seen, rows: Tensor) -> Float[Tensor, " frames"]:
    assert seen.points is not None
    # skin around the mouth, against which teeth are bright: (frames, 3)
    ring = ((tail.share > 0.02) & (tail.share < 0.5)).float()
    skin = (seen.region * ring).sum((2, 3)) / ring.sum((2, 3)).clamp(min=1e-6)
    return talking_mouth.teeth(seen.region[rows], seen.points[rows], skin[rows])


def _ratio(own: Seen, filmed: Seen, measure: Callable[[Seen], float]) -> float:
    return measure(own) / max(measure(filmed), 1e-9)


def _moved(seen: Seen, weight: Tensor, runs: Sequence[slice]) -> float:
    """Mean change from picture to picture inside shots."""
    # weighted by length: each frame counts once
    return sum(
        talking_mouth.change(seen.region[run], weight[run]) * (run.stop - run.start) for run in runs
    ) / sum(run.stop - run.start for run in runs)


def _runs(tail: Tail) -> list[slice]:
    # A change inside a shot needs two pictures; between shots there is none to measure.
    rows, first = [], 0
    for shot in tail.shots:
        if len(shot) > 1:
            rows.append(slice(first, first + len(shot)))
        first += len(shot)
    return rows


@torch.no_grad()
def sync(tail: Tail, region: Float[Tensor, "frames 3 h w"]) -> dict[str, float]:
    """Distance, confidence and offset of the sync expert, over windows inside shots; empty where
    the expert is missing or every shot is too short.
    """
    expert = load_expert()
    if expert is None:
        return {}
    first, last = int(tail.frames[0]), int(tail.frames[-1])
    # every fifth window
    starts = torch.cat([torch.arange(s.start, s.stop - expert.frames + 1, 5) for s in tail.shots])
    starts = starts[(starts + OFFSETS[0] >= first) & (starts + OFFSETS[-1] + expert.frames <= last)]
    if not len(starts):
        return {}
    features = tail.person.features
    views = torch.cat([mouth_view(some, 8) for some in region.split(64)])
    # Windows lie inside shots, so their rows are consecutive.
    rows = torch.searchsorted(tail.frames, starts).unsqueeze(1) + torch.arange(expert.frames)
    seen = torch.cat(
        [expert.encode_lower_faces(views[some].transpose(1, 2)) for some in rows.split(16)]
    )
    requested = starts + torch.tensor(OFFSETS).unsqueeze(1)
    moments, where = requested.unique(return_inverse=True)
    # The shipped expert reads phonetic features; mel frames are not needed.
    mel = torch.zeros(80, 0)
    codes = torch.cat(
        [
            expert.encode_audio(expert.audio_windows(mel, features, some))
            for some in moments.split(64)
        ]
    )
    return picture.sync_scores(seen, codes[where], OFFSETS)
