"""Training: the style encoder by contrast between persons, then the denoiser on pairs of
neighbouring clips.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import InputError
from motet.methods.diffposetalk.coefficients import Coefficients, unpack
from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.methods.diffposetalk.loss import Surface, weighted
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.style import contrast_loss
from motet.methods.diffposetalk.two_clip import Pair, draw_clip, two_clip_losses
from motet.stage import Stage

Batch = Mapping[str, Tensor]
Mesh = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(shape, expression, pose), one row a frame, in FLAME's own units -> vertices in metres."""


def stages(
    config: DiffPoseTalkConfig,
    tensors: Mapping[str, Tensor] | None = None,
    mesh: Mesh | None = None,
) -> list[Stage]:
    """The stages of a model: `style` (when it has an encoder) and `denoiser`.

    Batches come from a `TrainingSet` (features and motion), or for models with a trunk from a
    reader such as `motet.data.readers.hdtf_tfhp.TfhpDatabase`: `statistics()`,
    `shape_statistics()`, and `draw_spans` and `draw_clips(size, frames, randomness)` that give
    items with `motion`, `valid`, `samples` and `shape`.

    Args:
        mesh: FLAME's surface for the mesh terms; without it they are left out. In the house space
            the weights themselves stand for the surface, which they move linearly.
    """
    model = DiffPoseTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    surface = (
        house_surface
        if config.space == "arkit"
        else None
        if mesh is None
        else flame_surface(model.coefficients, mesh)
    )

    def prepare(corpus: Any) -> None:
        fit_statistics(model.coefficients, corpus)

    made = []
    if model.style_encoder is not None:
        made.append(
            Stage(
                "style",
                model,
                [model.style_encoder],
                _style_loss(model),
                _style_batch(model),
                prepare,
            )
        )
    return [
        *made,
        Stage(
            "denoiser",
            model,
            trained_parts(model),
            _pair_loss(model, surface),
            _pair_batch(model),
            prepare,
            metadata=lambda corpus: named_styles(model, corpus),
        ),
    ]


STYLE_CLIPS = 32
"""Performances whose mean makes a named style."""


def named_styles(model: DiffPoseTalkModel, corpus: Any) -> dict[str, Any]:
    """`styles`: for each style name of the corpus the mean style vector of clips that carry it;
    nothing without names or encoder.
    """
    if (
        model.style_encoder is None
        or model.config.style is None
        or not isinstance(corpus, TrainingSet)
    ):
        return {}
    frames, styles = model.config.style.frames, {}
    for name in sorted({item.style for item in corpus.items if item.style}):
        items = [item for item in corpus.items if item.style == name and len(item.motion) >= frames]
        clips = [
            # The middle of a performance: its beginning and end are often at rest.
            item.motion[(len(item.motion) - frames) // 2 :][:frames]
            for item in items[:: max(1, len(items) // STYLE_CLIPS)][:STYLE_CLIPS]
        ]
        if clips:
            motion = torch.stack(clips).to(model.coefficients.motion_mean.device)
            vector = model.style_encoder(model.coefficients.vector(motion)).mean(0)
            styles[name] = [round(value, 5) for value in vector.tolist()]
    return {"styles": styles}


def trained_parts(model: DiffPoseTalkModel) -> list[nn.Module]:
    """What moves in the denoiser's stage: all but the style encoder and the trunk's frozen part.

    Of HuBERT the convolutions, the projection and the first two layers are frozen, of wav2vec 2.0
    the convolutions only.
    """
    own_parameters = nn.ParameterList(
        p
        for p in (
            model.start_audio_feat,
            model.start_motion_feat,
            model.null_style_feat,
            model.null_audio_feat,
        )
        if p is not None
    )
    parts: list[nn.Module] = [model.denoising_net, model.audio_feature_map, own_parameters]
    trunk = model.audio_encoder
    if trunk is not None:
        # As published: of HuBERT the first two layers stay frozen, of wav2vec 2.0 only the
        # convolutions.
        first = 2 if model.config.front == "hubert" else 0
        parts += [
            trunk.encoder.pos_conv_embed,
            trunk.encoder.layer_norm,
            *trunk.encoder.layers[first:],
        ]
        if first == 0:
            parts.append(trunk.feature_projection)
        parts.append(nn.ParameterList([trunk.masked_spec_embed]))
    return parts


def house_surface(vector: Tensor, shape: Tensor | None) -> Tensor:
    """In the house space: the blendshape weights."""
    del shape
    return vector[..., :52]  # blendshapes without the head


def flame_surface(coefficients: Coefficients, mesh: Mesh) -> Surface:
    """Vertices of FLAME with the head held still, as the mesh terms compare them."""

    def surface(vector: Tensor, shape: Tensor | None) -> Tensor:
        # (batch, frames, 50), (batch, frames, 6)
        expression, pose = unpack(vector, keep_head=False)
        motion = (
            torch.cat([expression, pose], -1) * coefficients.motion_std + coefficients.motion_mean
        )
        # The head is held still: its rotation would outweigh all that the face does.
        still = torch.cat([torch.zeros_like(pose[..., :3]), motion[..., -3:]], -1)
        known = (
            torch.zeros_like(coefficients.shape_mean).expand(len(vector), -1)
            if shape is None
            else shape
        )
        identity = (
            (known * coefficients.shape_std + coefficients.shape_mean)
            .unsqueeze(1)
            .expand(-1, vector.shape[1], -1)
        )
        # (batch * frames, ...) for FLAME, then back.
        points = mesh(identity.flatten(0, 1), motion[..., :-6].flatten(0, 1), still.flatten(0, 1))
        return points.unflatten(0, vector.shape[:2])

    return surface


def published_learning_rate(
    iteration: int,
    kind: Literal["constant", "warmup", "warmup_then_decay"] = "warmup",
    peak: float = 1e-4,
    warm: int = 5000,
    last: int = 120_000,
) -> float:
    """The published rate of an iteration: from 0 linearly to the peak, then constant or a cosine to
    2 % that stops after `last`.
    """
    if kind == "constant":
        return peak
    if iteration <= warm:
        return peak * iteration / warm
    if kind == "warmup":
        return peak
    # The cosine begins one iteration after the peak and stands still once `last` is passed.
    done = min(iteration, last) - warm - 1
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done / (last - warm))))


