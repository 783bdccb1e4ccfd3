"""`motet train speech-heads`: phones, closed lips and the gap between the lips from Whisper's
features.

`DATA/speech` is a speech corpus with phone times, `DATA/grid_s1` the tracked GRID speaker. The
features are computed once, into `DATA/features`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.data.speech.corpus import built_sources, source_facts
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.heads import CONTEXT, SpeechHeads, SpeechHeadsConfig
from motet.errors import AssetError
from motet.phonetics.phones import INDEX, PHONES, SILENCE
from motet.stage import ClosedFormStage, Stage
from motet.training.distillation_targets import at_times, read_grid_lips, ridge
from motet.training.encoded_speech import EVERY, LabelledSteps, encode_source, labelled_steps
from motet.training.settings import TrainConfig
from motet.training.target import TrainingData

DEFAULTS = TrainConfig(
    steps=3000,
    batch=768,
    learning_rate=2e-3,
    warmup=200,
    weight_decay=1e-2,
    average=0.995,
    validate_every=250,
)
SILENCE_SHARE, DEGRADED_SHARE = 0.25, 2.0
"""How often a step of silence, and one of a degraded recording, is drawn beside another."""
FEATURE_NOISE = 0.2
"""Of each channel's deviation: keeps the network from memorising voices."""
RIDGE = 0.3
"""Chosen on other people: 0.02 fits the tracked speaker better and others worse (0.62 for 0.70)."""
CLOSURES = torch.tensor([INDEX[symbol] for symbol, phone in PHONES.items() if phone.is_closure])


