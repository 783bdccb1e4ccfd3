"""A fitted person on the held-out tail of their footage, beside simple baselines.

Every way draws the same part of the same frames; all else is the filmed picture:

- `speech2lip`: the fitted model;
- `nearest training frame`: the mouth of the training frame whose sound is most alike, laid in with
  the same mask and colours;
- `still mouth`: the canonical mouth in every frame;
- `filmed`: the footage itself (what sharpness, seam and sync of the real thing are);
- `other sound`: the fitted model hearing another part of the tail, so that drawn and filmed jaws
  differ. Nothing was filmed that it could be compared with; it tells whether the drawn part shows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.errors import InputError
from motet.evaluation.report import Report, Score
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.dataset import MouthSet, feature_windows, mouth_set
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth, keep_filmed, warp_lips
from motet.methods.speech2lip.stages import Expert
from motet.methods.speech2lip.sync.load import load_expert
from motet.methods.speech2lip.sync.model import mouth_view
from motet.metrics import picture
from motet.metrics.lpips import Lpips
from motet.tracking.lip_landmarks import LOWER, UPPER, LipFinder

METHOD, NEAREST, STILL, FILMED, OTHER = (
    "speech2lip",
    "nearest training frame",
    "still mouth",
    "filmed",
    "other sound",
)
WITHOUT_TRUTH = ("cpbd", "seam", "seam_fade")
"""Scores that need no filmed picture of what is drawn."""
GROUP = "held-out tail"
OFFSETS = list(range(-15, 16))
"""Offsets of sound to picture that the sync scores look at, in frames."""
WINDOW_STEP = 5
"""The sync scores take every so many windows."""
Way = Callable[[Tensor], Tensor]
"""Rows of the held-out set -> their regions as drawn, 0..1."""


@dataclasses.dataclass(frozen=True)
class TailConfig:
    """How much is measured."""

    every: int = 1
    """Only every so many frames get picture scores (sync takes all)."""
    landmarks_every: int = 2
    """Only every so many of these are looked at by the landmarker."""
    lpips: Lpips | None = None
    """LPIPS on the user's backbone; None: not scored."""


@dataclasses.dataclass(frozen=True)
class _Tail:
    """The held-out part with what scoring needs."""

    person: Person
    model: Speech2LipModel
    mouth: Mouth
    training: MouthSet
    held: MouthSet


