"""`motet train closure-head`: an ensemble of small networks that tell p, b and m from everything
else.

Binary cross entropy on steps of 20 ms, drawn by the weight of their clip. Noise on the features and
a random end of the known future (a stream may know less than 0.32 s of it) keep the networks from
memorising voices. Closures are drawn more often than they occur; the output bias takes that back.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.closure_head import ClosingConfig, ClosingMember, ClosingReading
from motet.encoders.phonetic.heads import REACH
from motet.errors import InputError
from motet.phonetics.phones import PHONES
from motet.stage import Stage
from motet.training.settings import TrainConfig
from motet.training.target import TrainingData, hold_out_validation
from motet.training.training_sets import performances

STEPS_A_SECOND = 50
CLOSED_SHARE, OPEN_SHARE = 0.8, 0.12
"""Shares of the steps inside and outside closures that are drawn from."""
FEATURE_NOISE = 0.15
DEFAULTS = TrainConfig(
    steps=2500,
    batch=512,
    learning_rate=2e-3,
    warmup=250,
    weight_decay=1e-2,
    average=0.99,
    validate_every=250,
)


@dataclasses.dataclass(frozen=True)
class ClosureExamples:
    """Steps with their surroundings."""

    around: Float[Tensor, "steps reach dim"]
    closed: Bool[Tensor, " steps"]
    weight: Float[Tensor, " steps"]


def closure_stage(config: ClosingConfig, tensors: Mapping[str, Tensor] | None = None) -> Stage:
    """The one stage; all members of the ensemble train side by side, each on its own batches."""
    ensemble = ClosingReading(config)
    if tensors is not None:
        load_strict(ensemble, tensors)
    members = [member for member in ensemble.members if isinstance(member, ClosingMember)]

    def batch(
        examples: ClosureExamples, size: int, randomness: torch.Generator
    ) -> Mapping[str, Tensor]:
        rows = torch.multinomial(
            # One draw for all members, cut into their own batches: they differ by data and seed.
            examples.weight,
            len(members) * size,
            replacement=True,
            generator=randomness,
        )
        around = truncated_future(examples.around[rows].float(), randomness)
        return {
            "around": around.unflatten(0, (len(members), size)),
            "closed": examples.closed[rows].float().unflatten(0, (len(members), size)),
        }

    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        logits = torch.stack(
            [member(rows) for member, rows in zip(members, batch["around"], strict=True)]
        )
        # Labels are smoothed by 0.02.
        target = 0.02 + 0.96 * batch["closed"]
        return {"closure": functional.binary_cross_entropy_with_logits(logits, target)}

    def complete(examples: ClosureExamples) -> None:
        # (members, size)
        del examples
        for member in members:
            # Prior correction after sampling: closures were drawn 0.8 / 0.12 times as often as they
            # occur, so their log-odds are that much too high.
            member.out.bias += math.log(OPEN_SHARE / CLOSED_SHARE)

    return Stage("ensemble", ensemble, [ensemble], loss, batch, complete=complete)


def read_closures(folder: Path, validation: float) -> TrainingData[ClosureExamples]:
    """The performances of a corpus as steps with their surroundings."""
    data = hold_out_validation(*performances(None, folder), validation)
    held = None if data.validation is None else closure_examples(data.validation)
    return TrainingData(closure_examples(data.train), held, data.metadata)


def closure_examples(corpus: TrainingSet, seed: int = 0) -> ClosureExamples:
    """The steps that are drawn from.

    Raises:
        InputError: no clip of the corpus has timed phones.
    """
    randomness = torch.Generator().manual_seed(seed)
    parts = [_steps_of(item, randomness) for item in corpus.items if item.phones]
    if not parts:
        raise InputError(
            "no clip of this corpus has timed phones; build one with 'motet data corpus'"
        )
    around, closed, weight = zip(*parts, strict=True)
    return ClosureExamples(torch.cat(around), torch.cat(closed), torch.cat(weight))


def _steps_of(item: TrainingItem, randomness: torch.Generator) -> Sequence[Tensor]:
    closed = closed_steps(item)
    share = torch.where(closed, CLOSED_SHARE, OPEN_SHARE)
    steps = (torch.rand(len(closed), generator=randomness) < share).nonzero().flatten()
    rows = (steps.unsqueeze(1) + torch.tensor(REACH)).clamp(0, len(closed) - 1)
    # float16 halves what a corpus of hours takes.
    around = item.features[rows].half()
    return around, closed[steps], torch.full((len(steps),), item.weight)


def closed_steps(item: TrainingItem) -> Bool[Tensor, " steps"]:
    """Steps of 20 ms inside a p, b or m (at least one for each)."""
    closed = torch.zeros(len(item.features), dtype=torch.bool)
    for start, end, symbol in item.phones:
        if symbol in PHONES and PHONES[symbol].is_closure:
            first = round(start * STEPS_A_SECOND)
            closed[first : max(round(end * STEPS_A_SECOND), first + 1)] = True
    return closed


def truncated_future(
    around: Float[Tensor, "batch reach dim"], randomness: torch.Generator
) -> Float[Tensor, "batch reach dim"]:
    """Noise on every number; in every second row the last known step (not before the step itself)
    is repeated to the end, as in a stream.
    """
    now, reach = REACH.index(0), len(REACH)
    # Ends from `now` to 2 * reach: half of the draws lie past the context and leave it whole.
    end = torch.randint(now + 1, 2 * reach, (len(around), 1), generator=randomness)
    known = torch.minimum(torch.arange(reach).expand(len(around), -1), end.clamp(max=reach - 1))
    around = around.gather(1, known.unsqueeze(2).expand(-1, -1, around.shape[2]))
    return around + FEATURE_NOISE * torch.randn(around.shape, generator=randomness)
