"""Training stages of the streaming model: first the codec, then everything else around it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingSet
from motet.methods.artalk.batches import fit_statistics
from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.streaming.audio_mixer import AudioMixer
from motet.methods.artalk.streaming.batches import STYLE_FRAMES, pair_batch, window_batch
from motet.methods.artalk.streaming.loss import Batch, codec_loss, generator_loss
from motet.methods.artalk.streaming.model import StreamingModel
from motet.methods.artalk.streaming.motion_loss import FigurePoints
from motet.stage import Stage


def streaming_stages(
    config: StreamingConfig,
    tensors: Mapping[str, Tensor] | None = None,
    figure: FigurePoints | None = None,
) -> list[Stage[TrainingSet]]:
    """`codec` trains the codec alone, `generator` everything else around the frozen codec.

    Args:
        tensors: weights to start from.
        figure: points of a figure (lips above all) whose error in millimetres is added to both
            stages.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    model = StreamingModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    rest = [module for name, module in model.named_children() if name != "codec"]
    # Parameters that belong to no submodule: positions, null style, empty past.
    loose = torch.nn.ParameterList(p for name, p in model.named_parameters(recurse=False))

    def codec_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        return codec_loss(model.codec, batch, randomness, config, figure)

    def generator_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        return generator_loss(model, batch, randomness, figure)

    def codec_batch(corpus: TrainingSet, size: int, randomness: torch.Generator) -> Batch:
        return pair_batch(corpus, size, randomness, config)

    def generator_batch(corpus: TrainingSet, size: int, randomness: torch.Generator) -> Batch:
        return window_batch(corpus, size, randomness, config)

    def prepare(corpus: TrainingSet) -> None:
        fit_statistics(model.codec, corpus)
        fit_mouth_statistics(model.audio, corpus)

    return [
        Stage("codec", model, [model.codec], codec_terms, codec_batch, prepare),
        Stage(
            "generator",
            model,
            [*rest, loose],
            generator_terms,
            generator_batch,
            prepare,
            lambda corpus: fill_style_bank(model, corpus),
        ),
    ]


def fit_mouth_statistics(mixer: AudioMixer, corpus: TrainingSet) -> None:
    """Mean and deviation of the regressed mouth shapes, once, where they are an input."""
    # A deviation of 1 everywhere is that of a new model; later stages keep what the first fitted.
    if mixer.shapes_entry is None or not bool((mixer.shapes_deviation == 1).all()):
        return
    # Every 20th step (0.4 s) is enough for a mean: (steps, shapes).
    shapes = torch.cat([item.features[::20, mixer.acoustic :] for item in corpus.items])
    mixer.shapes_mean.copy_(shapes.mean(0))
    # The floor keeps a shape that hardly moves from being blown up by its own deviation.
    mixer.shapes_deviation.copy_(shapes.std(0).clamp(min=1e-2))


def fill_style_bank(model: StreamingModel, corpus: TrainingSet, clips: int = 48) -> None:
    """Set the vector of every named style to the mean over training clips of that name; without any
    it is the null style.

    Args:
        clips: clips of six seconds a style, spread evenly over its performances.
    """
    mean = model.codec.motion_mean
    for index, name in enumerate(model.config.styles):
        items = [
            item for item in corpus.items if item.style == name and len(item.motion) >= STYLE_FRAMES
        ]
        chosen = items[:: max(1, len(items) // clips)][:clips]
        # Clips from the middle of a performance, where it is neither beginning nor ending.
        starts = [(len(item.motion) - STYLE_FRAMES) // 2 for item in chosen]
        motion = [
            torch.where(item.valid, item.motion[start : start + STYLE_FRAMES], mean.cpu())
            for item, start in zip(chosen, starts, strict=True)
        ]
        model.style_bank[index] = (
            model.style(torch.stack(motion).to(mean.device)).mean(0)
            if motion
            else model.null_style[0]
        )
