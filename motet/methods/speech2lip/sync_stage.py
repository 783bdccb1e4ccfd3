"""Training the sync expert: which of many moments of sound belongs to these five mouths?

Every mouth is compared with the sounds of the whole batch, half of which are near in time (a tenth of a second to one second off), so
that neither voice nor room nor sentence gives the answer away. A cross entropy over all of them learns from small data, where the
plain yes-or-no loss stays at chance; the yes-or-no term is kept beside it, because the cosine is used that way afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet.method import Stage
from motet.methods.speech2lip.mouth_set import MouthSet
from motet.methods.speech2lip.sync import FRAMES, SyncConfig, SyncExpert, agreement_loss, mel_window, mouth_view

SHARPNESS = 12.0
"""Cosines are multiplied by this before they compete."""
NEAREST, FARTHEST = 3, 25
"""Frames by which a near but wrong sound is off."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """Mouths of one person as the expert sees them, with their sound."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    frames: Int[Tensor, "count"]
    runs: Int[Tensor, "starts"]
    mel: Float[Tensor, "80 windows"]

    def window(self, row: int) -> UInt8[Tensor, "3 5 48 96"]:
        """Five mouths from a row on."""
        return self.mouths[row : row + FRAMES].transpose(0, 1)


def watched(examples: MouthSet, border: int) -> Watched:
    """What a person's training set shows the expert."""
    views = [mouth_view(some.float(), border).round().to(torch.uint8) for some in examples.observed.split(256)]
    return Watched(torch.cat(views), examples.frames, examples.runs, examples.mel)


def expert_stage(config: SyncConfig, tensors: Mapping[str, Tensor] | None = None) -> Stage:
    """The one stage of the expert, on a sequence of `Watched` people."""
    expert = SyncExpert(config)
    if tensors is not None:
        expert.load_state_dict(dict(tensors))
    return Stage("expert", expert, [expert], _loss(expert), _batch)


def _batch(people: Sequence[Watched], size: int, randomness: torch.Generator) -> Mapping[str, Tensor]:
    """Pairs of mouths and sound; each person as often as they have windows. Sounds: the right one and a near wrong one for each."""
    counts = torch.tensor([len(person.runs) for person in people], dtype=torch.float64)
    chosen = torch.multinomial(counts, size, replacement=True, generator=randomness).tolist()
    mouths, sounds, near = [], [], []
    for place in chosen:
        person = people[place]
        row = int(person.runs[int(torch.randint(len(person.runs), (), generator=randomness))])
        mouths.append(_varied(person.window(row).float() / 255, randomness))
        off = int(torch.randint(NEAREST, FARTHEST + 1, (), generator=randomness)) * (1 if float(torch.rand((), generator=randomness)) < 0.5 else -1)
        sounds.append(mel_window(person.mel, int(person.frames[row])))
        near.append(mel_window(person.mel, max(0, int(person.frames[row]) + off)))
    return {"mouths": torch.stack(mouths), "mel": torch.stack(sounds + near).unsqueeze(1)}


def _varied(mouths: Float[Tensor, "3 5 48 96"], randomness: torch.Generator) -> Float[Tensor, "3 5 48 96"]:
    """Mirrored or not, brighter or darker, a few pixels off: the expert should look at the motion."""
    draw = torch.rand(4, generator=randomness)
    if float(draw[0]) < 0.5:
        mouths = mouths.flip(-1)
    shift = ((draw[1:3] - 0.5) * 8).round().long().tolist()
    return torch.roll(mouths, shift, (-2, -1)) * (0.8 + 0.4 * draw[3])


def _loss(expert: SyncExpert) -> Callable[[Mapping[str, Tensor], torch.Generator], dict[str, Tensor]]:
    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        seen, heard = expert.see_lower(batch["mouths"]), expert.hear(batch["mel"])
        cosine = seen @ heard.T
        size = len(seen)
        own, near = cosine.diagonal(), cosine[:, size:].diagonal()
        contest = torch.nn.functional.cross_entropy(SHARPNESS * cosine, torch.arange(size, device=cosine.device))
        return {"contest": contest, "agreement": 0.25 * (agreement_loss(own, 1.0) + agreement_loss(near, 0.0))}

    return loss


@torch.no_grad()
def picked_share(expert: SyncExpert, person: Watched, randomness: torch.Generator, count: int = 128) -> float:
    """How often the expert prefers the right sound to one that is 5 to 25 frames off (chance: 0.5)."""
    expert.eval()
    rows = person.runs[torch.randint(len(person.runs), (count,), generator=randomness)].tolist()
    off = (torch.randint(5, FARTHEST + 1, (count,), generator=randomness) * (torch.randint(2, (count,), generator=randomness) * 2 - 1)).tolist()
    mouths = torch.stack([person.window(row) for row in rows]).float() / 255
    first = [int(person.frames[row]) for row in rows]
    right, wrong = (
        expert.hear(torch.stack([mel_window(person.mel, max(0, at)) for at in places]).unsqueeze(1))
        for places in (first, [at + o for at, o in zip(first, off, strict=True)])
    )
    seen = expert.see_lower(mouths)
    return float(((seen * right).sum(1) > (seen * wrong).sum(1)).float().mean())
