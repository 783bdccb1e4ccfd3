"""The released generation at a small random size: cached equals plain, batches, sessions, the
training generation's contract."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.artalk import hear_plain, measure, measure_rounded, random_model
from benchmarks.artalk_plain import say_plain
from motet.checkpoint import load_strict
from motet.errors import CheckpointError, ConfigError
from motet.methods.artalk.config import (
    PRESETS,
    ArtalkCondition,
    ArtalkConfig,
    CodecConfig,
    ReleasedConfig,
    TrainingConfig,
    Wav2Vec2Config,
)
from motet.methods.artalk.generate import build
from motet.methods.artalk.loss import stages
from motet.methods.artalk.published_method import PublishedMethod
from motet.methods.artalk.published_v1.generate import ReleasedGenerator
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.published_v2.generate import TrainingGenerator
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.spaces import released_space, training_space
from motet.methods.artalk.state_dict import from_official
from motet.methods.artalk.style import read_style
from motet.types import Audio

AUDIO = Wav2Vec2Config(32, 2, 2, 64, (16,) * 7, 16, 4)
SMALL = ReleasedConfig(
    CodecConfig(106, 12, 32, 2, 4),
    AUDIO,
    width=48,
    depth=3,
    heads=4,
    style_width=32,
    style_depth=2,
    style_inner=64,
)
BASE = TrainingConfig()
SMALL_TRAINING = TrainingConfig(
    dataclasses.replace(BASE.codec, bits=8, hidden=32, depth=1, heads=4),
    AUDIO,
    32,
    width=48,
    depth=2,
    heads=4,
)


@pytest.fixture(scope="module")
def model() -> ReleasedModel:
    torch.manual_seed(0)
    return ReleasedModel(SMALL).eval().requires_grad_(False)


def voice(batch: int, samples: int) -> Audio:
    return Audio.mono(
        0.1 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(0)), 16000
    )


def test_caching_changes_no_bit(model: ReleasedModel) -> None:
    generator = ReleasedGenerator(model)
    history = generator.begin_with(model.style_token(torch.randn(1, 50, 106)))
    for pooled in model.pool_audio(torch.randn(3, 199, 32)):
        audio = model.modulations(pooled)
        bits, scores = model.generate(history.style, history.tokens, audio[None])
        assert torch.equal(bits, say_plain(model, history, pooled[None]))
        forced = model.logits(
            model.quantizer.codes_of(bits, audio), history.style, history.tokens, audio[None]
        )
        torch.testing.assert_close(scores, forced, rtol=1e-4, atol=1e-4)
        _, history = generator.generate_window(history, audio[None])


def test_hearing_windows_together_is_hearing_them_alone(model: ReleasedModel) -> None:
    windows = 0.1 * torch.randn(2, 64000)
    together = model.modulations(model.pool_audio(hear_plain(model.audio_encoder, windows)))
    torch.testing.assert_close(
        ReleasedGenerator(model).encode_audio(windows), together, rtol=1e-4, atol=1e-4
    )


def test_batch_and_pieces_give_the_same(model: ReleasedModel) -> None:
    method = PublishedMethod(ReleasedGenerator(model))
    audio, condition = voice(2, 90_000), ArtalkCondition(smooth=True)
    whole = method.run(audio, condition, (0, 0))
    assert whole.frames == 141
    one = method.run(Audio(audio.samples[1:], 16000), condition, (0,))
    torch.testing.assert_close(one.values[0], whole.values[1], rtol=1e-3, atol=1e-3)
    state, parts = method.begin(condition, (0, 0)), []
    for start in range(0, 90_000, 33_333):
        motion, state = method.step(state, audio.slice(start, start + 33_333))
        parts.append(motion.values)
    torch.testing.assert_close(
        torch.cat([*parts, method.finish(state).values], 1), whole.values, rtol=1e-3, atol=1e-3
    )
    assert method.run(voice(1, 4000), condition, (0,)).frames == 6, (
        "shorter than the smoother's window"
    )
    still = method.run(voice(1, 4000), ArtalkCondition(fix_pose=True), (0,))
    assert not bool(still["head"].any())


def test_the_bench_measures_both_forms() -> None:
    report = measure(random_model(SMALL), 5.0)
    assert report["codes_equal"]
    assert report["ours"]["total"] > 0
    assert set(report["ours"]) == set(report["plain"])


def test_rounded_encoder_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.nn.packed.SMALLEST", 16)
    report = measure_rounded(random_model(SMALL), "int8", 4.0)
    assert 0 < report["feature_error"] < 0.1


def test_training_generation_runs_streams_and_repeats() -> None:
    torch.manual_seed(0)
    method = build(ArtalkConfig("training", training=SMALL_TRAINING), None, {})
    audio = voice(2, 70_000)
    whole = method.run(audio, ArtalkCondition(), (3, 4)).values
    assert whole.shape == (2, 109, 108)
    assert torch.equal(whole, method.run(audio, ArtalkCondition(), (3, 4)).values)
    again = method.run(Audio(audio.samples[:1], 16000), ArtalkCondition(), (9,)).values
    assert not torch.equal(again[0], whole[0])


def test_weights_without_an_encoder_say_so() -> None:
    method = PublishedMethod(TrainingGenerator(TrainingModel(SMALL_TRAINING), None))
    with pytest.raises(ConfigError, match="no audio encoder"):
        method.run(voice(1, 64_000), ArtalkCondition(), (0,))


def test_training_of_the_released_generation_is_unknown() -> None:
    with pytest.raises(ConfigError, match="not published"):
        stages(PRESETS["released"])
    assert [stage.name for stage in stages(ArtalkConfig("training", training=SMALL_TRAINING))] == [
        "codec",
        "generator",
    ]


def test_foreign_checkpoints_are_refused(model: ReleasedModel) -> None:
    with pytest.raises(CheckpointError, match="not an ARTalk checkpoint"):
        from_official([{"weight": torch.zeros(1)}])
    with pytest.raises(CheckpointError, match="tensors only"):
        from_official([{"weight": "text"}])
    with pytest.raises(CheckpointError, match="does not know"):
        from_official([{"basic_vae.motion_mean": torch.zeros(106), "surplus": torch.zeros(1)}])
    with pytest.raises(CheckpointError):
        load_strict(model, {})


def test_published_sizes() -> None:
    with torch.device("meta"):
        released, training = (
            ReleasedModel(PRESETS["released"].released),
            TrainingModel(PRESETS["training"].training),
        )
    assert len(released.state_dict()) == 814 - 3 - 1, (
        "three derived buffers are not kept, the weight norm's pair is folded into one"
    )
    assert len(training.state_dict()) == 349
    assert sum(p.numel() for p in training.parameters()) - sum(
        p.numel() for p in training.codec.parameters()
    ) == pytest.approx(37.9e6, rel=0.01)


def test_styles_as_the_authors_save_them(tmp_path: Path) -> None:
    space, noise = released_space(), torch.Generator().manual_seed(0)
    whole = torch.randn(400, 106, generator=noise)
    clip = whole[100:150]
    torch.save(clip, tmp_path / "happy_0.pt")  # a view with its whole storage
    np.save(tmp_path / "clip.npy", clip.numpy())
    arrays = {"exp": clip[:, :100].numpy(), "pose": clip[:, 100:].numpy()}
    np.savez(tmp_path / "clip.npz", **arrays)
    for name in ("happy_0.pt", "clip.npy", "clip.npz"):
        assert torch.equal(read_style(str(tmp_path / name), space)[0], clip), name
    expression, head, jaw = clip.numpy()[:, :100], clip.numpy()[:, 100:103], clip.numpy()[:, 103:]
    vhap = {"expr": expression, "rotation": head, "jaw_pose": jaw, "neck_pose": 0 * jaw}
    np.savez(tmp_path / "vhap.npz", **vhap)
    assert torch.equal(read_style(str(tmp_path / "vhap.npz"), space)[0], clip)
    eyes = read_style(str(tmp_path / "vhap.npz"), training_space())[0]
    assert torch.equal(eyes[:, 103], clip[:, 103])
    assert not eyes[:, 104:].any()
