"""Training of generation T as published: the codec against motion and mesh, the generator against
bits of a flipped residual.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingSet
from motet.encoders.wav2vec2 import Wav2Vec2, standardise
from motet.errors import ConfigError
from motet.methods.artalk.batches import fit_statistics
from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import TrainingConfig
from motet.methods.artalk.published_v2.batches import draw_flips, window_batch
from motet.methods.artalk.published_v2.model import Conditions, TrainingModel
from motet.nn.seeded import uniform
from motet.stage import Stage

Batch = Mapping[str, Tensor]
Geometry = Callable[[Tensor], Tensor]
"""Raw motion (batch, frames, dim) to vertices in metres (batch, frames, verts, 3): zero shape, no
head pose, eyes turned."""

WEIGHTS = {
    "quantiser": 1.0,
    "all": 1.0,
    "pose": 8.0,
    "pose_velocity": 5.0,
    "pose_smoothness": 0.5,
    "mesh": 2.0,
    "lips": 0.1,
    "mesh_velocity": 1e7,
    "mesh_smoothness": 1e5,
}
"""Weights of the codec's terms as published; mesh and lips in mm^2, mesh velocity and smoothness in
metres."""
POSE = slice(100, 104)
"""Head rotation and jaw opening."""


def codec_loss(
    codec: MotionCodec,
    motion: Float[Tensor, "batch frames dim"],
    geometry: Geometry | None,
    lips: Sequence[int],
) -> dict[str, Tensor]:
    """The nine published terms, weighted; the four of the mesh only where there is a figure.

    Args:
        lips: vertices of the lips; an index that stands twice counts twice.
    """
    prediction = codec.quantizer.quantize(codec.encode(motion))
    decoded = codec.decode(prediction.total)
    terms = {"quantiser": prediction.losses.mean(), **motion_terms(decoded, motion)}
    if geometry is not None:
        terms |= mesh_terms(geometry(decoded), geometry(motion), lips)
    return {name: WEIGHTS[name] * term for name, term in terms.items()}


def motion_terms(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Errors of the motion itself, in raw units."""
    pose, true = prediction[..., POSE], target[..., POSE]
    return {
        "all": F.l1_loss(prediction, target),
        "pose": F.l1_loss(pose, true),
        "pose_velocity": F.mse_loss(pose.diff(dim=1), true.diff(dim=1)),
        "pose_smoothness": pose.diff(n=2, dim=1).square().mean(),
    }


def mesh_terms(
    prediction: Float[Tensor, "batch frames verts 3"],
    target: Float[Tensor, "batch frames verts 3"],
    lips: Sequence[int],
) -> dict[str, Tensor]:
    """Errors of the figure."""
    chosen = list(lips)
    return {
        "mesh": F.mse_loss(prediction * 1000, target * 1000),
        "lips": F.mse_loss(prediction[..., chosen, :] * 1000, target[..., chosen, :] * 1000),
        "mesh_velocity": F.mse_loss(prediction.diff(dim=1), target.diff(dim=1)),
        "mesh_smoothness": prediction.diff(n=2, dim=1).square().mean(),
    }


@dataclasses.dataclass(frozen=True)
class GeneratorStep:
    """One training step of the generator: its loss, logits and targets."""

    loss: Tensor
    scores: Float[Tensor, "batch tokens bits 2"]
    bits: Bool[Tensor, "batch tokens bits"]


def targets(
    scores: Float[Tensor, "batch tokens bits 2"], bits: Bool[Tensor, "batch tokens bits"]
) -> Tensor:
    """Cross entropy over all tokens and bits."""
    # (batch * tokens * bits, 2)
    return F.cross_entropy(scores.flatten(0, 2), bits.flatten().long())


