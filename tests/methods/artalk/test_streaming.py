"""The streaming model: cached equals plain, seams, dials, styles."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.artalk_plain import stream_plain
from motet import methods
from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import AssetError, ConfigError
from motet.method_options import check_condition, condition_from
from motet.methods.artalk.config import PRESETS, ArtalkCondition, ArtalkConfig, StreamingConfig
from motet.methods.artalk.generate import build
from motet.methods.artalk.loss import stages
from motet.methods.artalk.streaming.audio_mixer import known_mask
from motet.methods.artalk.streaming.bit_decoding import draw_bits
from motet.methods.artalk.streaming.generate import ArtalkStreaming
from motet.methods.artalk.streaming.model import StreamingModel
from motet.options import Guidance
from motet.types import Audio, arkit_space

TINY = PRESETS["tiny"].streaming


def model_of(config: StreamingConfig = TINY) -> StreamingModel:
    torch.manual_seed(1)
    model = StreamingModel(config).eval().requires_grad_(False)
    for parameter in (model.head.weight, model.modulation.weight, model.style_entry.weight):
        parameter.mul_(20)
    return model


def method_of(config: StreamingConfig = TINY) -> ArtalkStreaming:
    method = build(ArtalkConfig("streaming", streaming=config), None, {})
    assert isinstance(method, ArtalkStreaming)
    torch.manual_seed(2)
    method.model.codec.motion_std.fill_(0.2)
    method.model.codec.motion_mean.fill_(0.3)
    method.model.codec.decoder.exit.weight.normal_()
    return method


def sound(seconds: float) -> Audio:
    return Audio.mono(
        0.2 * torch.randn(1, round(16000 * seconds), generator=torch.Generator().manual_seed(0)),
        16000,
    )


@pytest.mark.parametrize("soft", [True, False])
def test_caching_changes_nothing(soft: bool) -> None:
    model = model_of()
    noise = torch.Generator().manual_seed(3)
    motion = torch.randn(2, TINY.history * TINY.codec.frames, 55, generator=noise)
    features = torch.randn(2, TINY.audio_steps, TINY.audio_dim, generator=noise)
    audio = model.audio(
        features, known_mask(TINY.audio_steps, torch.tensor([0, 3]), torch.tensor([20, 24]))
    )
    past = model.past(
        motion, model.past_total(motion[:, -TINY.codec.frames :]), torch.tensor([False, True])
    )
    style = torch.randn(2, TINY.style_width, generator=noise)

    def decide(odds: torch.Tensor, own: slice) -> torch.Tensor:
        return torch.tanh(odds / 2) if soft else odds.sign()

    codes, total = model.generate(style, past, audio, decide)
    plain = stream_plain(model, style, past, audio, decide)
    torch.testing.assert_close(codes, plain, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(total, model.quantizer.total(plain), rtol=1e-4, atol=1e-5)


def test_what_lies_beyond_hearing_has_no_influence() -> None:
    model = model_of()
    features = torch.randn(1, TINY.audio_steps, TINY.audio_dim)
    other = features.clone()
    other[:, 20:] = 7.0
    mask = known_mask(TINY.audio_steps, torch.tensor([0]), torch.tensor([20]))
    assert torch.equal(model.audio(features, mask), model.audio(other, mask))


def test_a_committed_seam_has_no_jump() -> None:
    method = method_of()
    model, frames = method.model, TINY.codec.frames
    noise = torch.Generator().manual_seed(4)
    past = 0.3 + 0.05 * torch.randn(1, frames, 55, generator=noise).cumsum(1)
    total = torch.randn(1, frames, TINY.codec.bits, generator=noise)
    before = model.past_total(past)
    joined = model.decode(past, before, total, fresh=torch.tensor(False))
    plain = model.codec.decode(torch.cat([before, total], 1))
    step, own = joined[:, 0] - past[:, -1], plain[:, frames] - plain[:, frames - 1]
    jump = plain[:, frames] - past[:, -1]
    assert (step - own).abs().mean() < 0.5 * (jump - own).abs().mean()


@pytest.mark.parametrize("commit", [1, 3, 8])
@pytest.mark.parametrize("look_ahead", [0, 5])
def test_dials_keep_the_length_and_the_cutting_law(commit: int, look_ahead: int) -> None:
    method, audio = method_of(), sound(1.3)
    condition = ArtalkCondition(commit=commit, look_ahead=look_ahead)
    whole = method.run(audio, condition, (0,))
    assert whole.frames == 33
    state, pieces = method.begin(condition, (0,)), []
    for start in range(0, audio.samples.shape[-1], 1777):
        motion, state = method.step(state, audio.slice(start, start + 1777))
        pieces.append(motion.values)
    assert torch.equal(torch.cat([*pieces, method.finish(state).values], 1), whole.values)
    weights = whole["blendshapes"]
    assert float(weights.min()) >= 0
    assert float(weights.max()) <= 1


def test_latency_is_what_the_dials_say() -> None:
    method = method_of()
    state = method.begin(ArtalkCondition(commit=4, look_ahead=3), (0,))
    first, state = method.step(state, sound((2 * 4 + 3) * 0.02 - 0.001))
    assert first.frames == 0
    second, _ = method.step(state, sound(0.002))
    assert second.frames == 4


@pytest.mark.parametrize("bad", [{"commit": 9}, {"look_ahead": 99}, {"style": "no such style"}])
def test_impossible_conditions_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        method_of().begin(ArtalkCondition(**bad), (0,))


def test_seeds_move_only_drawn_bits() -> None:
    method, audio = method_of(), sound(0.9)
    calm = [
        method.run(audio, ArtalkCondition(decode="expected"), (seed,)).values for seed in (1, 2)
    ]
    assert torch.equal(*calm)
    lively = [
        method.run(audio, ArtalkCondition(decode="sample"), (seed,)).values for seed in (1, 2)
    ]
    assert not torch.equal(*lively)


def test_drawn_bits_follow_their_chances() -> None:
    odds = torch.tensor([[[-8.0, 0.0, 8.0]]]).expand(1, 4000, 3)
    bits = draw_bits(odds, torch.rand(1, 4000, 3, generator=torch.Generator().manual_seed(0)), 0.97)
    assert bits[..., 0].max() == -1
    assert bits[..., 2].min() == 1
    assert abs(float(bits[..., 1].mean())) < 0.1


def test_a_take_serves_as_style(tmp_path: Path) -> None:
    space, path = arkit_space(), tmp_path / "style.npz"
    np.savez(
        path, blendshapes=np.full((40, 52), 0.5, np.float32), head=np.zeros((40, 3), np.float32)
    )
    method, audio = method_of(), sound(0.9)
    method.model.style_entry.weight.normal_()
    method.model.style_steer.weight.normal_()
    plain, styled = (
        method.run(audio, ArtalkCondition(style=style, decode="sample"), (0,)).values
        for style in ("", str(path))
    )
    ignored = method.run(
        audio, ArtalkCondition(style=str(path), guidance_style=0.0, decode="sample"), (0,)
    ).values
    assert not torch.equal(plain, styled)
    assert torch.equal(plain, ignored)
    assert space.dim == styled.shape[-1]
    path.write_bytes(b"not an archive")
    with pytest.raises(AssetError, match="cannot be read"):
        method.begin(ArtalkCondition(style=str(path)), (0,))
    with pytest.raises(AssetError, match="does not exist"):
        method.begin(ArtalkCondition(style=str(tmp_path / "none.npz")), (0,))


def test_guidance_style_and_its_earlier_name_are_one_option() -> None:
    spec = methods.find_methods()["artalk"]
    by_guidance = Guidance(style=2.0).options()
    assert by_guidance == {"guidance_style": 2.0}
    new, old = (
        condition_from(spec, {"style": "warm", **strength})
        for strength in (by_guidance, {"style_strength": 2.0})
    )
    assert new == old == ArtalkCondition(style="warm", guidance_style=2.0)
    check_condition(new, PRESETS["default"])


def test_padding_a_style_clip_does_not_change_it() -> None:
    model = model_of()
    clip = torch.randn(1, 20, 55)
    mask = torch.arange(30).unsqueeze(0) < 20
    padded = torch.nn.functional.pad(clip, (0, 0, 0, 10), value=9.0)
    torch.testing.assert_close(model.style(padded, mask), model.style(clip), rtol=1e-4, atol=1e-5)


def test_named_styles_are_kept_in_the_weights() -> None:
    config = ArtalkConfig(
        "streaming", streaming=dataclasses.replace(TINY, styles=("calm", "never seen"))
    )
    noise = torch.Generator().manual_seed(0)
    items = [
        TrainingItem(
            torch.rand(160, 55, generator=noise),
            torch.zeros(320, 8),
            torch.ones(55, dtype=torch.bool),
            style="calm",
        )
    ]
    corpus = TrainingSet(arkit_space(), items)
    stage = stages(config)[-1]
    stage.model.eval()
    with torch.no_grad():
        stage.complete(corpus)
    method = build(config, stage.model.state_dict(), {})
    bank = method.model.style_bank
    assert not torch.equal(bank[0], bank[1])
    assert torch.equal(bank[1], method.model.null_style[0])
    method.begin(ArtalkCondition(style="calm"), (0,))


def test_unobserved_channels_teach_nothing() -> None:
    stage = stages(PRESETS["tiny"])[-1]
    noise = torch.Generator().manual_seed(0)
    valid = torch.arange(55) < 30
    motion, features = torch.rand(80, 55, generator=noise), torch.randn(160, 8, generator=noise)
    other = torch.where(valid, motion, torch.rand(80, 55, generator=noise))
    losses = []
    for values in (motion, other):
        corpus = TrainingSet(
            arkit_space(),
            [TrainingItem(values, features, valid)],
            mean=torch.full((55,), 0.5),
            std=torch.full((55,), 0.3),
        )
        batch = stage.batch(corpus, 3, torch.Generator().manual_seed(1))
        losses.append(
            {
                name: float(term.detach())
                for name, term in stage.loss(batch, torch.Generator().manual_seed(2)).items()
            }
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def offline_model() -> StreamingConfig:
    """A tiny generator on the encoder with a mouth."""
    return dataclasses.replace(TINY, front_end="lips", audio_dim=399)


def test_modes_run_equals_live_and_offline_differs() -> None:
    method, audio = method_of(offline_model()), sound(3.0)

    def run(mode: str, pieces: int) -> torch.Tensor:
        state, motion = (
            method.begin(
                condition_from(methods.find_methods()["artalk"], {"mode": mode, "closures": False}),
                (0,),
            ),
            [],
        )
        for piece in audio.samples.chunk(pieces, -1):
            out, state = method.step(state, Audio(piece, 16000))
            motion.append(out.values)
        return torch.cat([*motion, method.finish(state).values], 1)

    for mode in ("offline", "stream"):
        assert torch.allclose(run(mode, 1), run(mode, 37), atol=1e-5)
    assert torch.equal(run("auto", 1), run("offline", 1))
    assert run("stream", 1).shape == (1, 75, 55)
    assert not torch.allclose(run("stream", 1), run("offline", 1), atol=1e-3)


def test_a_stream_emits_early_and_other_encoders_refuse_modes() -> None:
    method = method_of(offline_model())
    condition = condition_from(
        methods.find_methods()["artalk"], {"mode": "stream", "closures": False}
    )
    state = method.begin(condition, (0,))
    out, _ = method.step(state, sound(0.6))
    assert out.frames >= 3
    with pytest.raises(ConfigError, match="always streams"):
        check_condition(ArtalkCondition(mode="stream"), PRESETS["tiny"])
