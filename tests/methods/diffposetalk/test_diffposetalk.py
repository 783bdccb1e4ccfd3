"""What DiffPoseTalk promises beyond the laws of all methods: styles, takes, guidance, FLAME,
weights from the authors."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path, PosixPath

import numpy as np
import pytest
import torch

from motet.checkpoint import read_official
from motet.cli import main
from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import (
    AssetError,
    AudioError,
    CheckpointError,
    ConfigError,
    InputError,
    SpaceError,
)
from motet.export import write_clip
from motet.export.user_mesh import UserMesh
from motet.method_options import parse_options
from motet.methods.diffposetalk import SPEC
from motet.methods.diffposetalk.config import (
    PRESETS,
    DenoiserConfig,
    DiffPoseTalkCondition,
    DiffPoseTalkConfig,
    StyleConfig,
    TrunkConfig,
)
from motet.methods.diffposetalk.generate import DiffPoseTalk, build
from motet.methods.diffposetalk.loss import masked_mean
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.stages import draw_spans, feature_batch, stages, two_views
from motet.methods.diffposetalk.state_dict import from_official
from motet.methods.diffposetalk.style import StyleEncoder
from motet.methods.diffposetalk.style_input import encode_style, read_clip, read_shape, read_style
from motet.rigs.flame import Flame, flame_from_tables
from motet.rigs.flame_figure import FlameFigure
from motet.session import load
from motet.types import Audio, Clip, arkit_space, frame_count

TINY = PRESETS["tiny"]
FLAME = DiffPoseTalkConfig(
    "flame",
    True,
    "hubert",
    TrunkConfig(16, 1, 2, 16, (4,) * 7, 8, 2),
    16,
    shape_dim=100,
    style_dim=16,
    style=StyleConfig(16, 1, 2, 2, 0.0, 16),
    denoiser=DenoiserConfig(16, 1, 2, 2, 0.0, 16, 4),
    diffusion=TINY.diffusion,
    steps=2,
)


def sound(seconds: float, batch: int = 1, seed: int = 0) -> Audio:
    return Audio(
        0.2
        * torch.randn(
            batch, 1, round(16000 * seconds), generator=torch.Generator().manual_seed(seed)
        ),
        16000,
    )


def tiny(config: DiffPoseTalkConfig = TINY, styles: dict | None = None) -> DiffPoseTalk:
    torch.manual_seed(0)
    method = build(config, None, {"styles": styles or {}})
    method.model.coefficients.known.fill_(1)
    return method


def save_take(path: Path, frames: int = 40, fps: float = 25.0, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed)
    np.savez(
        path,
        blendshapes=noise.random((frames, 52), np.float32),
        head=noise.normal(size=(frames, 3)).astype(np.float32),
        fps=np.array(fps),
    )
    return path


def test_takes_differ_and_share_their_sound() -> None:
    method = tiny()
    audio = sound(1.5)
    both = dataclasses.replace(audio, samples=audio.samples.expand(2, -1, -1))
    takes = method.run(both, DiffPoseTalkCondition(), (1, 2)).values
    assert float((takes[0] - takes[1]).abs().mean()) > 1e-3
    assert torch.allclose(
        takes[1:], method.run(audio, DiffPoseTalkCondition(), (2,)).values, atol=1e-5
    )


def test_named_style_clip_and_vector_reach_the_motion(tmp_path: Path) -> None:
    method = tiny(styles={"warm": [0.5] * 16})
    np.save(tmp_path / "warm.npy", np.full(16, 0.5, np.float32))
    take = save_take(tmp_path / "take.npz")
    audio = sound(0.7)
    runs = {
        name: method.run(audio, DiffPoseTalkCondition(style=name), (0,)).values
        for name in ("", "warm", str(tmp_path / "warm.npy"), str(take))
    }
    plain, named, vector, clip = runs.values()
    assert torch.equal(named, vector)
    assert not torch.equal(plain, named)
    assert not torch.equal(named, clip)


def test_a_long_style_clip_is_the_mean_of_its_stretches(tmp_path: Path) -> None:
    model = tiny().model
    motion = read_clip(save_take(tmp_path / "take.npz", frames=16 * 3 + 5), model)
    parts = torch.stack([encode_style(model, motion[16 * k : 16 * k + 16]) for k in range(3)]).mean(
        0
    )
    assert torch.allclose(encode_style(model, motion), parts, atol=1e-6)
    assert encode_style(model, motion[:5]).shape == (1, 16)


def test_a_style_clip_of_another_rate_is_resampled(tmp_path: Path) -> None:
    assert len(read_clip(save_take(tmp_path / "take.npz", frames=60, fps=50.0), tiny().model)) == 30


def test_bad_styles_name_the_remedy(tmp_path: Path) -> None:
    own = tiny().model
    (tmp_path / "broken.npz").write_bytes(b"not a zip")
    np.savez(tmp_path / "short.npz", blendshapes=np.zeros((4, 51), np.float32))
    np.savez(
        tmp_path / "nan.npz",
        blendshapes=np.full((4, 52), np.nan, np.float32),
        head=np.zeros((4, 3), np.float32),
    )
    np.save(tmp_path / "wide.npy", np.zeros(17, np.float32))
    with pytest.raises(ConfigError, match="warm"):
        read_style("wram", own, {"warm": [0.0] * 16})
    for name, words in (
        ("broken.npz", "plain arrays"),
        ("missing.npz", "does not exist"),
        ("short.npz", "blendshapes"),
        ("nan.npz", "finite"),
        ("wide.npy", "16 finite"),
    ):
        with pytest.raises(AssetError, match=words):
            read_style(str(tmp_path / name), own, {})


def test_options_come_from_texts() -> None:
    found = parse_options(SPEC, ["guidance_audio=1.3", "steps=5", "sampler=ddim", "fresh=yes"])
    assert found == {"guidance_audio": 1.3, "steps": 5, "sampler": "ddim", "fresh": True}


@pytest.mark.parametrize(
    "options",
    [
        {"guidance_audio": -1.0},
        {"guidance_style": 30.0},
        {"flexibility": 2.0},
        {"steps": -1},
        {"threshold": 1.5},
    ],
)
def test_impossible_conditions_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        DiffPoseTalkCondition(**options)


def test_conditions_that_the_model_cannot_fulfil_are_refused() -> None:
    method = tiny()
    for options, words in (
        ({"steps": 21}, "between 1 and 20"),
        ({"sampler": "euler"}, "sampler must be one of"),
        ({"shape": "face.npz"}, "no shape"),
        ({"guidance_mode": "other"}, "guidance_mode must be one of"),
        ({"mode": "independent"}, "is now called guidance_mode"),
    ):
        with pytest.raises(ConfigError, match=words):
            method.run(sound(0.2), DiffPoseTalkCondition(**options), (0,))


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": "ancestral", "steps": 20},
        {"sampler": "ddim", "flexibility": 1.0},
        {"threshold": 0.99},
        {"fresh": True},
        {"guidance_audio": 1.0},
    ],
)
def test_every_way_of_drawing_is_finite_and_its_own(options: dict) -> None:
    method, audio = tiny(), sound(1.0)
    with torch.inference_mode():
        method.model.denoising_net.motion_dec[2].weight.mul_(
            10
        )  # so that some numbers exceed the threshold's lowest limit
    answer = method.run(audio, DiffPoseTalkCondition(**options), (0,)).values
    assert bool(torch.isfinite(answer).all())
    assert not torch.equal(answer, method.run(audio, DiffPoseTalkCondition(), (0,)).values)


def test_an_evaluation_of_no_weight_is_left_out() -> None:
    method, seen = tiny(), []
    inner = method.model.denoising_net.prepare
    method.model.denoising_net.prepare = lambda audio, *rest: (
        seen.append(len(audio)) or inner(audio, *rest)
    )  # type: ignore[method-assign]
    method.run(sound(0.5), DiffPoseTalkCondition(guidance_audio=1.0), (0,))
    method.run(sound(0.5), DiffPoseTalkCondition(guidance_audio=1.5), (0,))
    assert seen == [1, 2]


def test_weights_stay_in_their_range() -> None:
    method = tiny()
    method.model.coefficients.motion_std.fill_(5.0)
    weights = method.run(sound(1.0), DiffPoseTalkCondition(), (0,))["blendshapes"]
    assert float(weights.min()) >= 0
    assert float(weights.max()) <= 1


def test_a_model_without_head_leaves_it_at_zero() -> None:
    motion = tiny(dataclasses.replace(TINY, head=False)).run(
        sound(1.0), DiffPoseTalkCondition(), (0,)
    )
    assert not motion["head"].any()
    assert motion["blendshapes"].any()


#
#
# -------------------------------------------------------------------------------------------------------------------
# FLAME


def test_flame_model_streams_and_counts_its_frames(tmp_path: Path) -> None:
    method = tiny(FLAME)
    np.savez(tmp_path / "who.npz", shape=np.ones(100, np.float32))
    noise = np.random.default_rng(0)
    np.savez(
        tmp_path / "clip.npz",
        exp=noise.normal(size=(16, 50)),
        pose=noise.normal(size=(16, 6)) * 0.1,
    )
    condition = DiffPoseTalkCondition(
        shape=str(tmp_path / "who.npz"), style=str(tmp_path / "clip.npz")
    )
    audio = sound(1.47)
    whole = method.run(audio, condition, (3,))
    assert whole.frames == frame_count(audio.seconds, 25)
    assert not whole["jaw"][..., 1:].any()
    state, pieces = method.begin(condition, (3,)), []
    for start in range(0, audio.samples.shape[-1], 7001):
        motion, state = method.step(state, audio.slice(start, start + 7001))
        pieces.append(motion.values)
    assert torch.allclose(
        torch.cat([*pieces, method.finish(state).values], 1), whole.values, atol=1e-5
    )
    alone = method.run(audio, dataclasses.replace(condition, encode_windows=True), (3,))
    assert not torch.equal(alone.values, whole.values)


@pytest.mark.parametrize("samples", [1, 320, 639, 10240, 10241])
def test_very_short_recordings(samples: int) -> None:
    motion = tiny(FLAME).run(sound(samples / 16000), DiffPoseTalkCondition(), (0,))
    assert motion.frames == frame_count(samples / 16000, 25)
    assert bool(torch.isfinite(motion.values).all())


def test_wrong_rate_is_refused_by_both_kinds() -> None:
    for method in (tiny(), tiny(FLAME)):
        with pytest.raises(AudioError, match="resample"):
            method.step(
                method.begin(DiffPoseTalkCondition(), (0,)), Audio(torch.zeros(1, 1, 10), 44100)
            )


def synthetic_flame() -> Flame:
    """A FLAME-shaped file of nine vertices."""
    noise = torch.Generator().manual_seed(0)
    tables = {
        "v_template": torch.randn(9, 3, generator=noise),
        "shapedirs": 0.01 * torch.randn(9, 3, 400, generator=noise),
        "posedirs": 0.01 * torch.randn(9, 3, 36, generator=noise),
        "J_regressor": torch.rand(5, 9, generator=noise) / 9,
        "weights": torch.rand(9, 5, generator=noise).softmax(-1),
        "f": torch.tensor([[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
    }
    return flame_from_tables({name: table.numpy() for name, table in tables.items()})


def test_flame_surfaces_and_official_files(tmp_path: Path) -> None:
    method = tiny(FLAME)
    take = method.run(sound(0.48), DiffPoseTalkCondition(), (0,))
    motion = type(take)(take.values[0], take.space)
    figure, shape = FlameFigure(synthetic_flame(), take.space), 0.5 * torch.ones(100)
    meshes = figure.shaped(shape).posed(motion)
    assert meshes.vertices.shape == (12, 9, 3)
    assert not torch.equal(meshes.vertices, figure.shaped().posed(motion).vertices)
    path = tmp_path / "take.flame.npz"
    write_clip(Clip(None, motion), path, mesh=UserMesh(identity=shape))
    with np.load(path, allow_pickle=False) as stored:
        assert {name: stored[name].shape for name in stored.files} == {
            "exp": (12, 50),
            "pose": (12, 6),
            "shape": (12, 100),
            "fps": (),
        }
    assert torch.equal(read_clip(path, method.model), motion.values)
    assert read_shape(str(path), method.model).shape == (1, 100)
    house = tiny().run(sound(0.2), DiffPoseTalkCondition(), (0,)).item(0)
    with pytest.raises(SpaceError, match="FLAME or mesh motion"):
        write_clip(Clip(None, house), tmp_path / "no.flame.npz")
    assert not (tmp_path / "no.flame.npz").exists()
    with pytest.raises(InputError, match="300 finite"):
        figure.shaped(torch.zeros(301))


#
#
# -------------------------------------------------------------------------------------------------------
# the authors' files


HEADS = {"trunk": {"heads": 2}}
"""What no file says of this small model."""


def official(tmp_path: Path, **changes: object) -> Path:
    """A file as the authors' trainer writes it, from a random model."""
    torch.manual_seed(0)
    model = DiffPoseTalkModel(dataclasses.replace(FLAME, style=None))
    own = {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith("coefficients.")
    }
    options = {
        "n_motions": 16,
        "n_heads": 2,
        "n_diff_steps": 20,
        "use_indicator": True,
        "style_enc_ckpt": PosixPath("a/b.pt"),
        **changes,
    }
    torch.save(
        {"args": argparse.Namespace(**options), "model": own, "iter": 5}, tmp_path / "official.pt"
    )
    return tmp_path / "official.pt"


