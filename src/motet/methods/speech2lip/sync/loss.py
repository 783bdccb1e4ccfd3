"""Training of our own sync expert, on tracked lips (many minutes, no pictures) and on filmed mouths
(few minutes) at once.

Three terms: contrastive loss (InfoNCE) between lips and sound of tracked clips, all windows of a
clip being the negatives of one another; regression of the tracked lip shape from pictures; the same
contrastive loss on filmed mouths. Windows less than three frames apart are no negatives. Negatives
of the same clip share voice, room and sentence, so none of these separates them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from motet.errors import InputError
from motet.methods.speech2lip.person.dataset import MouthSet
from motet.methods.speech2lip.sync.augment import varied
from motet.methods.speech2lip.sync.expert import (
    AFTER,
    BEFORE,
    SHARPNESS,
    STEPS,
    LipExpert,
    LipExpertConfig,
    audio_window,
)
from motet.methods.speech2lip.sync.lip_outline import ShapeSpace, lip_outline
from motet.methods.speech2lip.sync.model import mouth_view
from motet.nn.seeded import uniform
from motet.stage import Stage

RUN, FILMED_RUNS = 40, 4
"""Frames of a run of filmed mouths, and runs in a step."""
NEAREST, FARTHEST = 3, 25
"""Frames from which on a window is a negative, and up to which `right_choices` shifts the sound."""
LEAST_OFFSET = 5
"""Frames by which a wrong sound is off at least in `right_choices`."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """Mouths of one person as inputs of the expert, with lip outlines and acoustic features."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    outlines: Float[Tensor, "count 80"]
    frames: Int[Tensor, " count"]
    features: Float[Tensor, "steps channels"]
    examples: MouthSet

    def runs(
        self, length: int, without: Bool[Tensor, " footage"] | None = None
    ) -> Int[Tensor, " starts"]:
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
    """The footage of a person as inputs of the expert."""
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
    frames: Int[Tensor, " count"]
    features: Float[Tensor, "steps channels"]
    starts: Int[Tensor, " runs"]


@dataclasses.dataclass(frozen=True)
class SyncExamples:
    """The training set of the expert."""

    shapes: Float[Tensor, "clips frames shape"]
    features: Float[Tensor, "clips steps channels"]
    filmed: list[FilmedRuns]
    space: ShapeSpace
    held_out: Mapping[str, Watched]
    """Tails of the people who train, to measure on."""
    unseen: Mapping[str, Watched]
    """People who do not train, to measure on."""


def sync_examples(
    config: LipExpertConfig,
    outlines: Float[Tensor, "clips frames 80"],
    features: Float[Tensor, "clips steps channels"],
    people: list[tuple[Watched, Bool[Tensor, " footage"] | None]],
    held_out: Mapping[str, Watched] | None = None,
    unseen: Mapping[str, Watched] | None = None,
    space: ShapeSpace | None = None,
) -> SyncExamples:
    """Tracked clips and filmed people in one space of lip shapes.

    Args:
        outlines: of the lips of tracked clips (`lip_outline`).
        features: acoustic features of those clips, two for each frame.
        people: each with the frames that must not train.
        held_out, unseen: people to measure on, by name.
        space: lip shapes of another set, so that both agree; fitted to the clips when left out.

    Raises:
        InputError: a person has no run of frames that is long enough.
    """
    # Relative to each clip's mean mouth: faces differ more than lips move.
    centred = outlines - outlines.mean(1, keepdim=True)
    space = space or ShapeSpace.of(centred.flatten(0, 1)[::5], config.shape)
    filmed = [
        FilmedRuns(w.mouths, space.shapes(w.outlines), w.frames, w.features, w.runs(RUN, without))
        for w, without in people
    ]
    if not all(len(person.starts) for person in filmed):
        raise InputError(
            f"a person has no {RUN} frames in a row that may train; film a longer shot"
        )
    shapes = centred @ space.basis
    return SyncExamples(shapes, features, filmed, space, held_out or {}, unseen or {})


def expert_stage(config: LipExpertConfig, tensors: Mapping[str, Tensor] | None = None) -> Stage:
    """The one stage of the expert."""
    expert = LipExpert(config)
    if tensors is not None:
        expert.load_state_dict(dict(tensors))

    def metadata(examples: SyncExamples) -> dict[str, Any]:
        choices = {
            "right_choices": examples.held_out,
            "right_choices_strangers": examples.unseen,
        }
        return {
            key: {name: round(right_choices(expert, one), 3) for name, one in people.items()}
            for key, people in choices.items()
        }

    return Stage("expert", expert, [expert], _loss(expert), _batch, metadata=metadata)


