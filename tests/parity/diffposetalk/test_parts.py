"""Parts of DiffPoseTalk against the published code: schedules, audio, denoiser, style encoder,
coefficients, FLAME, clean-up."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.diffusion.schedule import make_schedule
from motet.encoders.hubert import Hubert, HubertConfig, pad_boundary
from motet.methods.diffposetalk.coefficient_smoothing import combine_trackers, replace_head
from motet.methods.diffposetalk.coefficients import pack, unpack
from motet.methods.diffposetalk.config import DiffusionConfig, StyleConfig
from motet.methods.diffposetalk.flame import motion_vertices
from motet.methods.diffposetalk.model import Denoiser, alignment_mask
from motet.methods.diffposetalk.stages import published_learning_rate
from motet.methods.diffposetalk.style import StyleEncoder, contrast_loss
from motet.methods.diffposetalk.two_clip import truncate
from motet.rigs.flame import flame_space
from motet.types import Motion
from tests.parity.diffposetalk.conftest import TINY, close, facts, model, rig, tensors


@pytest.mark.parametrize("kind", ["linear", "quadratic", "sigmoid", "cosine"])
@pytest.mark.parametrize("steps", [8, 50, 500])
def test_schedules(kind: str, steps: int) -> None:
    own, wanted = make_schedule(kind, steps), tensors("schedules")
    for name in ("betas", "alphas", "alpha_bars", "sigmas_flex"):
        close(
            getattr(own, name).float(), wanted[f"{kind}.{steps}.{name}"], 2e-5
        )  # the published tables are made in single precision
    close(own.sigmas_inflex.float(), wanted[f"{kind}.{steps}.sigmas_inflex"], 1e-4)


def test_boundary_padding() -> None:
    found = tensors("pad_audio")
    for name, samples in found.items():
        if name.startswith("in."):
            assert torch.equal(pad_boundary(samples), found[f"out.{name[3:]}"])


@pytest.mark.parametrize("name", ["audio_hubert", "audio_wav2vec2", "audio_hubert_fps30"])
@torch.no_grad()
def test_audio(name: str) -> None:
    found, fps = tensors(name), 30 if name.endswith("30") else 25
    weights = tensors(name.removesuffix("_fps30"))
    trunk = Hubert(HubertConfig(32, 3, 4, 48, (8,) * 7, 16, 4)).eval()
    trunk.load_state_dict(
        {
            key.removeprefix("w.audio_encoder."): value
            for key, value in weights.items()
            if key.startswith("w.audio_encoder.")
        }
    )
    for key in found:
        if key.startswith("out.hidden."):
            samples, frames = (int(number) for number in key.split(".")[2:])
            hidden = trunk(
                pad_boundary(found[f"in.audio.{samples}"].float()),
                2 * frames,
                round(2 * frames * 50 / fps),
            )
            close(hidden, found[key])
            features = torch.nn.functional.linear(
                hidden.unflatten(1, (-1, 2)).mean(2),
                weights["w.audio_feature_map.weight"],
                weights["w.audio_feature_map.bias"],
            )
            close(features, found[f"out.audio_feat.{samples}.{frames}"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("base", {}),
        ("no_head_pose", {"head": False}),
        ("no_indicator", {"indicator": False}),
        ("sinusoidal_pe", {"learned_positions": False}),
        ("no_style", {"style_dim": 0}),
        ("mask_width0", {"mask_width": 0}),
        ("mask_width3", {"mask_width": 3}),
    ],
)
@torch.no_grad()
def test_denoiser(name: str, change: dict) -> None:
    found = tensors(f"denoiser_{name}")
    config = dataclasses.replace(
        TINY,
        diffusion=DiffusionConfig(8, guided=("audio",)) if name == "no_style" else TINY.diffusion,
    )
    outer = {key: value for key, value in change.items() if hasattr(config, key)}
    inner = {key: value for key, value in change.items() if key not in outer}
    config = dataclasses.replace(
        config, **outer, denoiser=dataclasses.replace(config.denoiser, **inner)
    )
    net = Denoiser(config).eval()
    weights = tensors("denoiser_base") if name.startswith("mask") else found
    tables = ("w.TE.pe", "w.PE.pe", "w.alignment_mask")
    net.load_state_dict(
        {
            key[2:]: value
            for key, value in weights.items()
            if key.startswith("w.") and key not in tables
        }
    )
    given = [
        found[f"in.{key}"]
        for key in (
            "motion_feat",
            "audio_feat",
            "person_feat",
            "prev_motion_feat",
            "prev_audio_feat",
            "step",
        )
    ]
    given[2] = given[2][:, 0]
    close(net(*given, found.get("in.indicator")), found["out.motion_feat_target"])
    if "w.alignment_mask" in found:
        assert torch.equal(
            alignment_mask(16, 4, config.denoiser.mask_width), found["w.alignment_mask"]
        )
    close(
        _with_full_attention(net)(*given, found.get("in.indicator")),
        found["out.motion_feat_target"],
    )


def _with_full_attention(net: Denoiser) -> Denoiser:
    """The same network as it trains: every query looks through the mask, nothing is cut away."""
    net.settings = dataclasses.replace(net.settings, dropout=0.0)
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return net.train()


@pytest.mark.parametrize(
    ("name", "dim"), [("style_encoder_head", 54), ("style_encoder_no_head_pose", 51)]
)
@torch.no_grad()
def test_style_encoder(name: str, dim: int) -> None:
    found = tensors(name)
    encoder = StyleEncoder(dim, StyleConfig(16, 2, 4, 2, frames=16)).eval()
    weights = found if any(key.startswith("w.") for key in found) else tensors(name)
    encoder.load_state_dict(
        {key[2:]: value for key, value in weights.items() if key.startswith("w.")}
    )
    for key in ("a", "b", "short"):
        close(encoder(found[f"in.motion_{key}"]), found[f"out.style_{key}"])
    close(encoder(found["in.motion_a"][:, found["in.perm"]]), found["out.style_a_permuted_frames"])
    for temperature, wanted in facts(name)["nt_xent_by_temperature"].items():
        assert float(
            contrast_loss(found["out.style_a"], found["out.style_b"], float(temperature))
        ) == pytest.approx(wanted, rel=1e-5)


def test_coefficients() -> None:
    found, head = tensors("coef_codec"), model()
    close(pack(found["in.exp"], found["in.pose"], head=True), found["out.motion_head"], 0)
    close(pack(found["in.exp"], found["in.pose"], head=False), found["out.motion_nohead"], 0)
    for case, kept in (("54_global", True), ("54_noglobal", False)):
        motion = head.coefficients.motion(found["in.motion54"])
        if not kept:
            expression, pose = unpack(found["in.motion54"], keep_head=False)
            motion = (
                torch.cat([expression, pose], -1) * head.coefficients.motion_std
                + head.coefficients.motion_mean
            )
            motion[..., 50:53] = 0
        close(motion[..., :50], found[f"out.dict_{case}.exp"])
        close(motion[..., 50:], found[f"out.dict_{case}.pose"])


def test_coefficients_without_head() -> None:
    found = tensors("coef_codec")
    motion = model("model_nohead").coefficients.motion(found["in.motion51"])
    close(motion[..., :50], found["out.dict_51_noglobal.exp"])
    close(motion[..., 50:], found["out.dict_51_noglobal.pose"])


@pytest.mark.parametrize("padding", ["zero", "replicate"])
def test_truncation(padding: str) -> None:
    found = tensors("coef_codec")
    ends = found[f"out.trunc_{padding}.end_idx"]
    close(
        truncate(found["in.trunc_motion"], ends, padding), found[f"out.trunc_{padding}.motion"], 0
    )
    audio = truncate(found["in.trunc_audio"].float(), ends * 640, padding)
    close(audio[:, -1], found[f"out.trunc_{padding}.audio_last"], 0)
    close(
        audio.unflatten(1, (16, 640)).sum(2),
        found[f"out.trunc_{padding}.audio_sum_per_frame"],
        1e-3,
    )


def test_flame() -> None:
    found = tensors("flame_rig")
    for row in range(5):  # a motion has one identity, the set has one a frame
        motion = Motion(
            torch.cat([found["in.exp"], found["in.pose"]], 1)[row : row + 1], flame_space()
        )
        for head, key in ((True, "out.vertices"), (False, "out.vertices_ignore_global_rot")):
            close(
                motion_vertices(rig(), motion, found["in.shape"][row], head=head),
                found[key][row : row + 1],
            )


def test_clean_up_of_tracked_coefficients() -> None:
    found = tensors("preprocess")
    expression, pose, shape = combine_trackers(
        found["in.spectre_exp"], found["in.spectre_pose"], found["in.mica_shape"]
    )
    for got, key in ((expression, "exp"), (pose, "pose"), (shape, "shape")):
        close(got, found[f"mid.{key}"])
    for got, key in zip(
        replace_head(expression, pose, shape, found["in.head_rotmat"]),
        ("exp", "pose", "shape"),
        strict=True,
    ):
        close(got, found[f"out.{key}"])


def test_learning_rates() -> None:
    found = facts("lr_schedule")
    for iteration, wanted in enumerate(found["Warmup"]["lr"]):
        assert published_learning_rate(iteration, "warmup", 1e-4, 5) == pytest.approx(
            wanted, rel=1e-6, abs=1e-12
        )
    for iteration, wanted in enumerate(found["WarmupThenDecay"]["lr"]):
        assert published_learning_rate(
            iteration, "warmup_then_decay", 1e-4, 5, 20
        ) == pytest.approx(wanted, rel=1e-6, abs=1e-12)