def statistics(**changes: object) -> dict:
    sizes = {"exp": 50, "pose": 6, "shape": 100}
    return {
        **{f"{n}_{k}": torch.full((s,), 0.5) for n, s in sizes.items() for k in ("mean", "std")},
        **changes,
    }


def test_official_weights_need_their_statistics(tmp_path: Path) -> None:
    found = read_official(official(tmp_path))
    assert found["args"]["style_enc_ckpt"] == "a/b.pt"
    alone = from_official([found], HEADS)
    with pytest.raises(CheckpointError, match="stats_train.npz"):
        build(alone.config, alone.tensors, {})
    whole = from_official([found, statistics()], HEADS)
    config, tensors = whole.config, whole.tensors
    motion = build(config, tensors, {}).run(sound(0.4), DiffPoseTalkCondition(), (0,))
    assert motion.frames == 10
    with pytest.raises(ConfigError, match="no style encoder"):
        build(config, tensors, {}).begin(DiffPoseTalkCondition(style="x.npz"), (0,))


def test_the_command_line_imports_files_that_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(
        tmp_path / "stats_train.npz",
        **{name: value.numpy() for name, value in statistics().items()},
    )
    (tmp_path / "heads.json").write_text(json.dumps(HEADS))
    out = tmp_path / "own.safetensors"
    assert (
        main(
            [
                "weights",
                "import",
                str(official(tmp_path)),
                str(tmp_path / "stats_train.npz"),
                "-m",
                "diffposetalk",
                "-o",
                str(out),
                "--config",
                str(tmp_path / "heads.json"),
            ]
        )
        == 0
    )
    assert "own.safetensors" in capsys.readouterr().out
    assert load("diffposetalk", str(out)).run(sound(0.3), {"steps": 2}).frames == 8
    assert (
        main(
            [
                "weights",
                "import",
                str(tmp_path / "stats_train.npz"),
                "-m",
                "diffposetalk",
                "-o",
                str(tmp_path / "no.safetensors"),
            ]
        )
        == 2
    )
    assert not (tmp_path / "no.safetensors").exists()


