"""Whether lips are closed for p, b or m, read from the phonetic encoder's features around a moment.

The encoder's own phone head hears each step by itself, 0.11 s ahead, and names 52 phones. These
small networks are asked one question only and hear what follows, too: a stop is told by how the
next vowel sets in. Both err in different places, so their log-odds are added
(`PhoneticEncoder.closures`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from motet import config as settings
from motet.checkpoint import load_strict, save_checkpoint
from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.heads import REACH, read_reading
from motet.errors import InputError
from motet.phonetics.phones import PHONES

SHIPPED = Path(__file__).parents[2] / "weights" / "closing.safetensors"
STEPS_A_SECOND = 50
EVERY_CLOSED, EVERY_OPEN = 0.8, 0.12
"""Shares of the corpus' steps inside and outside closures that the networks learn from."""


@dataclasses.dataclass(frozen=True)
class ClosingConfig:
    """What the reading belongs to, and its size."""

    SCHEMA = 1

    front_end: str
    """Digest of the encoder whose features it reads."""
    dim: int = 256
    width: int = 48
    dropout: float = 0.4
    members: int = 6
    """Networks that differ in their seed only; their log-odds are averaged, because each of them
    errs about other voices."""


class ClosingMember(nn.Module):
    """Features around a step to the log-odds of p, b or m."""

    def __init__(self, config: ClosingConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.narrow = nn.Linear(config.dim, config.width)
        self.mix = nn.Linear(len(REACH) * config.width, config.width)
        self.out = nn.Linear(config.width, 1)

    def forward(self, around: Float[Tensor, "batch reach dim"]) -> Float[Tensor, "batch"]:
        """Log-odds of single steps."""
        drop = self.dropout if self.training else 0.0
        each = functional.dropout(
            functional.gelu(self.narrow(functional.dropout(around, drop / 4))), drop
        )
        return self.out(functional.dropout(functional.gelu(self.mix(each.flatten(1))), drop))[:, 0]


class ClosingReading(nn.Module):
    """Several networks and their common opinion."""

    def __init__(self, config: ClosingConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(ClosingMember(config) for _ in range(config.members))

    @torch.inference_mode()
    def read(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Log-odds of `steps` steps from `first` on; beyond what is known the ends are taken to go
        on.

        All networks at once: what neighbouring steps share is worked out once, and the rest is one
        product for all of them.
        """
        narrow, narrow_bias, mix, mix_bias, out, out_bias = self._joined
        batch, members, width = len(features), len(mix), self.config.width
        each = functional.gelu(functional.linear(features, narrow, narrow_bias)).unflatten(
            2, (members, width)
        )
        at = (first + torch.arange(steps).unsqueeze(1) + torch.tensor(REACH)).clamp(
            0, features.shape[1] - 1
        )
        around = (
            each[:, at].permute(3, 0, 1, 2, 4).reshape(members, batch * steps, len(REACH) * width)
        )
        odds = torch.baddbmm(out_bias, functional.gelu(torch.baddbmm(mix_bias, around, mix)), out)
        return odds.mean(0).view(batch, steps)

    @cached_property
    def _joined(self) -> tuple[Tensor, ...]:
        """Weights of all networks side by side; of a reading that has learnt."""
        networks = [member for member in self.members if isinstance(member, ClosingMember)]
        narrow = (
            torch.cat([network.narrow.weight for network in networks]),
            torch.cat([network.narrow.bias for network in networks]),
        )
        mix = (
            torch.stack([network.mix.weight.T for network in networks]),
            torch.stack([network.mix.bias for network in networks]).unsqueeze(1),
        )
        out = (
            torch.stack([network.out.weight.T for network in networks]),
            torch.stack([network.out.bias for network in networks]).unsqueeze(1),
        )
        return (*narrow, *mix, *out)


@dataclasses.dataclass(frozen=True)
class ClosingTraining:
    """How long and how each network learns."""

    steps: int = 2500
    batch: int = 512
    rate: float = 2e-3
    seed: int = 0


def fit_closing(
    corpus: TrainingSet,
    config: ClosingConfig,
    training: ClosingTraining | None = None,
    report: Callable[[Mapping[str, float]], None] | None = None,
) -> ClosingReading:
    """Logistic regression by small networks on a share of a corpus, steps counting by the weight of
    their clip.

    Noise on the features and an end of hearing at a random moment (a stream may know less than 0.32
    s of what follows) keep them from learning voices by heart. The log-odds are those of the corpus
    as it is, although closures are seen more often.

    Raises:
        InputError: no clip of the corpus says where its phones lie.
    """
    training = training or ClosingTraining()
    examples = _examples(corpus.items, torch.Generator().manual_seed(training.seed))
    reading = ClosingReading(config)
    for number, member in enumerate(reading.members):
        assert isinstance(member, ClosingMember)
        loss = _fit_member(member, examples, training, training.seed + number)
        if report is not None:
            report({"network": number + 1, "loss": loss})
    return reading.eval().requires_grad_(False)


def _fit_member(
    member: ClosingMember,
    examples: tuple[Tensor, Tensor, Tensor],
    training: ClosingTraining,
    seed: int,
) -> float:
    inputs, closed, weight = examples
    randomness = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for layer in (member.narrow, member.mix, member.out):
            layer.reset_parameters()
        optimiser = torch.optim.AdamW(member.parameters(), training.rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, training.rate, training.steps)
        late = []
        for step in range(training.steps):
            chosen = torch.multinomial(
                weight, training.batch, replacement=True, generator=randomness
            )
            around = _as_a_stream_hears(inputs[chosen].float(), randomness)
            loss = functional.binary_cross_entropy_with_logits(
                member(around), 0.02 + 0.96 * closed[chosen].float()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step >= int(0.9 * training.steps):
                late.append(float(loss.detach()))
    with torch.no_grad():
        member.out.bias += math.log(EVERY_OPEN / EVERY_CLOSED)
    return sum(late) / len(late)


def _as_a_stream_hears(
    around: Float[Tensor, "batch reach dim"], randomness: torch.Generator
) -> Float[Tensor, "batch reach dim"]:
    """Noise on every number; in every second row the last step known (not before the moment itself)
    is taken to go on.
    """
    now, reach = REACH.index(0), len(REACH)
    end = torch.randint(now + 1, 2 * reach, (len(around), 1), generator=randomness).clamp(
        max=reach - 1
    )
    kept = torch.minimum(torch.arange(reach).expand(len(around), -1), end)
    around = around.gather(1, kept.unsqueeze(2).expand(-1, -1, around.shape[2]))
    return around + 0.15 * torch.randn(around.shape, generator=randomness)


def _examples(
    items: Iterable[TrainingItem], randomness: torch.Generator
) -> tuple[Float[Tensor, "all reach dim"], Bool[Tensor, "all"], Float[Tensor, "all"]]:
    found = []
    for item in items:
        if not item.phones:
            continue
        closed = closed_steps(item)
        share = torch.where(closed, EVERY_CLOSED, EVERY_OPEN)
        at = (torch.rand(len(closed), generator=randomness) < share).nonzero().flatten()
        around = item.features[(at.unsqueeze(1) + torch.tensor(REACH)).clamp(0, len(closed) - 1)]
        found.append((around.half(), closed[at], torch.full((len(at),), item.weight)))
    if not found:
        raise InputError(
            "no clip of this corpus has timed phones; make one with 'motet data synth'"
        )
    inputs, closed, weight = zip(*found, strict=True)
    return torch.cat(inputs), torch.cat(closed), torch.cat(weight)


def closed_steps(item: TrainingItem) -> Bool[Tensor, "steps"]:
    """Steps of 20 ms in which p, b or m is said (always one for each)."""
    closed = torch.zeros(len(item.features), dtype=torch.bool)
    for start, end, symbol in item.phones:
        if symbol in PHONES and PHONES[symbol].is_closure:
            first = round(start * STEPS_A_SECOND)
            closed[first : max(round(end * STEPS_A_SECOND), first + 1)] = True
    return closed


def save_closing(reading: ClosingReading, path: Path) -> str:
    """Write a reading; answers its digest."""
    return save_checkpoint(
        path, reading.state_dict(), reading.config, {"licence": "Apache-2.0"}, half=True
    )


@cache
def load_closing(front_end: str, path: Path = SHIPPED) -> ClosingReading:
    """The shipped reading.

    Raises:
        CheckpointError: missing, damaged, or trained on another encoder.
    """
    found = read_reading("closing", front_end, path)
    reading = ClosingReading(settings.from_json(ClosingConfig, found.config))
    load_strict(reading, found.tensors, str(path))
    return reading.eval().requires_grad_(False)
