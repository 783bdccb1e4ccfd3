"""How KMTalk trains: the key-motion decoder, then the completion over its keys, then both together.

Errors are in deviations of each channel (or component), so that the weights are those of the papers
up to one common factor: position and velocity alike, keys a tenth (Peng et al. 2023; README). In
the house space the lips of the figure are added in millimetres.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motet.checkpoint import load_strict
from motet.data.training_set import TrainingSet
from motet.methods.kmtalk.baselines import FaceFormerBaseline
from motet.methods.kmtalk.batches import WindowMaker
from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import Keys, interpolate, key_timing
from motet.methods.kmtalk.linear_regressor import fit_basis, fit_regressor
from motet.methods.kmtalk.model import KMTalkModel
from motet.methods.kmtalk.output_basis import pair_steps
from motet.nn.seeded import normal, uniform
from motet.stage import Stage
from motet.types import ARKIT_SHAPES

Batch = Mapping[str, Tensor]
VELOCITY_WEIGHT, KEY_WEIGHT, LIP_WEIGHT, OPENING_WEIGHT = 1.0, 0.1, 0.05, 0.1
"""Weights beside the position error, which has 1; lips and opening are in square millimetres."""
MOUTH_SHARE = 3.0
"""Weight of mouth channels over the others in the house space; of lip vertices over the others it
is 2."""


def stages(config: KMTalkConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage]:
    """`keys`, `completion`, `joint`; a baseline without keys has the one stage `joint`. Every stage
    holds the whole model.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    model = KMTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    maker = WindowMaker(config)

    def batch(corpus: TrainingSet, size: int, randomness: torch.Generator) -> dict[str, Tensor]:
        return maker.windows(corpus, size, randomness)

    def prepare(corpus: TrainingSet) -> None:
        if fit_basis(model.basis, corpus) and model.reading is not None:
            fit_regressor(model.reading, model.basis, corpus, maker.spoken)

    def terms(name: str) -> Callable[[Batch, torch.Generator], dict[str, Tensor]]:
        return lambda examples, randomness: losses(model, examples, randomness, name)

    own = [
        model.listen,
        model.mix,
        *(
            [model.trunk.hears.encoder, model.trunk.hears.feature_projection]
            if model.trunk is not None
            else []
        ),
    ]
    parts: dict[str, list[nn.Module]] = {"joint": [*own, model.completion]}  # type: ignore[list-item]
    if model.keys is not None:
        parts = {
            "keys": [*own, model.keys],
            "completion": [model.completion],
            "joint": [*own, model.keys, model.completion],
        }  # type: ignore[list-item]
    return [
        Stage(name, model, trained, terms(name), batch, prepare) for name, trained in parts.items()
    ]


def losses(
    model: KMTalkModel, batch: Batch, randomness: torch.Generator, stage: str
) -> dict[str, Tensor]:
    """The terms of one stage."""
    keys = Keys(batch["frame_index"], batch["phones"], batch["key_valid"], batch["spoken"])
    length, training = batch["length"], model.config.training
    # The completion is trained over frozen keys first; otherwise its errors would change the keys.
    with torch.set_grad_enabled(stage != "completion"):
        features = _features(model, batch)
        # (batch): False where an item is trained as audio without known phones.
        named = uniform(len(features), randomness, length.device) >= training.drop_identity
        # (batch, frames, width), (batch, frames, inner)
        audio = model.audio_context(features, length)
        linear = model.linear_prediction(features, keys, named)
        poses = model.key_motion(audio, linear, keys, length, named)
    # Channels that were not observed count as the mean; their weight below is 0.
    target = torch.where(batch["valid"].unsqueeze(1), batch["motion"], model.basis.mean)
    # (batch, frames)
    inside = torch.arange(target.shape[1], device=length.device) < length.unsqueeze(1)
    weights = channel_weights(model) * _valid(model, batch["valid"])
    terms: dict[str, Tensor] = {}
    if poses is not None and stage != "completion":
        true = _at_keys(target, keys)
        prediction = motion_terms(model, poses, true, weights, keys.valid)
        terms |= {f"key_{name}": term for name, term in prediction.items()}
    if stage == "keys":
        return terms
    inputs = None if poses is None else _input_keys(model, poses, target, keys, randomness)
    masked = uniform(inside.shape, randomness, inside.device) < training.mask
    every = _completed(model, inputs, audio, linear, keys, length, masked, target)
    terms |= motion_terms(model, every, target, weights, inside)
    if poses is not None:
        # The completion may move the keys; this term holds it near the true ones.
        completed, true = _at_keys(every, keys), model.basis.encode(_at_keys(target, keys))
        terms["keys_again"] = KEY_WEIGHT * _mean((completed - true).square(), weights, keys.valid)
    return terms


def _at_keys(
    frames: Float[Tensor, "batch frames dim"], keys: Keys
) -> Float[Tensor, "batch keys dim"]:
    return frames[torch.arange(len(frames), device=frames.device).unsqueeze(1), keys.frame_index]


