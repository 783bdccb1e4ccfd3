"""Training our own sync expert, on tracked lips (many minutes, no pictures) and on filmed mouths
(few minutes) at once.

Three terms: lips and sound of tracked clips find each other among all moments of their clip;
pictures give the tracked lip shape; filmed mouths and sound find each other in the same way.
Moments less than three frames apart do not compete. All moments of a clip are wrong sounds for one
another, so neither voice nor room nor sentence gives the answer away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from motet.method import Stage
from motet.methods.speech2lip.person.dataset import MouthSet
from motet.methods.speech2lip.sync.augment import varied
from motet.methods.speech2lip.sync.expert import (
    AFTER,
    BEFORE,
    SHARPNESS,
    STEPS,
    LipExpert,
    LipExpertConfig,
    sound_window,
)
from motet.methods.speech2lip.sync.lip_outline import ShapeSpace, lip_outline
from motet.methods.speech2lip.sync.model import mouth_view

RUN, FILMED_RUNS = 40, 4
"""Frames of a run of filmed mouths, and runs in a step."""
NEAREST, FARTHEST = 3, 25
"""Frames from which on a moment counts as another, and up to which right choices are tried."""
SURELY = 5
"""Frames by which a tried wrong sound is off at least."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """Mouths of one person as the expert sees them, with their lip shapes and their sound."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    outlines: Float[Tensor, "count 80"]
    frames: Int[Tensor, "count"]
    features: Float[Tensor, "steps channels"]
    examples: MouthSet

    def runs(
        self, length: int, without: Bool[Tensor, "footage"] | None = None
    ) -> Int[Tensor, "starts"]:
        """Rows from which on so many frames follow one another, none of them among those left
        out.
        """
        starts = self.examples.runs_of(length)
        if without is None:
            return starts
        return torch.tensor(
            [
                row
                for row in starts.tolist()
                if not bool(without[self.frames[row : row + length]].any())
            ],
            dtype=torch.long,
        )


def watched(
    examples: MouthSet, landmarks: Float[Tensor, "footage points 2"], border: int
) -> Watched:
    """What a person's footage shows the expert."""
    views = torch.cat(
        [
            mouth_view(some.float(), border).round().to(torch.uint8)
            for some in examples.observed.split(256)
        ]
    )
    outlines = lip_outline(landmarks[examples.frames].float(), list(range(landmarks.shape[1])))
    return Watched(views, outlines, examples.frames, examples.features, examples)