def test_wrong_statistics_and_files_are_named(tmp_path: Path) -> None:
    found = read_official(official(tmp_path))
    with pytest.raises(CheckpointError, match="first six"):
        from_official([found, statistics(pose_mean=torch.zeros(9))], HEADS)
    with pytest.raises(CheckpointError, match="no denoiser"):
        from_official([{"encoder": {}}])
    with pytest.raises(CheckpointError, match="2 files"):
        from_official([found, found])
    with pytest.raises(CheckpointError, match="architecture"):
        from_official([read_official(official(tmp_path, architecture="encoder"))])
    del found["model"]["denoising_net.person_proj.weight"]
    with pytest.raises(CheckpointError, match=r"person_proj\.weight"):
        from_official([found])


def test_a_stored_table_that_is_not_the_named_schedule_is_refused(tmp_path: Path) -> None:
    found = read_official(official(tmp_path))
    found["model"]["diffusion_sched.alpha_bars"] = torch.linspace(1, 0, 21)
    with pytest.raises(CheckpointError, match="noise table"):
        from_official([found], HEADS)


#
#
# ----------------------------------------------------------------------------------------------------------------
# training


def corpus(
    frames: tuple[int, ...] = (60, 60, 20), speakers: tuple[str, ...] = ("a", "b", "a")
) -> TrainingSet:
    noise = torch.Generator().manual_seed(0)
    items = [
        TrainingItem(
            torch.rand(n, 55, generator=noise),
            torch.randn(2 * n, 8, generator=noise),
            torch.ones(55, dtype=torch.bool),
            who,
        )
        for n, who in zip(frames, speakers, strict=True)
    ]
    return TrainingSet(arkit_space(), items)


