"""Training against the published code: forward pass, loss terms, whole iterations with their
gradients, the data base, checkpoints."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator

import pytest
import torch

from motet.checkpoint import load_strict, read_official
from motet.config import JsonValue
from motet.methods.diffposetalk.coefficients import pack
from motet.methods.diffposetalk.flame import flame_mesh
from motet.methods.diffposetalk.loss import ClipPair, clip_losses, weighted
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.stages import flame_surface, trained_parts
from motet.methods.diffposetalk.state_dict import from_official
from motet.methods.diffposetalk.two_clip import ClipDraws, Pair, predict_clip, two_clip_losses
from tests.parity.diffposetalk.conftest import (
    SET,
    close,
    config_of,
    facts,
    filled,
    head_less,
    mesh_copies,
    model,
    options_of,
    path_of,
    rig,
    style_config,
    tensors,
    trunk_config,
    with_statistics,
)
from tests.parity.fixture_set import ReferenceTensors


def mesh(shape: torch.Tensor, expression: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
    """Vertices of the mesh of the set."""
    return flame_mesh(rig())(shape, expression, pose)[:, mesh_copies()]


@pytest.mark.parametrize("case", SET.cases("forward_train"))
@torch.no_grad()
def test_forward(case: str) -> None:
    found, call = tensors("forward_train"), facts("forward_train")["cases"][case]
    own = model(**call["options"])
    audio = own.encode_audio(found["in.audio"].float(), own.config.denoiser.window)
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


@pytest.mark.parametrize("case", SET.cases("losses"))
@torch.no_grad()
def test_loss_terms(case: str) -> None:
    found, call = tensors("losses"), facts("losses")["cases"][case]
    config = config_of(options_of(**call["options"]))
    width = (lambda values: values) if config.head else head_less
    pair = ClipPair(
        width(found["in.motion_gt"]),
        width(found["in.target"]),
        width(found["in.noise"]),
        None if call["is_starting_sample"] else width(found["in.prev_motion"]),
        found["in.end_idx"] if call["truncated"] else None,
        found["in.shape"],
    )
    own = clip_losses(pair, config, flame_surface(model().coefficients, mesh))
    expected = {name: value for name, value in call["losses"].items() if value is not None}
    assert set(own) == set(expected)
    for name, value in expected.items():
        assert float(own[name]) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("name", SET.files(r"train_\w+"))
def test_training_iterations(name: str) -> None:
    found, said = tensors(name), facts(name)
    style_encoder = dataclasses.replace(style_config("style_encoder_for_training"), dropout=0.0)
    config = config_of(options_of(name), style_encoder)
    config = dataclasses.replace(
        config,
        denoiser=dataclasses.replace(config.denoiser, dropout=0.0),
        trunk=dataclasses.replace(config.trunk, dropout=0.0),
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
    chances = config.loss.truncate
    for iteration in range(len(said["scalars"])):
        first, second = (recorded(draws, found, chance) for chance in chances)
        check_iteration(own, found, said, iteration, (first, second))


def recorded(draws: Iterator[dict], found: ReferenceTensors, chance: float) -> ClipDraws:
    """The random numbers of one clip: whether and where it ends early, drop, step, noise."""

    def value() -> torch.Tensor:
        entry = next(draws)
        return found[f"draw{entry['i']:02d}.{entry['kind']}"]

    ends = value() if next(draws)["value"] < chance else None
    return ClipDraws(ends, (value(),), value(), value())


def check_iteration(
    own: DiffPoseTalkModel,
    found: ReferenceTensors,
    said: dict,
    iteration: int,
    draws: tuple[ClipDraws, ClipDraws],
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
    for key, expected in said["scalars"][str(iteration)].items():
        key = key.split("/")[1]
        if key == "loss":
            assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
        elif key != "lr":
            weight = 1.0 if key == "noise" else getattr(own.config.loss, key)
            assert float(terms[key].detach()) / weight == pytest.approx(expected, rel=1e-4), key
    parameters = dict(own.named_parameters())
    for key, expected in said["grad_norms"][iteration].items():
        gradient = parameters[key].grad
        assert (0.0 if gradient is None else float(gradient.norm())) == pytest.approx(
            expected, rel=5e-4, abs=1e-3
        ), key
    for key, expected in found.items():
        if key.startswith(f"{at}grad."):
            gradient = parameters[key.removeprefix(f"{at}grad.")].grad
            assert gradient is not None or not expected.any(), key
            assert (
                gradient is None
                or float((gradient - expected).norm()) <= 5e-4 * float(expected.norm()) + 1e-6
            ), key


@pytest.mark.parametrize("case", SET.names("dataset", r"((?:begin|end)\.\d+)\.audio_mean_std"))
def test_data_base(case: str) -> None:
    pytest.importorskip("lmdb")
    from motet.data.readers.hdtf_tfhp import TfhpDatabase

    base, found = TfhpDatabase(path_of("lmdb/data.mdb").parent), tensors("dataset")
    window, (crop, line) = facts("dataset")["n_motions"], case.split(".")
    name = base.names[int(line)]
    clip = base.clip(name, 0 if crop == "begin" else base.frames[name] - 2 * window, 2 * window)
    (mean, std), (shape_mean, shape_std) = base.statistics(), base.shape_statistics()
    samples = (clip.samples - clip.samples.mean()) / (clip.samples.std() + 1e-5)
    motion = (clip.motion - mean) / (std + 1e-9)
    shape = (clip.shape - shape_mean) / (shape_std + 1e-9)
    moments = torch.stack([clip.samples.mean(), clip.samples.std()])
    close(moments, found[f"{case}.audio_mean_std"], 1e-6)
    for half, (audio, rows) in enumerate(zip(samples.chunk(2), motion.chunk(2), strict=True)):
        expected, expression = found[f"{case}.audio{half}"], found[f"{case}.exp{half}"]
        close(audio[: len(expected)], expected)
        close(rows[:, : expression.shape[1]], expression)
        close(rows[:, expression.shape[1] :], found[f"{case}.pose{half}"])
        close(shape, found[f"{case}.shape{half}"][0], 1e-3)


@pytest.mark.parametrize("case", SET.names("dataset", r"se\.(\w+\.\w+)\.motion0"))
def test_style_views_of_the_data_base(case: str) -> None:
    pytest.importorskip("lmdb")
    from motet.data.readers.hdtf_tfhp import TfhpDatabase

    base, found = TfhpDatabase(path_of("lmdb/data.mdb").parent, "test"), tensors("dataset")
    frames, (crop, kind) = facts("dataset")["se_total_frames"], case.split(".")
    name = base.names[0]
    clip = base.clip(name, 0 if crop == "begin" else base.frames[name] - frames, frames)
    own = copy.deepcopy(model("model_head" if kind == "head" else "model_nohead")).coefficients
    own.set(*base.statistics())
    vector, window = own.vector(clip.motion), facts("dataset")["n_motions"]
    close(vector[:window], found[f"se.{case}.motion0"])
    close(vector[-window:], found[f"se.{case}.motion1"])


STYLE_FILE = "se.pt"


def checkpoints() -> list[str]:
    """Denoiser checkpoints that the description of the folder lists."""
    path = SET.folder / "checkpoints" / "checkpoints.json"
    files = json.loads(path.read_text())["files"] if path.exists() else ["missing"]
    return [name for name in files if name != STYLE_FILE]


@pytest.mark.parametrize("name", checkpoints())
def test_official_checkpoints(name: str) -> None:
    denoiser, style = (read_official(path_of(f"checkpoints/{file}")) for file in (name, STYLE_FILE))
    statistics = read_official(path_of("lmdb/stats_train.npz"))
    heads: dict[str, JsonValue] = {"trunk": {"heads": trunk_config().heads}}
    imported = from_official([denoiser, style, statistics], heads)
    assert imported.config == config_of(options_of(), style_config("style_encoder_for_training"))
    own = DiffPoseTalkModel(imported.config)
    load_strict(own, imported.tensors)
    expected = tensors("model_head")
    for key, value in own.state_dict().items():
        if key in expected:
            assert torch.equal(value, expected[key]), key
    assert float(own.coefficients.known) == 1
    assert from_official([denoiser], heads).config.style is None
