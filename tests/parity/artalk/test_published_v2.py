"""The published training code, against tensors recorded from it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.checkpoint import load_strict
from motet.encoders.wav2vec2 import Wav2Vec2, standardise
from motet.methods.artalk.official_sizes import audio_sizes
from motet.methods.artalk.published_method import PublishedMethod, training_frame_count
from motet.methods.artalk.published_v2.generate import TrainingGenerator
from motet.methods.artalk.published_v2.loss import generator_loss, targets
from motet.methods.artalk.published_v2.model import Conditions, TrainingModel
from motet.methods.artalk.published_v2.positions import token_positions, visible_prefix
from motet.methods.artalk.spaces import FPS, SAMPLE_RATE
from motet.methods.artalk.state_dict import audio_encoder_from_official, training_to_official
from tests.parity.artalk.conftest import SET, Reference, official, training_model


@pytest.fixture(scope="module")
def model(training: Reference) -> TrainingModel:
    return training_model(training)


@pytest.fixture(scope="module")
def audio_encoder(training: Reference, released: Reference) -> Wav2Vec2:
    """The encoder is stored with the released weights."""
    tensors = audio_encoder_from_official([released.weights])
    sizes = audio_sizes(tensors) | {
        "heads": training.facts["wav2vec2_config"]["num_attention_heads"]
    }
    encoder = Wav2Vec2(**sizes)
    load_strict(encoder, tensors)
    return encoder.eval().requires_grad_(False)


def test_options_become_settings(training: Reference, model: TrainingModel) -> None:
    options, config = training.facts["config"], model.config
    assert list(config.codec.patches) == options["VAE_CONFIG"]["V_PATCH_NUMS"]
    assert (config.heads, config.codec.heads) == (
        options["T_NUM_HEAD"],
        options["VAE_CONFIG"]["T_NUM_HEADS"],
    )
    assert (config.width, config.depth) == (options["T_EMBED_DIM"], options["T_DEPTH"])
    assert config.codec.motion_dim == options["VAE_CONFIG"]["MOTION_DIM"]


def test_checkpoint_goes_there_and_back(training: Reference, model: TrainingModel) -> None:
    back = training_to_official(model.state_dict())
    assert {n: t.shape for n, t in back.items()} == {
        n: t.shape for n, t in official(training).items()
    }


def test_codec(training: Reference, model: TrainingModel) -> None:
    codec, quantizer = model.codec, model.quantizer
    features = codec.encode(training["codec.motion"])
    training.close(features, "codec.enc_out")
    found = quantizer.quantize(features)
    training.same(found.bits, "codec.bits")
    training.close(found.total, "codec.quantized_sum")
    training.close(found.losses, "codec.aux_losses")
    training.close(codec.decode(found.total), "codec.decoded")
    codes = quantizer.codes_of(found.bits, features)
    training.close(quantizer.next_inputs(codes), "codec.accum_next")
    for scale in range(len(codec.config.patches) - 1):
        training.close(quantizer.next_inputs(codes, scale + 1), f"codec.accum_next_p{scale}")
    long = training["codec.long_motion"][0]
    frames = codec.config.frames
    windows = torch.nn.functional.pad(long, (0, 0, 0, -len(long) % frames)).unflatten(
        0, (-1, frames)
    )
    again = codec.decode(quantizer.total(quantizer.signs(codec.encode(windows))[1]))
    training.close(again.flatten(0, 1)[None, : len(long)], "codec.long_recon")


def test_positions(training: Reference, model: TrainingModel) -> None:
    training.same(token_positions(model.config.codec.patches, 2), "gen.rope_pos_2cond")
    training.same(visible_prefix(model.config.codec.patches, 2), "gen.visible_prefix_len_2cond")


def batch_of(training: Reference, audio_encoder: Wav2Vec2) -> dict[str, torch.Tensor]:
    features = audio_encoder(standardise(training["train.audio_i16"].float() / 32768))
    keys = {
        "motion": "train.motion_code",
        "past": "train.prev_motion_code",
        "style": "train.style_motion_code",
    }
    return {"audio": features, **{key: training[name] for key, name in keys.items()}}


def test_teacher_forcing(
    training: Reference, model: TrainingModel, audio_encoder: Wav2Vec2
) -> None:
    batch = batch_of(training, audio_encoder)
    training.close(batch["audio"][:1], "tf.audio_feat")
    bits, codes = model.quantizer.signs(model.codec.encode(batch["motion"]))
    scores = model.logits(
        Conditions(model.clip_code(batch["style"]), model.clip_code(batch["past"]), batch["audio"]),
        codes,
    )
    training.same(bits, "tf.target_bits")
    training.close(scores.flatten(2), "tf.logits")
    training.close(targets(scores, bits).view(1), "tf.ce_loss")


def test_training_step_and_gradients(
    training: Reference, model: TrainingModel, audio_encoder: Wav2Vec2
) -> None:
    percent = training["train.flip_percent"]
    flips = [training[f"train.flip_u{i}"] < percent[i] / 100 for i in range(len(percent))]
    config = training.facts["config"]
    drops = {
        k: training[f"train.mask_{k}_u"] < config[n]
        for k, n in (("audio", "AUDIO_FREE"), ("style", "STYLE_FREE"), ("prev", "PREV_FREE"))
    }
    step = generator_loss(
        model,
        batch_of(training, audio_encoder),
        flips,
        drops["audio"],
        drops["style"],
        drops["prev"],
    )
    training.same(step.bits, "train.target_bits")
    training.close(step.scores.flatten(2), "train.logits")
    training.close(step.loss.view(1), "train.ce_loss")
    model.zero_grad()
    step.loss.backward()
    gradients = training_to_official(
        {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    )
    expected = [
        key.removeprefix("train.grad.") for key in training.io if key.startswith("train.grad.")
    ]
    assert expected
    for name in expected:
        training.close(gradients[name], f"train.grad.{name}", 1e-3)
        scale = training[f"train.grad.{name}"].abs().max()
        assert (gradients[name] - training[f"train.grad.{name}"]).abs().max() <= 1e-3 * scale, name


@pytest.mark.parametrize("name", SET.cases("training", "generation_runs"))
def test_sampled_windows(
    training: Reference, model: TrainingModel, audio_encoder: Wav2Vec2, name: str
) -> None:
    run = training.facts["generation_runs"][name]
    generator = TrainingGenerator(model, audio_encoder)
    style = training[run["style_motion_code"]] if "style_motion_code" in run else None
    past = training[run["prev_motion_code"]] if "prev_motion_code" in run else None
    samples = training["gen.audio_i16"].float() / 32768
    size, codec = training.facts["samples_per_window"], model.config.codec
    assert size == codec.frames * SAMPLE_RATE / FPS
    windows = torch.nn.functional.pad(samples, (0, -len(samples) % size)).view(-1, size)
    shape = (len(windows), codec.tokens, codec.bits)
    uniforms = training[f"gen.{name}.uniforms"].view(shape)
    zeros = training[f"gen.{name}.prob_of_zero_bit"].view(shape)
    history = generator.begin_with(style, past, run["cfg"], run["tau"])
    pieces = []
    with torch.no_grad():
        for window, audio in enumerate(generator.encode_audio(windows)):
            sampled = generator.sample(history, audio[None], uniforms[window][None])
            torch.testing.assert_close(sampled.zero[0], zeros[window], rtol=1e-4, atol=1e-4)
            assert torch.equal(sampled.bits[0], training[f"gen.{name}.bits"][window].bool())
            if window == 0 and f"gen.{name}.guided_logits_window0" in training.io:
                training.close(sampled.scores[0], f"gen.{name}.guided_logits_window0")
            history = dataclasses.replace(history, past=sampled.motion, first=False)
            pieces.append(sampled.motion[0])
    motion = torch.cat(pieces)[: training_frame_count(len(samples))]
    if f"gen.{name}.motion" in training.io:
        training.close(motion, f"gen.{name}.motion")
    assert PublishedMethod(generator).space.dim == codec.motion_dim