def _features(model: KMTalkModel, batch: Batch) -> Float[Tensor, "batch frames audio"]:
    if model.trunk is None:
        return batch["features"]
    frames = batch["motion"].shape[1]
    prediction = model.trunk.features(batch["features"][..., 0], frames)
    return pair_steps(prediction, frames, model.config.steps_per_frame)


def _completed(
    model: KMTalkModel,
    poses: Tensor | None,
    audio: Tensor,
    linear: Tensor | None,
    keys: Keys,
    length: Tensor,
    masked: Tensor,
    target: Tensor,
) -> Tensor:
    """All frames; an autoregressive baseline is trained with teacher forcing."""
    if isinstance(model.completion, FaceFormerBaseline):
        base = None if poses is None else interpolate(poses, keys, audio.shape[1])
        return model.completion(
            audio,
            length,
            base,
            key_timing(keys, audio.shape[1], model.config.fps)[0],
            model.basis.encode(target),
        ) + (0 if linear is None else linear)
    return model.complete(poses, audio, linear, keys, length, masked)


def _input_keys(
    model: KMTalkModel, poses: Tensor, target: Tensor, keys: Keys, randomness: torch.Generator
) -> Float[Tensor, "batch keys inner"]:
    """Input keys of the completion: predicted ones, for some items the true ones, with noise."""
    training = model.config.training
    true = model.basis.encode(_at_keys(target, keys))  # (batch, keys, inner)
    # (batch, 1, 1)
    chosen = (uniform(len(poses), randomness, poses.device) < training.true_keys).view(-1, 1, 1)
    noise = training.noise * normal(poses.shape, randomness, poses.device)
    return torch.where(chosen, true, poses) + noise.to(poses)


def motion_terms(
    model: KMTalkModel,
    prediction: Float[Tensor, "batch frames inner"],
    target: Float[Tensor, "batch frames dim"],
    weights: Tensor,
    inside: Bool[Tensor, "batch frames"],
) -> dict[str, Tensor]:
    """Squared errors of position and of differences between neighbours, and of the lips of the
    house figure.
    """
    error = prediction - model.basis.encode(target)
    pairs = inside[:, 1:] & inside[:, :-1]  # (batch, frames - 1): both ends inside
    terms = {
        "position": _mean(error.square(), weights, inside),
        "velocity": VELOCITY_WEIGHT * _mean(error.diff(dim=1).square(), weights, pairs),
    }
    if model.config.space == "arkit":
        from motet.face.lip_geometry import house_lips, house_opening

        # Lips move linearly with the blendshapes: the lips of the difference are the difference of
        # the lips. (batch, frames, dim)
        difference = model.basis.decode(prediction) - target
        # (batch, frames, vertices, 3), mm -> (batch, frames, 1)
        lips = (house_lips()(difference) * 1000).square().sum(-1).mean(-1, keepdim=True)
        blendshapes = difference[..., : len(ARKIT_SHAPES)]
        opening = (blendshapes @ house_opening().to(difference) * 1000).unsqueeze(-1)
        terms["lips"] = LIP_WEIGHT * _mean(lips, lips.new_ones(1), inside)
        terms["opening"] = OPENING_WEIGHT * _mean(opening.square(), lips.new_ones(1), inside)
        terms["opening_velocity"] = OPENING_WEIGHT * _mean(
            opening.diff(dim=1).square(), lips.new_ones(1), pairs
        )
    return terms


def channel_weights(model: KMTalkModel) -> Float[Tensor, " inner"]:
    """The mouth above the rest in the house space, lip vertices double in meshes, mean 1;
    components by their variance.
    """
    config, basis = model.config, model.basis
    if basis.fitted:
        # Errors in components count by the variance that they stand for.
        share = basis.scale.square()
        if config.lips:
            vertices = torch.tensor(config.lips, device=share.device)
            axes = torch.arange(3, device=share.device)
            lips = (3 * vertices.unsqueeze(1) + axes).flatten()
            share = share * (1 + basis.axes[:, lips].square().sum(1))
        return share / share.mean().clamp(min=1e-12)
    weights = torch.ones(basis.width, device=basis.scale.device)
    if config.space == "arkit":
        weights[
            [index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("mouth", "jaw"))]
        ] = MOUTH_SHARE
    for vertex in config.lips:
        weights[3 * vertex : 3 * vertex + 3] = 2.0
    if config.space != "arkit":
        # A mesh's error is a distance: channels are weighted by their real size again.
        weights = weights * basis.scale.square()
    return (weights / weights.mean()).to(basis.scale)


def _valid(model: KMTalkModel, valid: Bool[Tensor, "batch dim"]) -> Float[Tensor, "batch 1 inner"]:
    """Mask of observed output channels; components count when all channels were observed."""
    inputs = (
        valid.all(1, keepdim=True).expand(-1, model.basis.width) if model.basis.fitted else valid
    )
    return inputs.unsqueeze(1).to(model.basis.scale)


def _mean(
    values: Float[Tensor, "batch frames inner"],
    weights: Tensor,
    inside: Bool[Tensor, "batch frames"],
) -> Tensor:
    total = weights * inside.unsqueeze(-1)  # (batch, frames, inner)
    return (values * total).sum() / total.expand_as(values).sum().clamp(min=1e-6)