def test_style_views_are_of_different_persons_and_apart() -> None:
    spans = draw_spans(corpus(), 8, 42, torch.Generator().manual_seed(0))
    assert sorted(span.speaker for span in spans) == ["a", "b"]
    views = two_views(spans, 16)
    assert torch.equal(views["first"][0], spans[0].motion[:16])
    assert torch.equal(views["second"][0], spans[0].motion[26:42])
    with pytest.raises(InputError, match="two persons"):
        draw_spans(corpus((60, 60), ("a", "a")), 2, 42, torch.Generator())


def test_short_performances_are_filled_up_and_say_so() -> None:
    batch = feature_batch(corpus((20,), ("a",)), 2, 32, torch.Generator().manual_seed(0))
    assert batch["lengths"].tolist() == [20, 20]
    assert torch.equal(batch["motion"][:, 20:], batch["motion"][:, 19:20].expand(-1, 12, -1))
    assert not batch["sound"][:, 40:].any()


def test_what_was_not_observed_and_what_is_padding_teach_nothing() -> None:
    stage = stages(TINY)[-1]
    batch = dict(stage.batch(corpus(), 2, torch.Generator().manual_seed(0)))
    batch["valid"] = batch["valid"].clone()
    batch["valid"][:, 5] = False
    batch["lengths"] = torch.tensor([24, 24])
    stage.model.eval()
    terms = stage.loss(batch, torch.Generator().manual_seed(1))
    batch["motion"] = batch["motion"].clone()
    batch["motion"][:, :, 5] = 7.0
    same = stage.loss(batch, torch.Generator().manual_seed(1))
    assert all(torch.equal(terms[name], same[name]) for name in terms)