def generator_loss(
    model: TrainingModel,
    batch: Batch,
    flips: Sequence[Tensor],
    drop_audio: Bool[Tensor, " batch"],
    drop_style: Bool[Tensor, " batch"],
    drop_past: Bool[Tensor, " batch"],
    randomness: torch.Generator | None = None,
) -> GeneratorStep:
    """Cross entropy against the unflipped bits of the residual that the flipped ones leave.

    Args:
        batch: `audio` features, and raw `motion`, `past`, `style` of one window each.
        flips: bits that the generator sees wrong, for each scale but the last.
        drop_audio, drop_style, drop_past: items whose condition is taken away (features or raw
            motion set to zero).
        randomness: of drop path; None leaves it out.
    """
    audio = batch["audio"] * ~drop_audio.view(-1, 1, 1)  # dropped for whole items
    with torch.no_grad():
        # Targets are the bits of the residual that the flipped codes leave: the generator learns to
        # correct itself.
        bits, codes = model.quantizer.signs(model.codec.encode(batch["motion"]), flips)
        style = model.clip_code(batch["style"] * ~drop_style.view(-1, 1, 1))
        past = model.clip_code(batch["past"] * ~drop_past.view(-1, 1, 1))
    scores = model.logits(Conditions(style, past, audio), codes, randomness)
    return GeneratorStep(targets(scores, bits), scores, bits)


def training_stages(
    config: TrainingConfig,
    tensors: Mapping[str, Tensor] | None = None,
    geometry: Geometry | None = None,
    lips: Sequence[int] = (),
) -> list[Stage]:
    """`codec`, then `generator` around the frozen codec and the frozen audio encoder, which the
    checkpoints hold too. Training sets with features instead of sound need no encoder.

    Published settings: 200,000 steps of 64 (codec) and 128 (generator), AdamW 1e-4 after 1,000
    steps of warm-up, falling to a tenth; average 0.9999; no clipping.
    """
    model = _with_audio_encoder(TrainingModel(config), tensors)
    rest = [m for name, m in model.named_children() if name not in ("codec", "audio_encoder")]
    own_parameters = torch.nn.ParameterList(p for _, p in model.named_parameters(recurse=False))

    def codec_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        del randomness
        return codec_loss(model.codec, batch["motion"], geometry, lips)

    def generator_terms(batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
        size = len(batch["motion"])
        batch = {**batch, "audio": _encoded(model, batch["audio"])}
        drops = [
            uniform(size, randomness, batch["motion"].device) < share
            for share in (config.drop_audio, config.drop_style, config.drop_past)
        ]
        flips = [flip.to(batch["motion"].device) for flip in draw_flips(config, size, randomness)]
        step = generator_loss(model, batch, flips, *drops, randomness)
        return {"bits": step.loss}

    def batches(corpus: TrainingSet, size: int, randomness: torch.Generator) -> Batch:
        return window_batch(corpus, size, randomness, config)

    def prepare(corpus: TrainingSet) -> None:
        fit_statistics(model.codec, corpus)

    return [
        Stage("codec", model, [model.codec], codec_terms, batches, prepare),
        Stage("generator", model, [*rest, own_parameters], generator_terms, batches, prepare),
    ]


def _with_audio_encoder(
    model: TrainingModel, tensors: Mapping[str, Tensor] | None
) -> TrainingModel:
    """The model with the tensors to begin with; its audio encoder is frozen and only there where
    the tensors have it, or where there are none.
    """
    prefix = "audio_encoder."
    own = {n: t for n, t in (tensors or {}).items() if not n.startswith(prefix)}
    if tensors is not None:
        load_strict(model, own)
    if model.config.audio is not None and (tensors is None or len(own) < len(tensors)):
        encoder = Wav2Vec2(**dataclasses.asdict(model.config.audio)).requires_grad_(False)
        if tensors is not None:
            load_strict(
                encoder, {n.removeprefix(prefix): t for n, t in tensors.items() if n not in own}
            )
        model.add_module("audio_encoder", encoder)
    return model


def _encoded(model: TrainingModel, audio: Float[Tensor, "batch steps channels"]) -> Tensor:
    """Features of windows of sound (one channel); what has more is features already."""
    if audio.shape[-1] > 1:
        return audio
    encoder = dict(model.named_children()).get("audio_encoder")
    if encoder is None:
        raise ConfigError(
            "the weights that this training begins with have no audio encoder; leave --start out"
            " and give one with --encoder"
        )
    with torch.no_grad():
        features: Tensor = encoder.eval()(standardise(audio.squeeze(-1)))
    return features
