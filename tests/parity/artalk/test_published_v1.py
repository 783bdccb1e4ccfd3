"""The published inference model, against tensors recorded from the authors' code."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from motet.checkpoint import load_strict
from motet.methods.artalk.config import ArtalkCondition
from motet.methods.artalk.postprocess import smooth
from motet.methods.artalk.published_method import PublishedMethod, run_official
from motet.methods.artalk.published_v1.generate import ReleasedGenerator
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.state_dict import from_official, released_to_official
from motet.types import Audio
from tests.parity.artalk.conftest import Reference


def build(released: Reference, **changes: object) -> ReleasedModel:
    weights = dict(released.weights)
    if changes.get("history") == 2:
        weights["prev_pos_embed"] = released["prev2.prev_pos_embed"]
    config, tensors = from_official(weights)
    facts = released.facts["wav2vec2_config"]
    part = dataclasses.replace(
        config.released,
        audio=dataclasses.replace(config.released.audio, heads=facts["num_attention_heads"]),
        codec=dataclasses.replace(
            config.released.codec, heads=released.facts["config"]["VAE_CONFIG"]["T_NUM_HEADS"]
        ),
    )
    model = ReleasedModel(part)
    load_strict(model, tensors)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(released: Reference) -> ReleasedModel:
    return build(released)


def sound(released: Reference) -> torch.Tensor:
    return released["audio_i16"].float()[None] / 32768


def test_checkpoint_goes_there_and_back(released: Reference, model: ReleasedModel) -> None:
    back = released_to_official(model.state_dict(), model.config)
    assert set(back) - set(released.weights) <= {
        "attn_bias_for_masking",
        "basic_vae.attn_mask",
    }, "buffers that the compact set leaves out"
    assert set(released.weights) <= set(back)
    for name, tensor in back.items():
        if "original" not in name and name in released.weights:
            assert torch.equal(tensor, released.weights[name]), name
    old = {
        n.replace(".parametrizations.weight.original0", ".weight_g").replace(
            ".parametrizations.weight.original1", ".weight_v"
        ): t
        for n, t in released.weights.items()
    }
    assert from_official(old)[1].keys() == from_official(released.weights)[1].keys()


def test_audio(released: Reference, model: ReleasedModel) -> None:
    from motet.encoders.wav2vec2 import standardise

    features = model.audio_encoder(standardise(sound(released)[:, :64000]))
    released.close(features, "audio.feat")
    released.close(model.pool_audio(features), "audio.cond")


def test_codec(released: Reference, model: ReleasedModel) -> None:
    codec, quantizer = model.codec, model.codec.quantizer
    past, now = released["codec.prev_motion"], released["codec.this_motion"]
    both = codec.encode(torch.cat([past, now], 1))
    released.close(both, "codec.enc_out")
    released.close(codec.encode(past), "codec.enc_out_prev_only")
    released.same(codec.bits(past), "codec.prev_only_bits")
    before, present = quantizer.quantize(both[:, :100]), quantizer.quantize(both[:, 100:])
    released.same(before.bits, "codec.prev_bits")
    released.same(present.bits, "codec.this_bits")
    released.close(present.total, "codec.quantized_sum")
    released.close(present.losses, "codec.aux_losses")
    running = None
    for scale in range(5):
        released.close(present.pooled[scale], f"codec.scale{scale}.pooled_residual")
        released.close(present.codes[scale], f"codec.scale{scale}.quantized")
        running, _ = quantizer.add_scale(running, scale, present.codes[scale])
        released.close(running, f"codec.scale{scale}.accumulated")
        released.close(present.losses[scale : scale + 1], f"codec.scale{scale}.aux_loss")
    codes = quantizer.codes_of(present.bits, both)
    released.close(quantizer.total(codes), "codec.feat_from_bits")
    released.close(quantizer.next_inputs(codes), "codec.ms_feat")
    for scale in range(4):
        released.close(quantizer.next_inputs(codes, scale + 1), f"codec.ar_feat{scale}")
    decoded = codec.decode(torch.cat([before.total, present.total], 1))
    released.close(decoded[:, :100], "codec.dec_prev")
    released.close(decoded[:, 100:], "codec.dec_this")
    released.close(
        codec.decode(torch.cat([before.total, present.total], 1), keep=100), "codec.dec_this"
    )


def test_style(released: Reference, model: ReleasedModel) -> None:
    embedding = model.style_encoder(released["style.motion"])
    released.close(embedding, "style.embedding")
    released.close(model.style_entry(embedding).unsqueeze(1), "style.cond")
    released.close(model.style_token(released["style.motion"]), "style.cond_guided")


@pytest.mark.parametrize("style", ["null", "style"])
def test_teacher_forcing(released: Reference, model: ReleasedModel, style: str) -> None:
    quantizer = model.quantizer
    token = model.style_token(None if style == "null" else released["style.motion"])
    codes = quantizer.codes_of(released["codec.this_bits"], token)
    past = model.window_tokens(token, quantizer.codes_of(released["codec.prev_only_bits"], token))
    if style == "null":
        released.close(model.window_tokens(token, codes) + model.positions(), "tf.null.tokens")
        released.close(
            past + model.history_position + model.level(model.levels), "tf.null.prev_tokens"
        )
    seen: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _m, _i, out: seen.append(out)) for layer in model.layers
    ]
    logits = model.logits(
        codes, token, model.history(past), model.modulations(released["audio.cond"])
    )
    for hook in hooks:
        hook.remove()
    released.close(logits.flatten(2), f"tf.{style}.logits")
    if style == "null":
        for layer, out in enumerate(seen):
            released.close(out, f"tf.null.block{layer}")


def condition_of(
    released: Reference, tmp_path: Path, style: str, **options: object
) -> ArtalkCondition:
    path = ""
    if style == "style":
        path = str(tmp_path / "style.safetensors")
        save_file({"style": released["style.motion"][0].contiguous()}, path)
    return ArtalkCondition(style=path, jaw_only_opens=False, **options)


@pytest.mark.parametrize("style", ["null", "style"])
def test_whole_recording(
    released: Reference, model: ReleasedModel, tmp_path: Path, style: str
) -> None:
    method = PublishedMethod(ReleasedGenerator(model))
    motion = run_official(
        method, sound(released)[0], condition_of(released, tmp_path, style)
    ).values[0]
    released.close(motion, f"gen.{style}.motion")
    released.close(smooth(motion), f"gen.{style}.smoothed")
    finished = run_official(method, sound(released)[0], ArtalkCondition(smooth=True)).values[0]
    assert not bool(finished[:, 104:].any())


@pytest.mark.parametrize("style", ["null", "style"])
def test_codes_and_scores_of_every_window(
    released: Reference, model: ReleasedModel, style: str
) -> None:
    generator = ReleasedGenerator(model)
    history = generator.begin_with(
        model.style_token(None if style == "null" else released["style.motion"])
    )
    samples = torch.nn.functional.pad(sound(released)[0], (0, -sound(released).shape[1] % 64000))
    heard = generator.encode_audio(samples.view(-1, 64000))
    for window, audio in enumerate(heard):
        past = (history.codes > 0)[0]
        assert torch.equal(past, released[f"gen.{style}.prev_bits"][window].bool())
        bits, scores = model.generate(history.style, history.tokens, audio[None])
        assert torch.equal(bits[0], released[f"gen.{style}.bits"][window].bool())
        torch.testing.assert_close(
            scores.flatten(2)[0],
            released[f"gen.{style}.final_logits"][window],
            rtol=1e-4,
            atol=1e-4,
        )
        torch.testing.assert_close(
            scores.flatten(2)[0, :1],
            released[f"gen.{style}.first_scale_logits"][window],
            rtol=1e-4,
            atol=1e-4,
        )
        _, history = generator.generate_window(history, audio[None])


def test_one_window_and_a_very_short_sound(released: Reference, model: ReleasedModel) -> None:
    method = PublishedMethod(ReleasedGenerator(model))
    plain = ArtalkCondition(jaw_only_opens=False)
    released.close(
        run_official(method, sound(released)[0, :64000], plain).values[0], "gen.one_window.motion"
    )
    released.close(
        run_official(method, sound(released)[0, :4480], plain).values[0], "gen.short4480.motion"
    )
    assert method.run(Audio.mono(sound(released)[:, :4480], 16000), plain, (0,)).frames == 7


def test_two_past_windows(released: Reference, tmp_path: Path) -> None:
    method = PublishedMethod(ReleasedGenerator(build(released, history=2)))
    released.close(
        run_official(method, sound(released)[0], condition_of(released, tmp_path, "style")).values[
            0
        ],
        "prev2.motion",
    )


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("style", ["null", "style"])
def test_stream_equals_whole(
    released: Reference, model: ReleasedModel, tmp_path: Path, style: str, smoothed: bool
) -> None:
    method = PublishedMethod(ReleasedGenerator(model), "official")
    samples, sizes = sound(released), released.facts["stream_feed_sizes_cycled"]
    state = method.begin(condition_of(released, tmp_path, style, smooth=smoothed), (0,))
    pieces, start, turn = [], 0, 0
    while start < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        motion, state = method.step(state, Audio.mono(samples[:, start : start + size], 16000))
        pieces.append(motion.values[0])
        start, turn = start + size, turn + 1
    counts = [len(piece) for piece in pieces]
    end = method.finish(state).values[0]
    wanted = released[f"stream.{style}.{'smoothed' if smoothed else 'frames'}_per_feed"].tolist()
    assert counts == wanted[: len(counts)]
    assert len(end) == sum(wanted[len(counts) :])
    released.close(torch.cat([*pieces, end]), f"gen.{style}.{'smoothed' if smoothed else 'motion'}")