def test_the_denoiser_stage_leaves_the_style_encoder_alone() -> None:
    style, denoiser = stages(TINY)
    moved = {id(p) for part in denoiser.trained for p in part.parameters()}
    own = denoiser.model.style_encoder
    assert not any(id(p) in moved for p in own.parameters())
    assert {id(p) for p in own.parameters()} == {
        id(p) for part in style.trained for p in part.parameters()
    }


def test_the_published_style_encoder_is_blind_to_order_and_the_other_is_not() -> None:
    torch.manual_seed(0)
    motion = torch.randn(1, 12, 55)
    for positions, blind in (("length", True), ("frame", False)):
        encoder = StyleEncoder(55, StyleConfig(16, 1, 2, 2, 0.0, 16, positions=positions)).eval()
        with torch.no_grad():
            assert torch.allclose(encoder(motion), encoder(motion.flip(1)), atol=1e-5) == blind
    with pytest.raises(InputError, match="599"):
        encoder(torch.zeros(1, 600, 55))


def test_a_mean_over_nothing_is_zero() -> None:
    assert float(masked_mean(torch.ones(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool))) == 0.0


def test_flame_training_reads_sound(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Item:
        motion: torch.Tensor
        samples: torch.Tensor
        shape: torch.Tensor
        valid: torch.Tensor

    class Reader:
        def statistics(self):
            return torch.zeros(56), torch.ones(56)

        def shape_statistics(self):
            return torch.zeros(100), torch.ones(100)

        def draw_clips(self, size, frames, randomness):
            motions = torch.randn(size, frames, 56, generator=randomness)
            return [
                Item(
                    m,
                    torch.randn(frames * 640, generator=randomness),
                    torch.randn(100),
                    torch.ones(56, dtype=torch.bool),
                )
                for m in motions
            ]

    torch.manual_seed(0)
    stage = stages(FLAME)[-1]
    terms = stage.loss(
        stage.batch(Reader(), 2, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0)
    )
    assert set(terms) == {"noise", "head_angle", "head_vel", "head_smooth", "head_trans"}
    torch.stack(list(terms.values())).sum().backward()
    assert stage.model.audio_feature_map.weight.grad is not None


def test_the_head_moves_on_another_scale_and_nothing_else_does() -> None:
    method = tiny()
    as_drawn, wider = (
        method.run(sound(1.0), DiffPoseTalkCondition(head=scale), (0,)) for scale in (1.0, 2.0)
    )
    first = [take["head"][:, : method.config.denoiser.window] for take in (as_drawn, wider)]
    held = first[0].mean(1, keepdim=True)
    torch.testing.assert_close(first[1], held + 2.0 * (first[0] - held))
    assert as_drawn["head"].any() and torch.equal(wider["blendshapes"], as_drawn["blendshapes"])
