"""The published inference model, against tensors recorded from the authors' code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from motet.checkpoint import load_strict
from motet.methods.artalk.config import ArtalkCondition, ReleasedConfig
from motet.methods.artalk.postprocess import smooth
from motet.methods.artalk.published_method import PublishedMethod, run_official
from motet.methods.artalk.published_v1.generate import ReleasedGenerator
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.state_dict import from_official, released_to_official
from motet.types import Audio, frame_count
from tests.parity.artalk.conftest import SET, Reference, released_settings

STYLES = SET.names("released_io", r"gen\.(\w+)\.bits")
TEACHER_FORCED = SET.names("released_io", r"tf\.(\w+)\.logits")


def build(released: Reference, history: torch.Tensor | None = None) -> ReleasedModel:
    """The model of the set; with another position table it reads more past windows."""
    weights = dict(released.weights)
    if history is not None:
        weights["prev_pos_embed"] = history
        weights.pop("attn_bias_for_masking", None)  # is of the former number of windows
    imported = from_official([weights], released_settings(released))
    assert isinstance(imported.config.released, ReleasedConfig)
    assert (
        list(imported.config.released.codec.patches)
        == (released.facts["config"]["VAE_CONFIG"]["V_PATCH_NUMS"])
    )
    model = ReleasedModel(imported.config.released)
    load_strict(model, imported.tensors)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(released: Reference) -> ReleasedModel:
    return build(released)


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: dict) -> None:
    torch.testing.assert_close(
        found, wanted, rtol=tolerance["float_rel"], atol=tolerance["float_abs"]
    )


def sound(released: Reference) -> torch.Tensor:
    return released["audio_i16"].float()[None] / 32768


def window_samples(released: Reference) -> int:
    return released.facts["samples_per_window"]


def test_checkpoint_goes_there_and_back(released: Reference, model: ReleasedModel) -> None:
    back = released_to_official(model.state_dict(), model.config)
    assert set(released.weights) <= set(back)
    if SET.whole:
        assert set(back) == set(released.weights)
    for name, tensor in released.weights.items():
        if "original" not in name:
            assert torch.equal(back[name], tensor), name


def test_both_names_of_the_weight_norm_are_read(released: Reference) -> None:
    older = {
        n.replace(".parametrizations.weight.original0", ".weight_g").replace(
            ".parametrizations.weight.original1", ".weight_v"
        ): t
        for n, t in released.weights.items()
    }
    settings = released_settings(released)
    new, old = from_official([released.weights], settings), from_official([older], settings)
    assert new.tensors.keys() == old.tensors.keys()


def test_audio(released: Reference, model: ReleasedModel) -> None:
    from motet.encoders.wav2vec2 import standardise

    features = model.audio_encoder(standardise(sound(released)[:, : window_samples(released)]))
    released.close(features, "audio.feat")
    released.close(model.pool_audio(features), "audio.cond")


def test_codec(released: Reference, model: ReleasedModel) -> None:
    codec, quantizer = model.codec, model.codec.quantizer
    past, now = released["codec.prev_motion"], released["codec.this_motion"]
    frames, scales = codec.config.frames, len(codec.config.patches)
    both = codec.encode(torch.cat([past, now], 1))
    released.close_where_kept(both, "codec.enc_out")
    released.close_where_kept(codec.encode(past), "codec.enc_out_prev_only")
    released.same(codec.bits(past), "codec.prev_only_bits")
    before, present = quantizer.quantize(both[:, :frames]), quantizer.quantize(both[:, frames:])
    released.same(before.bits, "codec.prev_bits")
    released.same(present.bits, "codec.this_bits")
    released.close_where_kept(present.total, "codec.quantized_sum")
    released.close(present.losses, "codec.aux_losses")
    running = None
    for scale in range(scales):
        released.close_where_kept(present.pooled[scale], f"codec.scale{scale}.pooled_residual")
        released.close_where_kept(present.codes[scale], f"codec.scale{scale}.quantized")
        running, _ = quantizer.add_scale(running, scale, present.codes[scale])
        released.close_where_kept(running, f"codec.scale{scale}.accumulated")
        released.close_where_kept(present.losses[scale : scale + 1], f"codec.scale{scale}.aux_loss")
    codes = quantizer.codes_of(present.bits, both)
    released.close_where_kept(quantizer.total(codes), "codec.feat_from_bits")
    released.close_where_kept(quantizer.next_inputs(codes), "codec.ms_feat")
    for scale in range(scales - 1):
        released.close_where_kept(quantizer.next_inputs(codes, scale + 1), f"codec.ar_feat{scale}")
    decoded = codec.decode(torch.cat([before.total, present.total], 1))
    released.close(decoded[:, :frames], "codec.dec_prev")
    released.close(decoded[:, frames:], "codec.dec_this")
    released.close(
        codec.decode(torch.cat([before.total, present.total], 1), keep=frames), "codec.dec_this"
    )


def test_style(released: Reference, model: ReleasedModel) -> None:
    embedding = model.style_encoder(released["style.motion"])
    released.close(embedding, "style.embedding")
    released.close(model.style_entry(embedding).unsqueeze(1), "style.cond")
    released.close(model.style_token(released["style.motion"]), "style.cond_guided")


@pytest.mark.parametrize("style", TEACHER_FORCED)
def test_teacher_forcing(released: Reference, model: ReleasedModel, style: str) -> None:
    quantizer = model.quantizer
    token = model.style_token(None if style == "null" else released["style.motion"])
    codes = quantizer.codes_of(released["codec.this_bits"], token)
    past = model.window_tokens(token, quantizer.codes_of(released["codec.prev_only_bits"], token))
    if style == "null":
        released.close_where_kept(
            model.window_tokens(token, codes) + model.positions(), "tf.null.tokens"
        )
        released.close_where_kept(
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
            released.close_where_kept(out, f"tf.null.block{layer}")


def condition_of(
    released: Reference, tmp_path: Path, style: str, **options: object
) -> ArtalkCondition:
    path = ""
    if style == "style":
        path = str(tmp_path / "style.safetensors")
        save_file({"style": released["style.motion"][0].contiguous()}, path)
    return ArtalkCondition(style=path, jaw_only_opens=False, **options)


@pytest.mark.parametrize("style", STYLES)
def test_whole_recording(
    released: Reference, model: ReleasedModel, tmp_path: Path, style: str
) -> None:
    method = PublishedMethod(ReleasedGenerator(model))
    motion = run_official(
        method, sound(released)[0], condition_of(released, tmp_path, style)
    ).values[0]
    released.close(motion, f"gen.{style}.motion")
    released.close(smooth(motion), f"gen.{style}.smoothed")
    finished = run_official(method, sound(released)[0], ArtalkCondition(smooth=True))
    jaw = finished["jaw"]
    assert bool(jaw[..., 0].any())
    assert not bool(jaw[..., 1:].any())


@pytest.mark.parametrize("style", STYLES)
def test_codes_and_scores_of_every_window(
    released: Reference, model: ReleasedModel, style: str
) -> None:
    generator = ReleasedGenerator(model)
    history = generator.begin_with(
        model.style_token(None if style == "null" else released["style.motion"])
    )
    samples = torch.nn.functional.pad(
        sound(released)[0], (0, -sound(released).shape[1] % window_samples(released))
    )
    features = generator.encode_audio(samples.view(-1, window_samples(released)))
    for window, audio in enumerate(features):
        past = (history.codes > 0)[0]
        assert torch.equal(past, released[f"gen.{style}.prev_bits"][window].bool())
        bits, scores = model.generate(history.style, history.tokens, audio[None])
        assert torch.equal(bits[0], released[f"gen.{style}.bits"][window].bool())
        for name in ("final_logits", "first_scale_logits"):
            expected = released[f"gen.{style}.{name}"][window]
            close(scores.flatten(2)[0, : len(expected)], expected, released.tolerance)
        _, history = generator.generate_window(history, audio[None])


PLAIN = ArtalkCondition(jaw_only_opens=False)


def test_one_window(released: Reference, model: ReleasedModel) -> None:
    samples = sound(released)[0, : window_samples(released)]
    motion = run_official(PublishedMethod(ReleasedGenerator(model)), samples, PLAIN)
    released.close(motion.values[0], "gen.one_window.motion")


@pytest.mark.parametrize("name", SET.names("released_io", r"gen\.(short\d+)\.motion"))
def test_a_very_short_sound(released: Reference, model: ReleasedModel, name: str) -> None:
    method, samples = PublishedMethod(ReleasedGenerator(model)), int(name.removeprefix("short"))
    short = sound(released)[:, :samples]
    released.close(run_official(method, short[0], PLAIN).values[0], f"gen.{name}.motion")
    motion = method.run(Audio.mono(short, released.facts["sample_rate"]), PLAIN, (0,))
    assert motion.frames == frame_count(
        samples / released.facts["sample_rate"], released.facts["fps"]
    )


@pytest.mark.parametrize("name", SET.names("released_io", r"(prev\d+)\.motion"))
def test_more_past_windows(released: Reference, tmp_path: Path, name: str) -> None:
    model = build(released, released[f"{name}.prev_pos_embed"])
    assert model.config.history == int(name.removeprefix("prev"))
    method = PublishedMethod(ReleasedGenerator(model))
    condition = condition_of(released, tmp_path, "style")
    released.close(run_official(method, sound(released)[0], condition).values[0], f"{name}.motion")


@pytest.mark.parametrize("smoothed", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_stream_equals_whole(
    released: Reference, model: ReleasedModel, tmp_path: Path, style: str, smoothed: bool
) -> None:
    method = PublishedMethod(ReleasedGenerator(model), "official")
    samples, sizes = sound(released), released.facts["stream_feed_sizes_cycled"]
    state = method.begin(condition_of(released, tmp_path, style, smooth=smoothed), (0,))
    pieces, start, turn = [], 0, 0
    while start < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        motion, state = method.step(
            state, Audio.mono(samples[:, start : start + size], released.facts["sample_rate"])
        )
        pieces.append(motion.values[0])
        start, turn = start + size, turn + 1
    counts = [len(piece) for piece in pieces]
    end = method.finish(state).values[0]
    expected = released[f"stream.{style}.{'smoothed' if smoothed else 'frames'}_per_feed"].tolist()
    assert counts == expected[: len(counts)]
    assert len(end) == sum(expected[len(counts) :])
    released.close(torch.cat([*pieces, end]), f"gen.{style}.{'smoothed' if smoothed else 'motion'}")
