"""Parts of DiffPoseTalk against the published code: schedules, audio, denoiser, style encoder,
coefficients, FLAME, clean-up."""

from __future__ import annotations

import copy
import dataclasses
import re

import pytest
import torch

from motet.diffusion.schedule import make_schedule
from motet.encoders.hubert import Hubert, HubertConfig, pad_boundary
from motet.methods.diffposetalk.coefficient_smoothing import combine_trackers, replace_head
from motet.methods.diffposetalk.coefficients import Coefficients, pack, unpack
from motet.methods.diffposetalk.denoiser import Denoiser, alignment_mask
from motet.methods.diffposetalk.stages import published_learning_rate
from motet.methods.diffposetalk.style import StyleEncoder, contrast_loss
from motet.methods.diffposetalk.two_clip import truncate
from motet.rigs.flame import flame_space
from motet.rigs.flame_figure import FlameFigure
from motet.types import Motion
from tests.parity.diffposetalk.conftest import (
    SET,
    close,
    config_of,
    facts,
    model,
    options_of,
    rig,
    style_config,
    tensors,
    trunk_config,
    with_statistics,
)
from tests.parity.fixture_set import ReferenceTensors


@pytest.mark.parametrize("name", SET.names("schedules", r"(\w+\.\d+)\.betas"))
def test_schedules(name: str) -> None:
    kind, steps = name.split(".")
    own, expected = make_schedule(kind, int(steps)), tensors("schedules")
    for table in ("betas", "alphas", "alpha_bars", "sigmas_flex"):
        close(
            getattr(own, table).float(), expected[f"{kind}.{steps}.{table}"], 2e-5
        )  # the published tables are made in single precision
    close(own.sigmas_inflex.float(), expected[f"{kind}.{steps}.sigmas_inflex"], 1e-4)


def test_boundary_padding() -> None:
    found = tensors("pad_audio")
    for name, samples in found.items():
        if name.startswith("in."):
            assert torch.equal(pad_boundary(samples), found[f"out.{name[3:]}"])


def weights_of(name: str) -> ReferenceTensors:
    """The weights that a file holds, or those of the file that its description names."""
    if any(key.startswith("w.") and key != "w.alignment_mask" for key in tensors(name)):
        return tensors(name)
    other = re.search(r"(?:same weights as|weights = those of) (\w+)", facts(name)["about"])
    assert other is not None, facts(name)["about"]
    return tensors(other[1])