@dataclasses.dataclass(frozen=True)
class FilmedRuns:
    """Mouths that train, with their targets."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    shapes: Float[Tensor, "count shape"]
    frames: Int[Tensor, "count"]
    features: Float[Tensor, "steps channels"]
    starts: Int[Tensor, "runs"]


@dataclasses.dataclass(frozen=True)
class Lessons:
    """All that the expert learns from."""

    shapes: Float[Tensor, "clips frames shape"]
    features: Float[Tensor, "clips steps channels"]
    filmed: list[FilmedRuns]


def lessons(
    config: LipExpertConfig,
    outlines: Float[Tensor, "clips frames 80"],
    features: Float[Tensor, "clips steps channels"],
    people: list[tuple[Watched, Bool[Tensor, "footage"] | None]],
) -> Lessons:
    """Tracked clips and filmed people in one space of lip shapes.

    Args:
        outlines: of the lips of tracked clips (`lip_outline`).
        features: what the encoder hears of them, two for each frame.
        people: each with the frames that are not to train.
    """
    centred = outlines - outlines.mean(1, keepdim=True)
    space = ShapeSpace.of(centred.flatten(0, 1)[::5], config.shape)
    filmed = [
        FilmedRuns(w.mouths, space.shapes(w.outlines), w.frames, w.features, w.runs(RUN, without))
        for w, without in people
    ]
    return Lessons(centred @ space.basis, features, filmed)


def expert_stage(config: LipExpertConfig, tensors: Mapping[str, Tensor] | None = None) -> Stage:
    """The one stage of the expert, on `Lessons`."""
    expert = LipExpert(config)
    if tensors is not None:
        expert.load_state_dict(dict(tensors))
    return Stage("expert", expert, [expert], _loss(expert), _batch)


def _batch(given: Lessons, size: int, randomness: torch.Generator) -> Mapping[str, Tensor]:
    """Some tracked clips, their shapes trembling as trackers do, and some runs of filmed mouths of
    each person in turn.
    """
    clips = torch.randint(len(given.shapes), (size,), generator=randomness)
    shapes = given.shapes[clips] + 0.1 * torch.randn(
        given.shapes[clips].shape, generator=randomness
    )
    mouths, wanted, sounds = [], [], []
    for k in range(FILMED_RUNS):
        person = given.filmed[k % len(given.filmed)]
        row = int(person.starts[int(torch.randint(len(person.starts), (), generator=randomness))])
        mouths.append(person.mouths[row : row + RUN].float() / 255)
        wanted.append(person.shapes[row : row + RUN])
        sounds.append(sound_window(person.features, person.frames[row : row + 1], RUN)[0])
    views = varied(torch.stack(mouths), randomness)
    return {
        "shapes": shapes,
        "features": given.features[clips],
        "mouths": views,
        "wanted": torch.stack(wanted),
        "sounds": torch.stack(sounds),
    }


def _loss(
    expert: LipExpert,
) -> Callable[[Mapping[str, Tensor], torch.Generator], dict[str, Tensor]]:
    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        around = F.pad(
            batch["features"].transpose(1, 2), (BEFORE, AFTER - STEPS), mode="replicate"
        ).transpose(1, 2)
        tracked = _contest(
            expert, expert.move(batch["shapes"]), expert.codes_of_sound(_duller(around, randomness))
        )
        seen = expert.look(batch["mouths"].flatten(0, 1)).unflatten(0, batch["mouths"].shape[:2])
        wrong = seen - batch["wanted"]
        shape = wrong.square().mean() + (wrong - wrong.mean(1, keepdim=True)).square().mean()
        filmed = _contest(
            expert, expert.move(seen), expert.codes_of_sound(_duller(batch["sounds"], randomness))
        )
        return {"tracked": tracked, "shape": 3 * shape, "filmed": 0.5 * filmed}

    return loss


def _duller(features: Tensor, randomness: torch.Generator) -> Tensor:
    """A tenth of the channels and a tenth of all numbers unheard."""
    channels = torch.rand(len(features), 1, features.shape[2], generator=randomness) > 0.1
    return features * channels * (torch.rand(features.shape, generator=randomness) > 0.1) / 0.9


def _contest(
    expert: LipExpert,
    lips: Float[Tensor, "runs frames code"],
    sound: Float[Tensor, "runs frames code"],
) -> Float[Tensor, ""]:
    """Every second window of mouths finds its sound among all of its run, and the other way
    round.
    """
    seen, heard = (
        expert.windows(codes.unfold(1, expert.frames, 2).transpose(2, 3)) for codes in (lips, sound)
    )
    count = seen.shape[1]
    apart = 2 * (torch.arange(count).unsqueeze(1) - torch.arange(count)).abs()
    cosine = (SHARPNESS * seen @ heard.transpose(1, 2)).masked_fill(
        (apart > 0) & (apart < NEAREST), -1e4
    )
    right = torch.arange(count).expand(len(seen), count)
    return F.cross_entropy(cosine, right) + F.cross_entropy(cosine.transpose(1, 2), right)


@torch.no_grad()
def right_choices(expert: LipExpert, person: Watched, shift: int = 0) -> float:
    """How often the expert prefers the right sound to one of the same footage that is 5 to 25
    frames off (chance: 0.5).

    Every window against every such sound.

    Args:
        shift: frames by which the footage's sound is known to be late.
    """
    expert.eval()
    starts = person.runs(expert.frames)
    offsets = [o for o in range(-FARTHEST, FARTHEST + 1) if o == 0 or abs(o) >= SURELY]
    shapes = torch.cat([expert.look(some.float() / 255) for some in person.mouths.split(256)])
    seen = expert.windows(
        torch.stack([expert.move(shapes[row : row + expert.frames]) for row in starts.tolist()])
    )
    at = person.frames[starts] + shift
    agreement = torch.stack(
        [
            (expert.hear(sound_window(person.features, at + offset, expert.frames)) * seen).sum(1)
            for offset in offsets
        ]
    )
    return float(
        (
            agreement[offsets.index(0)]
            > torch.cat([agreement[: offsets.index(0)], agreement[offsets.index(0) + 1 :]])
        )
        .float()
        .mean()
    )