def evaluate_person(
    person: Person,
    config: TailConfig | None = None,
    landmarks: LipFinder | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Score a fitted person's held-out tail.

    Args:
        landmarks: finds lips; without it the scores of landmarks are not taken.
        progress: called with (way, frames done, frames in all).

    Raises:
        InputError: the person has no tail, or no trained model.
    """
    config = config or TailConfig()
    if not person.weights.exists():
        raise InputError(f"{person.folder} has no trained model; go on with 'motet fit'")
    if person.facts.train_frames >= person.facts.frames:
        raise InputError(
            f"{person.facts.name} was fitted without a held-out tail; there is nothing to test on"
        )
    checkpoint = read_checkpoint(person.weights)
    own = settings.from_json(Speech2LipConfig, checkpoint.config)
    if own.exemplar is not None:
        raise InputError(
            f"{person.facts.name} is drawn from exemplars, which no pixel can be compared with;"
            " leave --study out"
        )
    model = Speech2LipModel(own)
    load_strict(model, checkpoint.tensors)
    mouth = Mouth(person, model.config)
    tail = _Tail(
        person,
        model.eval(),
        mouth,
        mouth_set(person, model.config, "train", mouth),
        mouth_set(person, model.config, "held_out", mouth),
    )
    expert = load_expert()
    sound = None if expert is None else _sound(tail, expert)
    filmed = None
    result: dict[str, tuple[Score, ...]] = {}
    for name, way in (
        (FILMED, _filmed(tail)),
        (METHOD, _drawn(tail)),
        (NEAREST, _nearest(tail)),
        (STILL, _still(tail)),
    ):
        scores, points = _scores(
            tail,
            way,
            config,
            landmarks,
            filmed,
            lambda done, total, name=name: progress(name, done, total) if progress else None,
        )
        filmed = filmed if filmed is not None else points
        scores |= (
            _sync(tail, way, expert, sound) if expert is not None and sound is not None else {}
        )
        count = len(range(0, len(tail.held.frames), config.every))
        result[name] = tuple(Score(metric, GROUP, value, count) for metric, value in scores.items())
    result[OTHER] = _without_truth(tail, config)
    facts: dict[str, Any] = {
        "person": person.facts.name,
        "weights": checkpoint.digest,
        "frames": len(tail.held.frames),
        "size": person.facts.size,
        "landmarks": "not measured"
        if landmarks is None
        else f"every {config.landmarks_every * config.every} frames",
        "sync expert": "none" if expert is None else "the project's own",
    }
    return Report(result, facts)


def _filmed(tail: _Tail) -> Way:
    # 8-bit pictures to 0..1
    return lambda rows: tail.held.observed[rows].float() / 255


@torch.no_grad()
def _laid(tail: _Tail, lips: Tensor, rows: Tensor, heal: bool) -> Tensor:
    observed = tail.held.observed[rows].float() / 255
    mixed, share = warp_lips(
        lips * tail.held.tone[rows][..., None, None],
        tail.held.mask,
        tail.held.region.mesh[rows],
        observed,
    )
    # The blend network heals the seam; baselines are laid in without it, as they come.
    return keep_filmed(tail.model.blend(mixed), share, observed) if heal else mixed


def _drawn(tail: _Tail, later: int = 0) -> Way:
    """What the model draws from the true sound or that of `later` rows on."""
    model, held = tail.model, tail.held

    def draw(rows: Tensor) -> Tensor:
        with torch.no_grad():
            audio_codes = model.hearing(
                # The end of the tail wraps round to its beginning.
                held.windows((rows + later) % len(held.frames), model.config.hearing)
            )
            return _laid(
                tail,
                model.lips(model.lip.prepare(), audio_codes, held.moment[rows], held.canonical),
                rows,
                heal=True,
            )

    return draw


def _nearest(tail: _Tail) -> Way:
    """Windows of the same length, compared as they are."""
    size = tail.model.config.hearing.window
    own, other = (
        feature_windows(s.features, s.frames, size).flatten(1) for s in (tail.held, tail.training)
    )
    # (held-out frames): index of a training frame
    nearest = torch.cat([torch.cdist(some, other).argmin(1) for some in own.split(128)])

    def lay(rows: Tensor) -> Tensor:
        taken = nearest[rows]
        # The mouth without the light of its own frame; `_laid` gives it that of the new one.
        lips = tail.training.lips[taken].float() / 255 / tail.training.tone[taken][..., None, None]
        return _laid(tail, lips, rows, heal=False)

    return lay


def _still(tail: _Tail) -> Way:
    return lambda rows: _laid(
        tail, tail.held.canonical.expand(len(rows), -1, -1, -1), rows, heal=False
    )


def _without_truth(tail: _Tail, config: TailConfig) -> tuple[Score, ...]:
    """The model with the sound of half a tail later, in half of the scored frames."""
    # half of the frames that are looked at
    rows = torch.arange(0, len(tail.held.frames), 2 * config.every)
    values: dict[str, list[float]] = {name: [] for name in WITHOUT_TRUTH}
    for some in rows.split(16):
        region = _drawn(tail, len(tail.held.frames) // 2)(some).clamp(0, 1)
        result = {
            "cpbd": torch.tensor([picture.cpbd(one, block=32) for one in region]),
            **picture.seams(region, _share(tail, some), tail.held.observed[some].float() / 255),
        }
        for name in WITHOUT_TRUTH:
            values[name].extend(result[name].tolist())
    return tuple(
        Score(name, GROUP, sum(each) / len(each), len(each)) for name, each in values.items()
    )


@torch.no_grad()
def _share(tail: _Tail, rows: Tensor) -> Float[Tensor, "rows 1 h w"]:
    """How much of each pixel of the regions is drawn."""
    observed = tail.held.observed[rows].float() / 255
    return warp_lips(
        tail.held.canonical.expand(len(rows), -1, -1, -1),
        tail.held.mask,
        tail.held.region.mesh[rows],
        observed,
    )[1]


Points = tuple[Float[Tensor, "frames 40 2"], Bool[Tensor, " frames"]]


def _scores(
    tail: _Tail,
    way: Way,
    config: TailConfig,
    landmarks: LipFinder | None,
    filmed: Points | None,
    progress: Callable[[int, int], None],
) -> tuple[dict[str, float], Points | None]:
    rows = torch.arange(0, len(tail.held.frames), config.every)
    # (1, 1, height, width), 0..1
    face = tail.person.geometry.face_mask.float()[None, None] / 255
    sums: dict[str, list[float]] = {}
    points: list[Points] = []
    crops = tail.person.crops
    for some in rows.split(16):
        region = way(some).clamp(0, 1)
        true = (
            torch.from_numpy(np.stack([crops.frame(int(f)) for f in tail.held.frames[some]]))
            .movedim(-1, 1)
            .float()
            / 255
        )
        whole = _pasted(true, region, tail, some)
        observed = tail.held.observed[some].float() / 255
        share = _share(tail, some)
        drawn = {
            "psnr": picture.psnr(whole, true, face),
            # Pixels that are hardly drawn would count as perfect.
            "psnr_mouth": picture.psnr(region, observed, (share > 0.02).float()),
            "ssim": picture.ssim(whole, true),
            "perceptual": picture.perceptual(region, observed),
            "cpbd": torch.tensor([picture.cpbd(one, block=32) for one in region]),
            **picture.seams(region, share, observed),
        }
        if config.lpips is not None:
            drawn["lpips"] = config.lpips(whole, true)
        for name, values in drawn.items():
            sums.setdefault(name, []).extend(values.tolist())
        if landmarks is not None:
            points.append(
                landmarks.find(
                    (whole[:: config.landmarks_every] * 255).round().byte().movedim(1, -1)
                )
            )
        progress(int(some[-1]) + 1, len(tail.held.frames))
    scores = {name: sum(values) / len(values) for name, values in sums.items()}
    if landmarks is None:
        return scores, None
    # lips in pixels, and where they were found
    result = (torch.cat([p for p, _ in points]), torch.cat([f for _, f in points]))
    return scores | _landmark_scores(result, filmed or result), result


def _landmark_scores(found: Points, filmed: Points) -> dict[str, float]:
    both = found[1] & filmed[1]
    # A correlation over two frames is always +-1.
    if int(both.sum()) < 3:
        return {}
    one, two = found[0][both], filmed[0][both]
    opening = [(p[:, LOWER] - p[:, UPPER]).norm(dim=-1) for p in (one, two)]
    return {
        "lmd": picture.landmark_distance(one, two),
        "opening_correlation": picture.correlation(*opening),
    }


def _pasted(true: Tensor, region: Tensor, tail: _Tail, rows: Tensor) -> Tensor:
    """Whole crops with the regions in their places."""
    whole = true.clone()
    height, width = region.shape[-2:]
    for k, row in enumerate(rows.tolist()):
        left, top = int(tail.held.region.left[row]), int(tail.held.region.top[row])
        whole[k, :, top : top + height, left : left + width] = region[k]
    return whole


@dataclasses.dataclass(frozen=True)
class _Sound:
    """The expert's audio embeddings around windows of mouths, the same for all ways of drawing."""

    starts: Tensor
    codes: Float[Tensor, "offsets windows width"]


@torch.no_grad()
def _sound(tail: _Tail, expert: Expert) -> _Sound | None:
    """Every fifth window of the tail that stays inside it at all sound offsets."""
    held, first = tail.held, int(tail.held.frames[0])
    runs = held.runs_of(expert.frames)
    at = held.frames[runs]
    starts = runs[
        # windows whose sound lies inside the tail at every offset
        (at + OFFSETS[0] >= first) & (at + OFFSETS[-1] + expert.frames <= int(held.frames[-1]))
    ][::WINDOW_STEP]
    if not len(starts):
        return None
    # (offsets, windows): first frame of the sound at each shift
    requested = held.frames[starts] + torch.tensor(OFFSETS).unsqueeze(1)
    # Shifted windows coincide: each stretch of sound is encoded once.
    moments, where = requested.unique(return_inverse=True)
    codes = torch.cat(
        [
            expert.encode_audio(expert.audio_windows(held.mel, held.features, some))
            for some in moments.split(64)
        ]
    )
    return _Sound(starts, codes[where])


@torch.no_grad()
def _sync(tail: _Tail, way: Way, expert: Expert, sound: _Sound) -> dict[str, float]:
    """Windows overlap, so every mouth is drawn once and looked at in all of them."""
    rows = sound.starts.unsqueeze(1) + torch.arange(expert.frames)
    drawn, where = rows.unique(return_inverse=True)  # each mouth is drawn once, `where` indexes it
    mouths = torch.cat(
        [mouth_view(way(some), tail.model.config.border) for some in drawn.split(64)]
    )
    seen = torch.cat(
        [expert.encode_lower_faces(mouths[some].transpose(1, 2)) for some in where.split(16)]
    )
    return picture.sync_scores(seen, sound.codes, OFFSETS)
