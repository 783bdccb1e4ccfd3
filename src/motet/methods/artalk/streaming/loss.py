"""Training of the small streaming model: the codec on pairs of windows, then the generator with a
noisy history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingSet
from motet.methods.artalk.batches import fit_statistics
from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.streaming.batches import STYLE_FRAMES, pair_batch, window_batch
from motet.methods.artalk.streaming.model import AudioMixer, StreamingModel, known_mask
from motet.nn.seeded import integers, normal, uniform
from motet.stage import Stage
from motet.types import ARKIT_SHAPES

Batch = Mapping[str, Tensor]
Geometry = Callable[[Tensor], Tensor]
"""Raw motion (batch, frames, dim) to points of a figure in metres (batch, frames, verts, 3)."""

VELOCITY_WEIGHT, ACCELERATION_WEIGHT, GEOMETRY_WEIGHT = 2.0, 0.5, 0.05
MOUTH_BOOST = 1.5
LEAST_KNOWN_FRAMES = 2


def streaming_stages(
    config: StreamingConfig,
    tensors: Mapping[str, Tensor] | None = None,
    geometry: Geometry | None = None,
) -> list[Stage[TrainingSet]]:
    """`codec` trains the codec alone, `generator` everything else around the frozen codec.

    Args:
        geometry: points of a figure (lips above all) whose error in millimetres is added to both
            stages.
    """
    model = StreamingModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    rest = [module for name, module in model.named_children() if name != "codec"]
    loose = torch.nn.ParameterList(p for name, p in model.named_parameters(recurse=False))

    def codec_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        return codec_loss(model.codec, batch, randomness, config, geometry)

    def generator_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        return generator_loss(model, batch, randomness, geometry)

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
    if mixer.shapes_entry is None or not bool((mixer.shapes_deviation == 1).all()):
        return
    shapes = torch.cat([item.features[::20, mixer.acoustic :] for item in corpus.items])
    mixer.shapes_mean.copy_(shapes.mean(0))
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
        middles = [(len(item.motion) - STYLE_FRAMES) // 2 for item in chosen]
        motion = [
            torch.where(item.valid, item.motion[at : at + STYLE_FRAMES], mean.cpu())
            for item, at in zip(chosen, middles, strict=True)
        ]
        model.style_bank[index] = (
            model.style(torch.stack(motion).to(mean.device)).mean(0)
            if motion
            else model.null_style[0]
        )


def channel_weights(std: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
    """Weights of normalised errors: between uniform weights and weights by deviation, the
    mouth above the rest.
    """
    weights = (std / std.mean()).sqrt()
    mouth = [index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("mouth", "jaw"))]
    weights[mouth] *= MOUTH_BOOST
    return weights / weights.mean()


def _observed(motion: Tensor, valid: Bool[Tensor, "batch dim"], mean: Tensor) -> Tensor:
    """Unobserved channels are set to their mean, which the codec reconstructs easily."""
    return torch.where(valid.unsqueeze(1), motion, mean)


def motion_terms(
    codec: MotionCodec,
    prediction: Tensor,
    target: Tensor,
    valid: Tensor,
    frames: Float[Tensor, "batch frames"],
    geometry: Geometry | None,
) -> dict[str, Tensor]:
    """Position, velocity and acceleration errors in deviations, and the figure's error in
    millimetres.

    Args:
        prediction, target: raw motion (batch, frames, dim).
        valid: observed channels (batch, dim).
        frames: weight of each frame.
    """
    error = (prediction - target) / codec.motion_std
    weights = channel_weights(codec.motion_std) * valid.unsqueeze(1).to(error.dtype)
    frames = frames.unsqueeze(-1)
    velocity, pairs = error.diff(dim=1), frames[:, 1:] * frames[:, :-1]
    terms = {
        "position": _mean(
            F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.2),
            weights * frames,
        ),
        "velocity": VELOCITY_WEIGHT * _mean(velocity.abs(), weights * pairs),
        "acceleration": (
            ACCELERATION_WEIGHT
            * _mean(velocity.diff(dim=1).abs(), weights * pairs[:, 1:] * pairs[:, :-1])
        ),
    }
    if geometry is not None:
        distance = (
            (geometry(prediction) - geometry(_observed(target, valid, target.new_zeros(()))))
            .square()
            .sum(-1)
            .mean(-1)
        )
        terms["geometry"] = GEOMETRY_WEIGHT * 1e6 * _mean(distance, frames.squeeze(-1))
    return terms


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.expand_as(values).sum().clamp(min=1e-6)


def _gains(
    config: StreamingConfig, batch: int, like: Tensor, randomness: torch.Generator
) -> list[Tensor]:
    """Scale of the input codes per scale: 1, or for some items smaller at random, as expected bits
    are.
    """
    soft = uniform(batch, randomness, like.device) < config.soften
    lengths = [
        0.4 + 0.6 * uniform(batch, randomness, like.device) for _ in config.codec.patches[:-1]
    ]
    return [torch.where(soft, length, 1.0).to(like).view(-1, 1, 1) for length in lengths]


def codec_loss(
    codec: MotionCodec,
    batch: Batch,
    randomness: torch.Generator,
    config: StreamingConfig,
    geometry: Geometry | None = None,
) -> dict[str, Tensor]:
    """Reconstruction of two consecutive windows, across their border, and the quantiser's own
    loss.
    """
    motion, frames = (
        _observed(batch["motion"], batch["valid"], codec.motion_mean),
        config.codec.frames,
    )
    fresh = uniform(len(motion), randomness, motion.device) < config.drop_past
    motion = torch.cat([motion[:, :frames] * ~fresh.view(-1, 1, 1), motion[:, frames:]], 1)
    features = codec.encode(motion)
    gains = _gains(config, 2 * len(motion), motion, randomness)
    prediction = codec.quantizer.quantize(torch.cat(features.chunk(2, 1)), gains)
    decoded = codec.decode(torch.cat(prediction.total.chunk(2, 0), 1))
    weights = batch["inside"].to(motion.dtype)
    weights = torch.cat([weights[:, :frames] * ~fresh.unsqueeze(1), weights[:, frames:]], 1)
    return {
        "quantiser": prediction.losses.mean(),
        **motion_terms(codec, decoded, motion, batch["valid"], weights, geometry),
    }


def generator_loss(
    model: StreamingModel,
    batch: Batch,
    randomness: torch.Generator,
    geometry: Geometry | None = None,
) -> dict[str, Tensor]:
    """Cross entropy of the bits, and the error of the motion that the expected bits decode to.

    Augmentation matches inference: noisy or missing history, truncated audio, flipped or softened
    coarse bits, style dropout.
    """
    config, codec = model.config, model.codec
    frames, size = config.codec.frames, len(batch["motion"])
    motion = _observed(batch["motion"], batch["valid"], codec.motion_mean)
    past, now = motion[:, :-frames], motion[:, -frames:]
    past, fresh = _noisy_history(codec, past, batch["inside"][:, :-frames], randomness, config)
    last = _audio_end(batch, size, randomness, config)
    with torch.no_grad():
        features = codec.encode(torch.cat([past[:, -frames:], now], 1))[:, frames:]
        flips = _flips(config, size, randomness, motion.device)
        bits, seen = codec.quantizer.signs(
            features, flips, _gains(config, size, motion, randomness)
        )
        before = model.past_total(past[:, -frames:])
    style = _style(model, batch, randomness)
    audio = model.audio(batch["audio"], known_mask(config.audio_steps, batch["audio_first"], last))
    odds = model.logits(seen, style, model.past(past, before, fresh), audio)
    weights = batch["inside"][:, -frames:] * _frame_weights(last, config)
    entropy = F.binary_cross_entropy_with_logits(odds, bits.to(odds.dtype), reduction="none").mean(
        -1
    )
    expected = torch.tanh(odds / 2) * config.codec.bits**-0.5
    damage = seen - codec.quantizer.codes_of(bits, seen)
    decoded = codec.decode(
        torch.cat([before, codec.quantizer.total(expected + damage)], 1), keep=frames
    )
    terms = motion_terms(codec, decoded, now, batch["valid"], weights.to(odds.dtype), geometry)
    return {
        "bits": _mean(entropy, _token_weights(model, weights.to(odds.dtype))),
        **{name: config.motion_weight * term for name, term in terms.items()},
    }


def _noisy_history(
    codec: MotionCodec,
    past: Tensor,
    inside: Tensor,
    randomness: torch.Generator,
    config: StreamingConfig,
) -> tuple[Tensor, Bool[Tensor, " batch"]]:
    """History with slow and fast noise, truncated or empty for some items; and a mask of the empty
    ones.
    """
    size, length = past.shape[:2]
    device = past.device
    strength = config.history_noise * uniform((size, 1, 1), randomness, device)
    slow = normal((size, 2, past.shape[2]), randomness, device)
    ramp = torch.linspace(0, 1, length, device=device).view(1, -1, 1)
    noise = (
        slow[:, :1] * (1 - ramp) + slow[:, 1:] * ramp + 0.2 * normal(past.shape, randomness, device)
    )
    known = integers(0, length + 1, size, randomness, device)
    known = torch.where(uniform(size, randomness, device) < 0.5, known, 0)
    known = torch.where(uniform(size, randomness, device) < config.drop_past, known, length)
    present = (torch.arange(length, device=device) >= length - known.unsqueeze(1)) & inside
    return (past + (strength * noise).to(past) * codec.motion_std) * present.unsqueeze(
        -1
    ), ~present[:, -LEAST_KNOWN_FRAMES:].all(1)


def _audio_end(
    batch: Batch, size: int, randomness: torch.Generator, config: StreamingConfig
) -> Tensor:
    """Step after the last one whose audio is known: for half of the items where a session generates
    the window, otherwise anywhere in it.
    """
    least = config.audio_before + 2 * config.steps_per_frame
    device = batch["audio_last"].device
    cut = integers(least, config.audio_steps + 1, size, randomness, device)
    usual = config.audio_before + config.steps_per_frame * config.commit + config.look_ahead
    cut = torch.where(uniform(size, randomness, device) < 0.5, usual, cut)
    return torch.minimum(cut, batch["audio_last"])


def _frame_weights(last: Tensor, config: StreamingConfig) -> Float[Tensor, "batch frames"]:
    """1 for frames whose audio is known, less for those that are regenerated later anyway."""
    frames = torch.arange(1, config.codec.frames + 1, device=last.device)
    ends = config.audio_before + config.steps_per_frame * frames
    return torch.where(ends <= last.unsqueeze(1), 1.0, config.unheard_weight)


def _token_weights(
    model: StreamingModel, frames: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch tokens"]:
    scales = range(len(model.config.codec.patches))
    return torch.cat(
        [model.quantizer.pool(scale, frames.unsqueeze(-1)).squeeze(-1) for scale in scales], 1
    )


def _flips(
    config: StreamingConfig, size: int, randomness: torch.Generator, device: torch.device
) -> Sequence[Bool[Tensor, "batch patch bits"]]:
    share = config.flip * uniform((size, 1, 1), randomness, device)
    return [
        uniform((size, patch, config.codec.bits), randomness, device) < share
        for patch in config.codec.patches[:-1]
    ]


def _style(
    model: StreamingModel, batch: Batch, randomness: torch.Generator
) -> Float[Tensor, "batch style"]:
    motion = _observed(batch["style"], batch["valid"], model.codec.motion_mean)
    style = model.style(motion, batch["style_mask"])
    dropped = uniform(len(style), randomness, style.device) < model.config.drop_style
    return torch.where(dropped.unsqueeze(1), model.null_style, style)