def _batch(examples: SyncExamples, size: int, randomness: torch.Generator) -> Mapping[str, Tensor]:
    """Tracked clips, with noise on their shapes as trackers have it, and runs of filmed mouths of
    each person in turn.
    """
    clips = torch.randint(len(examples.shapes), (size,), generator=randomness)
    # Noise of about the size of a tracker's jitter.
    shapes = examples.shapes[clips] + 0.1 * torch.randn(
        examples.shapes[clips].shape, generator=randomness
    )
    mouths, target, sounds = [], [], []
    for k in range(FILMED_RUNS):
        person = examples.filmed[k % len(examples.filmed)]
        row = int(person.starts[int(torch.randint(len(person.starts), (), generator=randomness))])
        mouths.append(person.mouths[row : row + RUN].float() / 255)
        target.append(person.shapes[row : row + RUN])
        sounds.append(audio_window(person.features, person.frames[row : row + 1], RUN)[0])
    views = varied(torch.stack(mouths), randomness)
    return {
        "shapes": shapes,
        "features": examples.features[clips],
        "mouths": views,
        "target": torch.stack(target),
        "sounds": torch.stack(sounds),
    }


def _loss(
    expert: LipExpert,
) -> Callable[[Mapping[str, Tensor], torch.Generator], dict[str, Tensor]]:
    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        # The first and last feature go on, so that every frame has its whole context.
        around = F.pad(
            batch["features"].transpose(1, 2), (BEFORE, AFTER - STEPS), mode="replicate"
        ).transpose(1, 2)
        tracked = _contrastive(
            expert,
            expert.move(batch["shapes"]),
            expert.audio_codes(_dropout(around, randomness)),
        )
        seen = expert.look(batch["mouths"].flatten(0, 1)).unflatten(0, batch["mouths"].shape[:2])
        wrong = seen - batch["target"]  # (runs, frames, shape)
        # The second term is free of the run's mean: movement counts beside position.
        shape = wrong.square().mean() + (wrong - wrong.mean(1, keepdim=True)).square().mean()
        filmed = _contrastive(
            expert, expert.move(seen), expert.audio_codes(_dropout(batch["sounds"], randomness))
        )
        return {"tracked": tracked, "shape": 3 * shape, "filmed": 0.5 * filmed}

    return loss


def _dropout(features: Tensor, randomness: torch.Generator) -> Tensor:
    """Dropout of a tenth of the channels and of a tenth of all numbers."""
    device = features.device
    channels = uniform((len(features), 1, features.shape[2]), randomness, device) > 0.1
    numbers = uniform(features.shape, randomness, device) > 0.1
    return features * (channels & numbers) / 0.9


def _contrastive(
    expert: LipExpert,
    lips: Float[Tensor, "runs frames code"],
    sound: Float[Tensor, "runs frames code"],
) -> Float[Tensor, ""]:
    """InfoNCE in both directions between every second window of mouths and of sound of a run."""
    seen, audio_codes = (
        expert.windows(codes.unfold(1, expert.frames, 2).transpose(2, 3)) for codes in (lips, sound)
    )
    count = seen.shape[1]
    index = torch.arange(count, device=lips.device)
    apart = 2 * (index.unsqueeze(1) - index).abs()  # (windows, windows), frames
    # Windows that nearly coincide with the right one are neither right nor wrong: left out.
    cosine = (SHARPNESS * seen @ audio_codes.transpose(1, 2)).masked_fill(
        (apart > 0) & (apart < NEAREST), -1e4
    )
    # window i of the mouths belongs to window i of the sound
    right = index.expand(len(seen), count)
    return F.cross_entropy(cosine, right) + F.cross_entropy(cosine.transpose(1, 2), right)


@torch.no_grad()
def right_choices(expert: LipExpert, person: Watched, shift: int = 0) -> float:
    """Two-alternative accuracy: how often the right sound scores higher than one of the same
    footage that is 5 to 25 frames off (chance: 0.5), over all windows and offsets.

    Args:
        shift: frames by which the footage's sound is known to be late.
    """
    expert.eval()
    starts = person.runs(expert.frames)
    offsets = [o for o in range(-FARTHEST, FARTHEST + 1) if o == 0 or abs(o) >= LEAST_OFFSET]
    device = next(expert.parameters()).device
    mouths = person.mouths.split(256)
    shapes = torch.cat([expert.look(some.to(device).float() / 255) for some in mouths])
    seen = expert.windows(
        torch.stack([expert.move(shapes[row : row + expert.frames]) for row in starts.tolist()])
    )
    at = person.frames[starts] + shift
    windows = (audio_window(person.features, at + offset, expert.frames) for offset in offsets)
    agreement = torch.stack(
        [(expert.encode_audio(some.to(device)) * seen).sum(1) for some in windows]
    )
    return float(
        (
            agreement[offsets.index(0)]
            > torch.cat([agreement[: offsets.index(0)], agreement[offsets.index(0) + 1 :]])
        )
        .float()
        .mean()
    )