def _style_loss(model: DiffPoseTalkModel) -> Callable[[Batch, torch.Generator], dict[str, Tensor]]:
    def loss(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        encoder = model.style_encoder
        assert encoder is not None
        views = [encoder(_seen(model, batch[name], batch["valid"])) for name in ("first", "second")]
        return {"contrast": contrast_loss(views[0], views[1], encoder.config.temperature)}

    return loss


def _style_batch(model: DiffPoseTalkModel) -> Callable[[Any, int, torch.Generator], Batch]:
    def batch(corpus: Any, size: int, randomness: torch.Generator) -> Batch:
        style = model.config.style
        assert style is not None
        draw = draw_spans if isinstance(corpus, TrainingSet) else type(corpus).draw_spans
        return two_views(draw(corpus, size, 2 * style.frames + style.gap, randomness), style.frames)

    return batch


class Span(Protocol):
    """Some motion of a person."""

    @property
    def motion(self) -> Tensor:
        """Numbers of every frame."""
        ...

    @property
    def valid(self) -> Tensor:
        """Which of them were observed."""
        ...


def two_views(spans: Sequence[Span], frames: int) -> Batch:
    """The first and the last frames of each span."""
    motion = torch.stack([span.motion for span in spans])
    return {
        "first": motion[:, :frames],
        "second": motion[:, -frames:],
        "valid": torch.stack([span.valid for span in spans]),
    }


def draw_spans(
    corpus: TrainingSet, size: int, frames: int, randomness: torch.Generator
) -> list[TrainingItem]:
    """One random stretch each of different persons (of performances without a name each is a
    person), at most as many as there are.

    Raises:
        InputError: no two persons have a performance that is long enough.
    """
    persons: dict[str, list[TrainingItem]] = {}
    for index, item in enumerate(corpus.items):
        if len(item.motion) >= frames:
            persons.setdefault(item.speaker or f"#{index}", []).append(item)
    if len(persons) < 2:
        raise InputError(
            f"the style encoder needs two persons with {frames} frames each, the corpus has"
            f" {len(persons)}; add recordings or shorten style.frames"
        )
    # Different persons: within one batch each may be the positive of one pair only.
    chosen = [
        list(persons)[index]
        for index in torch.randperm(len(persons), generator=randomness)[:size].tolist()
    ]
    items = [
        persons[name][int(torch.randint(len(persons[name]), (1,), generator=randomness))]
        for name in chosen
    ]
    starts = [
        int(torch.randint(len(item.motion) - frames + 1, (1,), generator=randomness))
        for item in items
    ]
    return [
        dataclasses.replace(item, motion=item.motion[start : start + frames])
        for item, start in zip(items, starts, strict=True)
    ]


def _pair_loss(
    model: DiffPoseTalkModel, surface: Surface | None
) -> Callable[[Batch, torch.Generator], dict[str, Tensor]]:
    config = model.config

    def loss(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        coefficients, size = model.coefficients, len(batch["motion"])
        valid = (
            batch["valid"].to(batch["motion"].dtype)[:, coefficients.columns]
            if "valid" in batch
            else None
        )
        shape = coefficients.shape_vector(batch["shape"]) if "shape" in batch else None
        vectors = _seen(model, batch["motion"], batch.get("valid"))
        pair = Pair(vectors, batch["sound"], shape, batch.get("lengths"), valid)
        draws = tuple(
            draw_clip(config, clip, size, randomness, vectors.dtype).to(vectors.device)
            for clip in (0, 1)
        )
        trunk_noise = randomness if model.audio_encoder is not None else None
        return weighted(
            two_clip_losses(model, pair, (draws[0], draws[1]), surface, trunk_noise), config
        )

    return loss


def _pair_batch(model: DiffPoseTalkModel) -> Callable[[Any, int, torch.Generator], Batch]:
    frames = 2 * model.config.denoiser.window

    def features(corpus: TrainingSet, size: int, randomness: torch.Generator) -> Batch:
        return feature_batch(corpus, size, frames, randomness)

    def samples(corpus: Any, size: int, randomness: torch.Generator) -> Batch:
        items = corpus.draw_clips(size, frames, randomness)
        sound = torch.stack([item.samples for item in items])
        # Standardised over the clip, as wav2vec 2.0 was trained; at run time over the recording.
        sound = (sound - sound.mean(-1, keepdim=True)) / (sound.std(-1, keepdim=True) + 1e-5)
        return {
            "motion": torch.stack([item.motion for item in items]),
            "sound": sound,
            "shape": torch.stack([item.shape for item in items]),
        }

    return features if model.audio_encoder is None else samples


def feature_batch(
    corpus: TrainingSet, size: int, frames: int, randomness: torch.Generator
) -> Batch:
    """Windows of motion with their features, two steps a frame; short performances are filled up
    and have their true length in `lengths`.
    """
    clips = corpus.draw(size, frames, randomness)
    motion = torch.stack([_cut(item.motion, start, frames) for item, start in clips])
    sound = torch.stack(
        # (batch, 2 * frames, channels)
        [_cut(item.features, 2 * start, 2 * frames, fill=0.0) for item, start in clips]
    )
    lengths = torch.tensor([min(frames, len(item.motion) - start) for item, start in clips])
    return {
        "motion": motion,
        "sound": sound,
        "lengths": lengths,
        "valid": torch.stack([item.valid for item, _ in clips]),
    }


def fit_statistics(coefficients: Coefficients, corpus: Any) -> None:
    """Mean and deviation of the corpus, once; they are part of the weights from then on."""
    if float(coefficients.known):
        return
    coefficients.set(*corpus.statistics())
    if len(coefficients.shape_mean):
        mean, std = corpus.shape_statistics()
        coefficients.shape_mean.copy_(mean)
        coefficients.shape_std.copy_(std)


def _seen(model: DiffPoseTalkModel, motion: Tensor, valid: Tensor | None) -> Tensor:
    """Normalised vectors with channels that were not observed at their mean."""
    vectors = model.coefficients.vector(motion)
    if valid is None:
        return vectors
    return torch.where(
        valid[:, model.coefficients.columns].bool().unsqueeze(1), vectors, torch.zeros_like(vectors)
    )


def _cut(values: Tensor, start: int, length: int, fill: float | None = None) -> Tensor:
    """`length` rows from `start`; beyond the end the last row, or a constant."""
    rows = values[start : start + length]
    missing = length - len(rows)
    if missing == 0:
        return rows
    tail = (
        rows[-1:].expand(missing, -1)
        if fill is None
        else rows.new_full((missing, values.shape[1]), fill)
    )
    return torch.cat([rows, tail])
