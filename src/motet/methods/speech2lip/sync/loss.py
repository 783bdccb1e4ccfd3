"""Training of our own sync expert, on tracked lips (many minutes, no pictures) and on filmed mouths
(few minutes) at once.

Three terms: contrastive loss (InfoNCE) between lips and sound of tracked clips, all windows of a
clip being the negatives of one another; regression of the tracked lip shape from pictures; the same
contrastive loss on filmed mouths. Windows less than three frames apart are no negatives. Negatives
of the same clip share voice, room and sentence, so none of these separates them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.methods.speech2lip.sync.augment import varied
from motet.methods.speech2lip.sync.examples import RUN, SyncExamples, Watched
from motet.methods.speech2lip.sync.expert import (
    AFTER,
    BEFORE,
    SHARPNESS,
    STEPS,
    LipExpert,
    LipExpertConfig,
    audio_window,
)
from motet.nn.seeded import uniform
from motet.stage import Stage

FILMED_RUNS = 4
"""Runs of filmed mouths in a step."""
NEAREST, FARTHEST = 3, 25
"""Frames from which on a window is a negative, and up to which `right_choices` shifts the sound."""
LEAST_OFFSET = 5
"""Frames by which a wrong sound is off at least in `right_choices`."""


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