@pytest.mark.parametrize("name", SET.files(r"audio_\w+"))
@torch.no_grad()
def test_audio(name: str) -> None:
    found, weights, fps = tensors(name), weights_of(name), options_of(name)["fps"]
    sizes = {field.name for field in dataclasses.fields(HubertConfig)}
    trunk = dataclasses.asdict(trunk_config(name))
    encoder = Hubert(HubertConfig(**{k: v for k, v in trunk.items() if k in sizes})).eval()
    encoder.load_state_dict(weights.under("w.audio_encoder."))
    cases = [key for key in found if key.startswith("out.hidden.")]
    assert cases
    for key in cases:
        samples, frames = (int(number) for number in key.split(".")[2:])
        hidden = encoder(
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


@pytest.mark.parametrize("name", SET.files(r"denoiser_\w+"))
@torch.no_grad()
def test_denoiser(name: str) -> None:
    found, config = tensors(name), config_of(options_of(name))
    net = Denoiser(config).eval()
    tables = ("TE.pe", "PE.pe", "alignment_mask")
    weights = weights_of(name).under("w.")
    net.load_state_dict({key: value for key, value in weights.items() if key not in tables})
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
        sizes = config.denoiser
        mask = alignment_mask(sizes.window, sizes.context, sizes.mask_width)
        assert torch.equal(mask, found["w.alignment_mask"])
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


@pytest.mark.parametrize("name", SET.files(r"style_encoder_(?!for_training)\w+"))
@torch.no_grad()
def test_style_encoder(name: str) -> None:
    found = tensors(name)
    encoder = StyleEncoder(found["in.motion_a"].shape[2], style_config(name)).eval()
    encoder.load_state_dict(found.under("w."))
    for key in ("a", "b", "short"):
        close(encoder(found[f"in.motion_{key}"]), found[f"out.style_{key}"])
    close(encoder(found["in.motion_a"][:, found["in.perm"]]), found["out.style_a_permuted_frames"])
    for temperature, expected in facts(name)["nt_xent_by_temperature"].items():
        assert float(
            contrast_loss(found["out.style_a"], found["out.style_b"], float(temperature))
        ) == pytest.approx(expected, rel=1e-5)


def coefficients(name: str = "model_head") -> Coefficients:
    """Packing of a model, with the statistics of this file."""
    return with_statistics(copy.deepcopy(model(name)), "coef_codec").coefficients


def test_packing() -> None:
    found = tensors("coef_codec")
    close(pack(found["in.exp"], found["in.pose"], head=True), found["out.motion_head"], 0)
    close(pack(found["in.exp"], found["in.pose"], head=False), found["out.motion_nohead"], 0)


@pytest.mark.parametrize("case", SET.names("coef_codec", r"out\.dict_(\w+)\.exp"))
def test_coefficients(case: str) -> None:
    found, (width, head) = tensors("coef_codec"), case.split("_")
    expression = len(found["stats.exp_mean"])
    packed = found[f"in.motion{width}"]
    with_head = width == str(found["out.motion_head"].shape[-1])
    own = coefficients("model_head" if with_head else "model_nohead")
    motion = own.motion(packed)
    if with_head and head == "noglobal":
        # The published call that leaves the head out zeroes what has been de-normalised.
        unpacked = torch.cat(unpack(packed, keep_head=False), -1)
        motion = unpacked * own.motion_std + own.motion_mean
        motion[..., expression : expression + 3] = 0
    close(motion[..., :expression], found[f"out.dict_{case}.exp"])
    close(motion[..., expression:], found[f"out.dict_{case}.pose"])


@pytest.mark.parametrize("padding", SET.names("coef_codec", r"out\.trunc_(\w+)\.end_idx"))
def test_truncation(padding: str) -> None:
    found = tensors("coef_codec")
    ends, clip = found[f"out.trunc_{padding}.end_idx"], found["in.trunc_motion"]
    close(truncate(clip, ends, padding), found[f"out.trunc_{padding}.motion"], 0)
    samples = found["in.trunc_audio"].float()
    frame = samples.shape[1] // clip.shape[1]
    audio = truncate(samples, ends * frame, padding)
    close(audio[:, -1], found[f"out.trunc_{padding}.audio_last"], 0)
    sums = audio.unflatten(1, (-1, frame)).sum(2)
    close(sums, found[f"out.trunc_{padding}.audio_sum_per_frame"], 1e-3)


def test_flame() -> None:
    found = tensors("flame_rig")
    for row in range(len(found["in.exp"])):  # a motion has one identity, the set has one a frame
        motion = Motion(
            torch.cat([found["in.exp"], found["in.pose"]], 1)[row : row + 1], flame_space()
        )
        for head, key in ((True, "out.vertices"), (False, "out.vertices_ignore_global_rot")):
            turned = motion if head else motion.with_track("head", torch.zeros(1, 3))
            figure = FlameFigure(rig(), motion.space).shaped(found["in.shape"][row])
            close(figure.posed(turned).vertices, found[key][row : row + 1])


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


@pytest.mark.parametrize(
    ("official", "own"), [("Warmup", "warmup"), ("WarmupThenDecay", "warmup_then_decay")]
)
def test_learning_rates(official: str, own: str) -> None:
    found = facts("lr_schedule")
    rates, lengths = found[official]["lr"], (found[official]["warm_iter"],)
    if "cos_max_iter" in found[official]:
        lengths += (found[official]["cos_max_iter"],)
    for iteration, expected in enumerate(rates):
        rate = published_learning_rate(iteration, own, found["base_lr"], *lengths)
        assert rate == pytest.approx(expected, rel=1e-6, abs=1e-12)
