"""How much a front end knows of phones: a linear classifier fitted on labelled speech and tried on
other people and languages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.data.speech.utterance import Utterance
from motet.phonetics.phones import INDEX, PHONES, SYMBOLS, frame_labels
from motet.training.distillation_targets import ridge, with_context

Listen = Callable[[Float[Tensor, " time"]], Float[Tensor, "steps channels"]]


@dataclasses.dataclass(frozen=True)
class PhoneScore:
    """Shares of the labelled 20 ms steps that are right."""

    exact: float
    """The very phone."""
    visible: float
    """A phone that looks alike: the same group of `VISIBLE_GROUPS`."""
    closures: float
    """Of the steps inside p, b, m: called p, b or m."""
    steps: int


def visible_group(symbol: str) -> str:
    """What of a phone can be seen: lips closed, lip on teeth, rounded, open, half open, spread, or
    the tongue alone.
    """
    phone = PHONES[symbol]
    if phone.manner == "silence" or phone.is_closure or phone.is_labiodental:
        return (
            "silence"
            if phone.manner == "silence"
            else "closed"
            if phone.is_closure
            else "labiodental"
        )
    if phone.rounding >= 0.5:
        return "rounded"
    if not phone.is_vowel:
        return (
            "sibilant"
            if phone.manner in ("fricative", "affricate") and phone.place == "alveolar"
            else "tongue"
        )
    return "open" if phone.openness >= 0.55 else "half open" if phone.openness >= 0.3 else "spread"


VISIBLE_GROUPS: tuple[str, ...] = tuple(dict.fromkeys(visible_group(s) for s in SYMBOLS))


def score_phones(
    predicted: Iterable[Int[Tensor, " steps"]], utterances: Sequence[Utterance]
) -> PhoneScore:
    """Compare predicted phone indices with the labels of utterances, step by step."""
    group = torch.tensor([VISIBLE_GROUPS.index(visible_group(s)) for s in SYMBOLS])
    result, true = [], []
    for estimate, item in zip(predicted, utterances, strict=True):
        labels = torch.tensor(frame_labels(item.phones, len(estimate), 50.0))
        result.append(estimate[labels >= 0])
        true.append(labels[labels >= 0])
    a, b = torch.cat(result), torch.cat(true)
    closed = torch.isin(b, torch.tensor([INDEX[s] for s in "pbm"]))
    lips = group[a[closed]] == VISIBLE_GROUPS.index("closed")
    return PhoneScore(_share(a == b), _share(group[a] == group[b]), _share(lips), len(b))


def probe_phones(
    listen: Listen,
    training: Sequence[Utterance],
    tests: Mapping[str, Sequence[Utterance]],
    reach: Sequence[int],
    penalty: float = 0.02,
) -> dict[str, PhoneScore]:
    """Fit a linear classifier (least squares on one-hot labels) on features of `training` and score
    it on each test set.
    """
    rows, targets = [], []
    for item in training:
        window = with_context(listen(torch.from_numpy(item.samples)), reach)
        labels = torch.tensor(frame_labels(item.phones, len(window), 50.0))
        rows.append(window[labels >= 0])
        targets.append(torch.nn.functional.one_hot(labels[labels >= 0], len(SYMBOLS)).float())
    weight = ridge(torch.cat(rows), torch.cat(targets), penalty)

    def classify(item: Utterance) -> Int[Tensor, " steps"]:
        return (with_context(listen(torch.from_numpy(item.samples)), reach) @ weight).argmax(1)

    return {
        name: score_phones([classify(item) for item in items], items)
        for name, items in tests.items()
    }


def _share(right: Tensor) -> float:
    return float(right.float().mean()) if right.numel() else float("nan")