@dataclasses.dataclass(frozen=True)
class SpeechSteps:
    """Steps of all utterances one after the other."""

    features: Float[Tensor, "steps dim"]
    """In float16, which halves what hours of speech take."""
    labels: Int[Tensor, " steps"]
    weights: Float[Tensor, " steps"]
    """How often a step is drawn; 0 where its phone is unknown."""
    first: Int[Tensor, " steps"]
    """First step of each step's utterance."""
    gaps: tuple[tuple[Float[Tensor, "frames inputs"], Float[Tensor, " frames"]], ...] = ()
    """Features around frames of tracked lips, and the gap, mouth widths."""

    def around(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows context dim"]:
        """Steps with those before them; the first step of an utterance goes on to the left."""
        at = rows.unsqueeze(1) + torch.tensor(CONTEXT)
        return self.features[torch.maximum(at, self.first[rows].unsqueeze(1))].float()


def speech_heads_stages(
    config: SpeechHeadsConfig, tensors: Mapping[str, Tensor] | None = None
) -> list[Stage[SpeechSteps] | ClosedFormStage[SpeechSteps]]:
    """The network of phones and closures, then the map to the gap."""
    heads = SpeechHeads(config)
    if tensors is not None:
        load_strict(heads, tensors)
    return [_phones_stage(heads), ClosedFormStage("gap", fit_gap)]


def _phones_stage(heads: SpeechHeads) -> Stage[SpeechSteps]:
    def prepare(examples: SpeechSteps) -> None:
        # every 17th step: a sample of all, without the period of any batch
        rows = examples.features[::17].float()
        heads.mean.copy_(rows.mean(0))
        heads.deviation.copy_(rows.std(0))

    def batch(
        examples: SpeechSteps, size: int, randomness: torch.Generator
    ) -> Mapping[str, Tensor]:
        total = examples.weights.cumsum(0, dtype=torch.float64)
        # From cumulative weights: `torch.multinomial` takes at most 2^24 categories.
        draws = torch.rand(size, generator=randomness, dtype=torch.float64) * total[-1]
        rows = torch.searchsorted(total, draws).clamp(max=len(total) - 1)
        around = examples.around(rows)
        noise = torch.randn(around.shape, generator=randomness) * FEATURE_NOISE
        return {"around": around + noise * heads.deviation, "labels": examples.labels[rows]}

    def loss(batch: Mapping[str, Tensor], _: torch.Generator) -> dict[str, Tensor]:
        phones, closed = heads(batch["around"])
        target = torch.isin(batch["labels"], CLOSURES.to(phones.device)).float()
        return {
            "phones": functional.cross_entropy(phones, batch["labels"], label_smoothing=0.05),
            # Smoothed by 0.02: label times are off by a step here and there.
            "closed": functional.binary_cross_entropy_with_logits(closed, 0.02 + 0.96 * target),
        }

    return Stage("phones", heads, [heads], loss, batch, prepare)


def fit_gap(examples: SpeechSteps) -> dict[str, Tensor]:
    """Ridge regression from the features around a frame to the gap between the lips."""
    inputs, gaps = (torch.cat(parts) for parts in zip(*examples.gaps, strict=True))
    constant = inputs.new_ones(len(inputs), 1)
    # (context * dim + 1,)
    solution = ridge(torch.cat([inputs, constant], 1), gaps.unsqueeze(1), RIDGE)[:, 0]
    return {"gap_weight": solution[:-1].view(len(CONTEXT), -1), "gap_bias": solution[-1]}


def join_stages(finished: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors of the weights from those of the stages."""
    return {**finished["phones"], **finished.get("gap", {})}


def read_speech_steps(folder: Path, validation: float) -> TrainingData[SpeechSteps]:
    """The labelled speech of a data folder.

    The validation split of the corpus (whole voices, where there are some) is held out, whatever
    `validation` says.

    Raises:
        AssetError: no speech with phone times.
    """
    del validation
    speech, features = folder / "speech", folder / "features"
    sources = [source for source in built_sources(speech) if source in EVERY]
    if not sources:
        raise AssetError(
            f"{speech} holds no speech with phone times; build it in a checkout with"
            f" 'python -m recipes.speech_corpus {speech} --data {folder}'"
        )
    encoder = WhisperAudioEncoder(*load_network())
    for source in sources:
        encode_source(speech, features, source, encoder)

    def clips(split: str) -> list[tuple[LabelledSteps, bool]]:
        return [
            (clip, degraded)
            for source in sources
            for degraded in (False, True)
            for clip in labelled_steps(speech, features, source, split, degraded)
        ]

    train, held = clips("train"), clips("validation")
    gaps = tracked_gaps((clip for clip, _ in train), folder / "grid_s1")

    def metadata() -> dict[str, JsonValue]:
        return {"speech": {source: source_facts(speech, source) for source in sources}}

    return TrainingData(joined(train, gaps), joined(held), metadata)


def joined(
    clips: Sequence[tuple[LabelledSteps, bool]],
    gaps: Iterable[tuple[Tensor, Tensor]] = (),
) -> SpeechSteps:
    """Utterances, each with whether it is degraded, as one table. A source counts
    with the square root of its length.
    """
    labels = torch.cat([clip.labels for clip, _ in clips])
    sizes = torch.tensor([len(clip.labels) for clip, _ in clips])
    first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    source_steps: dict[str, int] = {}
    for clip, _ in clips:
        source = clip.entry.source
        source_steps[source] = source_steps.get(source, 0) + len(clip.labels)
    shares = [
        # Square root: a long source counts more than a short one, but not in proportion.
        (DEGRADED_SHARE if degraded else 1.0) / source_steps[clip.entry.source] ** 0.5
        for clip, degraded in clips
    ]
    weights = torch.tensor(shares).repeat_interleave(sizes)
    weights = weights * torch.where(labels == INDEX[SILENCE], SILENCE_SHARE, 1.0) * (labels >= 0)
    features = torch.cat([clip.features.half() for clip, _ in clips])
    return SpeechSteps(features, labels.clamp(min=0), weights, first, tuple(gaps))


def tracked_gaps(clips: Iterable[LabelledSteps], grid: Path) -> list[tuple[Tensor, Tensor]]:
    """Features around the frames of tracked clips, and the gap between the inner lips.

    Gaps are in widths of the mouth at rest. Clips of other sources are left out.
    """
    lips, start, names = read_grid_lips(grid)
    width = lips[..., 1].median()
    # frame k of the video at k / 25 s
    seconds, index = torch.arange(lips.shape[1]) / 25.0, {n: i for i, n in enumerate(names)}
    gaps = []
    for clip in clips:
        if clip.entry.source == "grid" and clip.entry.name in index:
            row, at = index[clip.entry.name], torch.arange(len(clip.features)).unsqueeze(1)
            around = clip.features[(at + torch.tensor(CONTEXT)).clamp(min=0)].flatten(1)
            # column 0 is the gap, column 1 the width, both over the face's height
            gaps.append((at_times(around, seconds - start[row]), lips[row, :, 0] / width))
    return gaps


def closed_steps(labels: Int[Tensor, " steps"]) -> Bool[Tensor, " steps"]:
    """Steps inside a p, b or m."""
    return torch.isin(labels, CLOSURES)
