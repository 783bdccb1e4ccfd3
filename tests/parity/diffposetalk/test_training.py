"""Training against the published code: forward pass, loss terms, whole iterations with their
gradients, the data base, checkpoints."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.checkpoint import load_strict, read_official
from motet.methods.diffposetalk.coefficients import pack
from motet.methods.diffposetalk.config import DiffusionConfig, LossConfig, StyleConfig
from motet.methods.diffposetalk.flame import flame_mesh
from motet.methods.diffposetalk.loss import ClipPair, clip_losses, weighted
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.stages import flame_surface, trained_parts
from motet.methods.diffposetalk.state_dict import from_official
from motet.methods.diffposetalk.two_clip import ClipDraws, Pair, predict_clip, two_clip_losses
from tests.parity.diffposetalk.conftest import (
    TINY,
    close,
    facts,
    filled,
    folder_with,
    model,
    rig,
    tensors,
    with_statistics,
)

COPIES = torch.arange(5023) % 12
"""The mesh of the set: 5023 vertices, each one of the rig's twelve."""


def mesh(shape: torch.Tensor, expression: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
    return flame_mesh(rig())(shape, expression, pose)[:, COPIES]


@pytest.mark.parametrize(
    "case", ["incremental", "independent", "audio_only", "style_only", "with_prev", "no_guiding"]
)
@torch.no_grad()
def test_forward(case: str) -> None:
    found, call = tensors("forward_train"), facts("forward_train")["cases"][case]
    options = call["options"]
    guided = tuple(
        name for name in options.get("guiding_conditions", "audio,style").split(",") if name
    )
    own = model(guided=guided, dropping=options.get("cfg_mode", "incremental"))
    audio = own.encode_audio(found["in.audio"].float(), 16)
    if f"{case}.out.audio_feat" in found:
        close(audio, found[f"{case}.out.audio_feat"])
    drops = tuple(found[f"{case}.rand{number}"] for number in range(3, call["n_rand"]))
    draws = ClipDraws(None, drops, found["in.time_step"], found[f"{case}.eps"])
    context = (found["in.prev_motion"], found["in.prev_audio"]) if call["uses_prev"] else None
    answer = predict_clip(
        own,
        found["in.motion"],
        audio,
        draws,
        shape=found["in.shape"],
        style=found["in.style"],
        context=context,
        indicator=found["in.indicator"],
    )
    close(answer, found[f"{case}.out.target"])


CASES = [
    "first_full",
    "first_trunc",
    "second_full",
    "second_trunc",
    "l1_second_trunc",
    "no_constrain_prev",
    "noise_target",
    "no_head_second",
    "no_mesh",
]


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_loss_terms(case: str) -> None:
    found, call = tensors("losses"), facts("losses")["cases"][case]
    options, head = call["options"], not call["options"].get("no_head_pose", False)
    changes = {
        "criterion": options.get("criterion", "l2"),
        "constrain_previous": not options.get("no_constrain_prev", False),
    }
    if "l_vert" in options:
        changes |= {"vert": 0.0, "vel": 0.0}
    config = dataclasses.replace(
        TINY,
        head=head,
        loss=LossConfig(**changes),
        diffusion=DiffusionConfig(8, target=options.get("target", "sample")),
    )

    def width(values: torch.Tensor) -> torch.Tensor:
        return values if head else torch.cat([values[..., :50], values[..., 53:]], -1)

    pair = ClipPair(
        width(found["in.motion_gt"]),
        width(found["in.target"]),
        width(found["in.noise"]),
        None if call["is_starting_sample"] else width(found["in.prev_motion"]),
        found["in.end_idx"] if call["truncated"] else None,
        found["in.shape"],
    )
    own = clip_losses(pair, config, flame_surface(model().coefficients, mesh))
    wanted = {name: value for name, value in call["losses"].items() if value is not None}
    assert set(own) == set(wanted)
    for name, value in wanted.items():
        assert float(own[name]) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("name", ["train_default", "train_context_audio"])
def test_training_iterations(name: str) -> None:
    found, said = tensors(name), facts(name)
    config = dataclasses.replace(
        TINY,
        style=StyleConfig(16, 2, 4, 2, 0.0, 16),
        loss=LossConfig(truncate=(0.5, 0.5), hear_both="context" in name),
        denoiser=dataclasses.replace(TINY.denoiser, dropout=0.0),
        trunk=dataclasses.replace(TINY.trunk, dropout=0.0),
    )
    style = {
        f"style_encoder.{key}": value
        for key, value in tensors("style_encoder_for_training").items()
    }
    own = with_statistics(filled(config, tensors("model_head"), style)).train()
    moving = {id(p) for part in trained_parts(own) for p in part.parameters()}
    for parameter in own.parameters():
        parameter.requires_grad_(id(parameter) in moving)
    frozen = {
        key
        for key, p in own.named_parameters()
        if not p.requires_grad and not key.startswith("style_encoder.")
    }
    assert frozen == set(said["frozen_parameters"])
    draws = iter(said["draws_in_call_order"])
    for iteration in range(len(said["scalars"])):
        check_iteration(
            own, found, said, iteration, (recorded(draws, found), recorded(draws, found))
        )


def recorded(draws, found) -> ClipDraws:
    def value() -> torch.Tensor:
        entry = next(draws)
        return found[f"draw{entry['i']:02d}.{entry['kind']}"]

    ends = value() if next(draws)["value"] < 0.5 else None
    return ClipDraws(ends, (value(),), value(), value())


def check_iteration(
    own: DiffPoseTalkModel, found, said, iteration: int, draws: tuple[ClipDraws, ClipDraws]
) -> None:
    at = f"it{iteration}."
    own.zero_grad(set_to_none=True)
    pair = Pair(
        pack(found[f"{at}exp"], found[f"{at}pose"]),
        found[f"{at}audio"].float(),
        found[f"{at}shape"][:, 0],
    )
    terms = weighted(
        two_clip_losses(own, pair, draws, flame_surface(own.coefficients, mesh)), own.config
    )
    loss = torch.stack(list(terms.values())).sum()
    loss.backward()
    for key, wanted in said["scalars"][str(iteration)].items():
        key = key.split("/")[1]
        if key == "loss":
            assert float(loss.detach()) == pytest.approx(wanted, rel=1e-4)
        elif key != "lr":
            weight = 1.0 if key == "noise" else getattr(own.config.loss, key)
            assert float(terms[key].detach()) / weight == pytest.approx(wanted, rel=1e-4), key
    parameters = dict(own.named_parameters())
    for key, wanted in said["grad_norms"][iteration].items():
        gradient = parameters[key].grad
        assert (0.0 if gradient is None else float(gradient.norm())) == pytest.approx(
            wanted, rel=5e-4, abs=1e-3
        ), key
    for key, wanted in found.items():
        if key.startswith(f"{at}grad."):
            gradient = parameters[key.removeprefix(f"{at}grad.")].grad
            assert gradient is not None or not wanted.any(), key
            assert (
                gradient is None
                or float((gradient - wanted).norm()) <= 5e-4 * float(wanted.norm()) + 1e-6
            ), key


@pytest.mark.parametrize(("crop", "place"), [("begin", 0), ("end", 2)])
def test_data_base(crop: str, place: int) -> None:
    pytest.importorskip("lmdb")
    from motet.data.readers.hdtf_tfhp import TfhpDatabase

    base, found = TfhpDatabase(folder_with("lmdb/data.mdb") / "lmdb"), tensors("dataset")
    name = base.names[place]
    clip = base.clip(name, 0 if crop == "begin" else base.frames[name] - 32, 32)
    (mean, std), (shape_mean, shape_std) = base.statistics(), base.shape_statistics()
    samples = (clip.samples - clip.samples.mean()) / (clip.samples.std() + 1e-5)
    motion = (clip.motion - mean) / (std + 1e-9)
    close(
        torch.stack([clip.samples.mean(), clip.samples.std()]),
        found[f"{crop}.{place}.audio_mean_std"],
        1e-6,
    )
    for half in (0, 1):
        rows, wanted = slice(16 * half, 16 * half + 16), found[f"{crop}.{place}.audio{half}"]
        close(samples[half * 10240 : half * 10240 + len(wanted)], wanted)
        close(motion[rows, :50], found[f"{crop}.{place}.exp{half}"])
        close(motion[rows, 50:], found[f"{crop}.{place}.pose{half}"])
        close(
            (clip.shape - shape_mean) / (shape_std + 1e-9),
            found[f"{crop}.{place}.shape{half}"][0],
            1e-3,
        )


@pytest.mark.parametrize("crop", ["begin", "end"])
def test_style_views_of_the_data_base(crop: str) -> None:
    pytest.importorskip("lmdb")
    from motet.data.readers.hdtf_tfhp import TfhpDatabase

    base, found = TfhpDatabase(folder_with("lmdb/data.mdb") / "lmdb", "test"), tensors("dataset")
    name = base.names[0]
    clip = base.clip(name, 0 if crop == "begin" else base.frames[name] - 33, 33)
    for head in (True, False):
        kind = "head" if head else "nohead"
        own = model("model_head" if head else "model_nohead").coefficients
        own = type(own)(dataclasses.replace(TINY, head=head))
        own.set(*base.statistics())
        vector = own.vector(clip.motion)
        close(vector[:16], found[f"se.{crop}.{kind}.motion0"])
        close(vector[-16:], found[f"se.{crop}.{kind}.motion1"])


@pytest.mark.parametrize("name", ["dpt_modern", "dpt_legacy_names"])
def test_official_checkpoints(name: str) -> None:
    folder = folder_with("checkpoints/se.pt")
    files = [
        read_official(folder / f"checkpoints/{name}.pt"),
        read_official(folder / "checkpoints/se.pt"),
        read_official(folder / "lmdb/stats_train.npz"),
    ]
    config, found = from_official({"files": files})
    assert config == dataclasses.replace(TINY, style=StyleConfig(16, 2, 4, 2, frames=16))
    own = DiffPoseTalkModel(config)
    load_strict(own, found)
    wanted = tensors("model_head")
    for key, value in own.state_dict().items():
        if key in wanted:
            assert torch.equal(value, wanted[key]), key
    assert float(own.coefficients.known) == 1
    alone, _ = from_official(files[0])
    assert alone.style is None
