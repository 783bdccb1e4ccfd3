"""Pieces both generations share: resampling, smoothing, metrics, frame counts, MIMI, the figure and
the codec's training terms."""

from __future__ import annotations

import pytest
import torch

from motet.audio.sinc_resample import resample_sinc
from motet.encoders.mimi import MimiConfig, mimi_from_official
from motet.face.operator import NO_CUES
from motet.methods.artalk.postprocess import SavitzkyGolay, smooth, smooth_wide
from motet.methods.artalk.published_method import released_frame_count, training_frame_count
from motet.methods.artalk.published_v2.loss import codec_loss, mesh_terms
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.spaces import SAMPLE_RATE, released_space
from motet.methods.artalk.state_dict import training_to_official
from motet.metrics.mesh import evaluate
from motet.rigs.flame import Flame, artalk_vertices, flame_from_tables
from tests.parity.artalk.conftest import SET, Reference, training_model


@pytest.mark.parametrize("rate", SET.names("common_io", r"resample\.(\d+)\.in_i16"))
def test_resampling(pieces: Reference, rate: str) -> None:
    samples = pieces[f"resample.{rate}.in_i16"].float() / 32768
    pieces.close(
        resample_sinc(samples, int(rate), SAMPLE_RATE).mean(0), f"resample.{rate}.out", 1e-5
    )


@pytest.mark.parametrize("rates", SET.names("common_io", r"resample\.(\d+_to_\d+)\.in"))
def test_resampling_for_mimi(pieces: Reference, rates: str) -> None:
    source, target = map(int, rates.split("_to_"))
    found = resample_sinc(pieces[f"resample.{rates}.in"], source, target, torch.float32)
    pieces.close(found, f"resample.{rates}.out", 1e-5)


@pytest.mark.parametrize("case", SET.names("common_io", r"savgol\.(\d+)\.in"))
def test_smoothing(pieces: Reference, case: str) -> None:
    raw = pieces[f"savgol.{case}.in"]  # (frames, dim)
    pieces.close(smooth(raw), f"savgol.{case}.out", 1e-5)
    head = released_space(raw.shape[1]).range("head")
    operator, parts = SavitzkyGolay(head, raw.shape[1]), []
    state = operator.begin(1)
    for piece in raw.split(4):
        part, state = operator.step(piece[None], state, NO_CUES)
        parts.append(part)
    assert torch.equal(torch.cat([*parts, *operator.finish(state)], 1)[0], smooth(raw))


def test_wide_smoothing(pieces: Reference) -> None:
    pieces.close(smooth_wide(pieces["savgol9_3.in"]), "savgol9_3.out")


def test_frame_counts(pieces: Reference) -> None:
    for samples, frames in pieces.facts["frame_counts_released"].items():
        assert released_frame_count(int(samples)) == frames
    for samples, frames in pieces.facts["frame_counts_training_code"].items():
        assert training_frame_count(int(samples)) == frames


def test_metrics(pieces: Reference) -> None:
    expected, found = (
        pieces["metrics.gt_verts_f16"].float(),
        pieces["metrics.pred_verts_f16"].float(),
    )
    lips, upper = pieces.facts["lip_indices"], pieces.facts["upper_indices"]
    scores, losses = evaluate(found[0], expected[0], lips, upper), mesh_terms(found, expected, lips)
    values = {**scores, "mesh_loss": float(losses["mesh"]), "lips_loss": float(losses["lips"])}
    pieces.close(
        torch.tensor([values[name] for name in pieces.facts["metrics_value_names"]]),
        "metrics.values",
    )


def test_mimi(pieces: Reference) -> None:
    samples, facts = pieces["mimi.audio"][None], pieces.facts["mimi_config"]
    config = MimiConfig(
        hidden=facts["hidden_size"],
        filters=facts["num_filters"],
        ratios=tuple(reversed(facts["upsampling_ratios"])),
        layers=facts["num_hidden_layers"],
        heads=facts["num_attention_heads"],
        inner=facts["intermediate_size"],
        code_width=facts["codebook_dim"],
        code_entries=facts["codebook_size"],
        quantizers=facts["num_quantizers"],
    )
    mimi = mimi_from_official(pieces.weights.under("mimi."), config)
    features, codes = mimi.released_features(samples)
    pieces.same(codes, "mimi.released_codes")
    pieces.close(features, "mimi.released_feat")
    for latent in SET.names("common_io", r"mimi\.training_feat_(\w+)"):
        pieces.close(mimi.training_features(samples, latent), f"mimi.training_feat_{latent}")


@pytest.fixture(scope="module")
def flame(training: Reference) -> Flame:
    assert training.weights["flame.f"].shape[1] == 3
    return flame_from_tables(training.weights.under("flame."))


@pytest.fixture(scope="module")
def model(training: Reference) -> TrainingModel:
    return training_model(training)


def test_figure(training: Reference, flame: Flame) -> None:
    shape = training["flame106.shape"]
    training.close(
        artalk_vertices(flame, training["flame106.motion"], shape), "flame106.verts_global"
    )
    training.close(
        artalk_vertices(flame, training["flame106.motion"], shape, head=False),
        "flame106.verts_no_global",
    )
    clip = training["train.motion_code"]
    for key, head in (("codec_train.gt_verts", False), ("codec_train.gt_verts_headpose", True)):
        training.close(artalk_vertices(flame, clip[0, : len(training[key])], head=head), key)


NAMES = {
    "quantiser": "vq",
    "all": "exp",
    "pose": "pose",
    "pose_velocity": "head_vel",
    "pose_smoothness": "head_smooth",
    "mesh": "mesh",
    "lips": "lips",
    "mesh_velocity": "mesh_vel",
    "mesh_smoothness": "mesh_smooth",
}


@pytest.mark.parametrize("which", SET.names("training_io", r"codec_train\.grad_(\w+?)_losses\..+"))
def test_codec_training(
    training: Reference, flame: Flame, model: TrainingModel, which: str
) -> None:
    lips = training.facts["lip_indices_of_mini_flame"]
    motion = training["train.motion_code"]
    geometry = lambda values: artalk_vertices(flame, values, head=False)  # noqa: E731
    terms = codec_loss(model.codec, motion, geometry if which == "all" else None, lips)
    for name, term in terms.items():
        training.close(term.view(1), f"codec_train.{NAMES[name]}_loss", 1e-3)
    model.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    gradients = training_to_official(
        {
            f"codec.{name}": p.grad
            for name, p in model.codec.named_parameters()
            if p.grad is not None
        }
    )
    expected = [key for key in training.io if key.startswith(f"codec_train.grad_{which}_losses.")]
    assert expected
    for key in expected:
        found = gradients[f"base_codec.{key.removeprefix(f'codec_train.grad_{which}_losses.')}"]
        assert (found - training[key]).abs().max() <= 1e-3 * training[key].abs().max(), key
