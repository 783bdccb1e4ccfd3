"""Parts of MOSPA against the published code: features, schedules, motion, denoiser, losses."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
import torch

from motet.audio import resample
from motet.body.feature_vector import encode_body, vector_motion, vector_positions, vector_rotations
from motet.body.skeleton import body_motion, pose_body
from motet.diffusion.denoise import add_noise
from motet.diffusion.schedule import section_timesteps, strided_timesteps
from motet.encoders.binaural import COLUMNS, EAR_DIM, ear_features
from motet.geometry.rotation import (
    axis_angle_from_matrix,
    matrix_from_6d_rows,
    matrix_from_axis_angle,
    quaternion_from_axis_angle,
    quaternion_from_matrix,
    rotation_6d_rows,
)
from motet.methods.mospa.config import LossConfig, MospaConfig
from motet.methods.mospa.loss import Window, total_loss, window_losses
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.noise_schedule import noise_schedule
from motet.methods.mospa.source_encoding import source_input
from motet.methods.mospa.state_dict import from_official, own_name
from motet.types import SMPLX25_PARENTS, Audio
from tests.parity.fixture_set import numbers_in
from tests.parity.mospa.conftest import (
    SET,
    close,
    facts,
    official_model,
    path_of,
    published_shapes,
    rule_weights,
    seeds_in,
    shape_in,
    tensors,
)


@pytest.mark.parametrize("ear", ["l", "r"])
def test_features_of_an_ear(ear: str) -> None:
    offset = 0 if ear == "l" else facts("audio")["second_channel_offset"]
    samples, rate = soundfile.read(path_of(f"clip_1_{ear}.wav"), dtype="float32")
    assert rate == facts("audio")["options"]["sampling_rate"]
    expected = tensors("audio")["features_30"][:, offset : offset + EAR_DIM]
    found = ear_features(torch.from_numpy(samples))[
        : len(expected)
    ]  # the compact subset has the first frames only
    assert found.shape == expected.shape
    for name, columns in COLUMNS.items():
        spread = float(expected[:, columns].max() - expected[:, columns].min())
        worst = float((found[:, columns] - expected[:, columns]).abs().max())
        assert worst <= (0 if name in ("beat", "active") else 1e-4 * max(spread, 1e-6)), (
            name,
            worst,
            spread,
        )
    every = ear_features(torch.from_numpy(samples), every=1, rhythm=False)
    chosen = tensors("audio")["nontempogram_columns"]
    own = (chosen >= offset) & (chosen < offset + EAR_DIM)
    expected = tensors("audio")["features_120_nontempogram"][:, own]
    close(every[: len(expected)], expected)
    beats = every[:, -3].nonzero()[:, 0].tolist()
    assert beats == facts("audio")["beat_frames"][ear]


def test_resampling() -> None:
    samples, rate = soundfile.read(path_of("resample_48k.wav"), dtype="float32")
    target = facts("audio")["options"]["sampling_rate"]
    close(
        resample(Audio.mono(torch.from_numpy(samples), rate), target).samples[0],
        tensors("audio")[f"resampled_{target}"],
        2e-4,
    )


@pytest.mark.parametrize("name", SET.names("diffusion_tables", r"([a-z]+\d+)\.betas"))
def test_schedules(name: str) -> None:
    kind, steps = re.fullmatch(r"([a-z]+)(\d+)", name).groups()
    config = MospaConfig(schedule=kind, diffusion_steps=int(steps), steps=1)
    found, expected = noise_schedule(config), tensors("diffusion_tables")
    rows = torch.arange(int(steps))
    if len(expected[f"{name}.alphas_cumprod"]) < len(rows):
        rows = rows[:: numbers_in(facts("diffusion_tables")["what"], r"indices 0,(\d+),")[0]]
    bars, before, betas = found.alpha_bars[1:], found.alpha_bars[:-1], found.betas[1:]
    variance = found.sigmas_inflex[1:].square()
    own = {
        "alphas_cumprod": bars,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": bars.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - bars).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": torch.cat([variance[1:2], variance[1:]]).log(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - bars),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - bars),
    }
    close(betas, expected[f"{name}.betas"], 1e-10)
    for table, values in own.items():
        close(values[rows], expected[f"{name}.{table}"], 1e-10)


@pytest.mark.parametrize("name", SET.names("diffusion_tables", r"spaced\.(.+)"))
def test_kept_steps(name: str) -> None:
    steps, _, sections = name.partition("_to_")
    schedule = noise_schedule(MospaConfig(diffusion_steps=int(steps)))
    if sections.startswith("ddim"):
        kept = strided_timesteps(schedule, int(sections.removeprefix("ddim")))
    else:
        kept = section_timesteps(schedule, [int(count) for count in sections.split(",")])
    expected = tensors("diffusion_tables")[f"spaced.{name}"].tolist()
    assert [step - 1 for step in reversed(kept[:-1])] == expected


def short(axis_angle: torch.Tensor) -> torch.Tensor:
    """The same rotation by at most half a turn: the released decoder gives up to a whole one."""
    angle = axis_angle.norm(dim=-1, keepdim=True)
    return torch.where(angle > torch.pi, axis_angle * (1 - 2 * torch.pi / angle), axis_angle)


DECIMATION = 120 // 30
"""The released data set keeps one of so many frames (frames a second are in the tensors' names)."""


def test_motion_vector_and_kinematics() -> None:
    found = tensors("motion")
    assert found["parents"].tolist() == list(SMPLX25_PARENTS)
    offsets = found["skeleton_offsets"]
    rotations = matrix_from_axis_angle(found["poses"][:, : len(offsets)]).double()
    every = encode_body(found["trans"].double(), rotations, offsets)
    first = found["motion_vec_120"]
    close(every[: len(first)], first.double())
    vector = every[::DECIMATION]
    close(vector, found["motion_vec_30"].double())
    close(axis_angle_from_matrix(vector_rotations(vector)).float(), short(found["decoded_aa"]))
    close(vector_positions(vector.float(), offsets), found["fk_positions"])
    motion = vector_motion(vector.float())
    close(pose_body(motion, offsets).positions, found["fk_positions"])
    turn = matrix_from_axis_angle(found["poses"][:, 0]).double()
    local = (
        turn.mT @ (found["sound_source_world"] - found["trans"].double()).unsqueeze(-1)
    ).squeeze(-1)
    close(local, found["sound_source_local"].double())
    close(local[::DECIMATION], found["ssl_30"])
    assert body_motion(motion["root"], vector_rotations(vector.float())).space == motion.space


def test_rotation_forms() -> None:
    found = tensors("motion")
    turns = found["conv_aa"]
    close(quaternion_from_axis_angle(turns), found["conv_quat"])
    matrix = matrix_from_axis_angle(turns)
    close(matrix, found["conv_mat"])
    close(rotation_6d_rows(matrix), found["conv_6d"])
    close(quaternion_from_matrix(matrix_from_6d_rows(found["conv_6d"])), found["conv_6d_to_quat"])
    close(
        axis_angle_from_matrix(matrix_from_6d_rows(found["conv_6d"])), short(found["conv_6d_to_aa"])
    )
    close(matrix_from_6d_rows(found["raw6d"]), found["raw6d_to_mat"])
    close(axis_angle_from_matrix(matrix_from_6d_rows(found["raw6d"])), short(found["raw6d_to_aa"]))


def inputs(found: dict) -> tuple:
    return found["x"].mT, found["t"] + 1, found["audio"].mT, found["pred_ss"].mT, found["state"]


@torch.no_grad()
@pytest.mark.parametrize("case", SET.cases("denoiser_io"))
def test_denoiser(case: str) -> None:
    found = tensors("denoiser_io")
    model = official_model(
        **(
            {case.removeprefix("out_"): True}
            if case in ("out_mask_sound_source", "out_mask_genre")
            else {}
        )
    )
    x, step, audio, source, genre = inputs(found)
    if case == "out_unit_ss":
        source = torch.nn.functional.normalize(source, dim=-1)
    received = torch.zeros(len(x)) if case == "out_audio_masked" else None
    close(
        model(x, step, audio, source_input(source, model.config.source), genre, received).mT,
        found[case],
    )


@torch.no_grad()
def test_inside_the_denoiser() -> None:
    found, model = tensors("denoiser_io"), official_model()
    x, step, audio, source, genre = inputs(found)
    known = source_input(source, model.config.source)
    close(model.embed_step(model.positions[step - 1])[None], found["tap.time_emb"])
    close(model.embed_audio(audio).transpose(0, 1), found["tap.audio_emb"])
    close(model.embed_motion(x).transpose(0, 1), found["tap.motion_emb"])
    close(model.embed_source(known).transpose(0, 1), found["tap.ss_emb"])
    close(model.embed_genre[genre], found["tap.genre_emb"])
    given = model.embed_conditions(audio, known, genre)
    tokens = model.tokens(x, step, given)
    close(tokens.transpose(0, 1), found["tap.after_pos"])
    for number, layer in enumerate(model.layers):
        tokens, before = layer(tokens), tokens
        close(tokens.transpose(0, 1), found[f"tap.enc_layer{number}"])
        if number < len(model.layers) - 1:
            quick = (
                given.layers[number](before)
                if number
                else given.layers[0].after_known(before, given.known)
            )
            close(quick.transpose(0, 1), found[f"tap.enc_layer{number}"])


@torch.no_grad()
def test_the_published_size() -> None:
    found, said = tensors("denoiser_full_io"), facts("denoiser_full_io")
    options, rule = said["options"], said["input_rule"]
    published = MospaConfig(
        audio_dim=options["audio_dim"],
        width=options["latent_dim"],
        inner=options["ff_size"],
        layers=options["num_layers"],
        heads=options["num_heads"],
    )
    assert published == MospaConfig()
    made = rule_weights(published_shapes(published), seeds_in(said["weight_rule"])[0])
    imported = from_official([{"state_dict": made, "config": options}])
    assert imported.config == published
    model = MospaModel(imported.config).eval()
    assert sum(p.numel() for p in model.parameters()) == said["parameters"]
    model.load_state_dict(imported.tensors)
    random = np.random.RandomState(seeds_in(rule)[0])
    x, audio, source = (
        torch.from_numpy(random.standard_normal(shape_in(rule, name)).astype(np.float32))
        for name in ("x", "audio", "pred_ss")
    )
    probe = found["x_probe"]
    close(x[0, : len(probe), : probe.shape[1]], probe, 0)
    estimate = model(
        x.mT,
        torch.tensor([said["t"] + 1]),
        audio.mT,
        source_input(source.mT, published.source),
        torch.tensor([said["state"]]),
    ).mT
    count = int(SET.names("denoiser_full_io", r"out_first(\d+)")[0])
    close(estimate[..., :count], found[f"out_first{count}"])
    stride = int(SET.names("denoiser_full_io", r"out_every(\d+)")[0])
    close(estimate[..., ::stride], found[f"out_every{stride}"])
    whole = estimate.double()
    close(torch.stack([whole.sum(), whole.abs().sum(), whole.square().sum()]), found["checks"])


def test_losses_and_gradients() -> None:
    found, model = tensors("losses"), official_model()
    offsets = tensors("motion")["skeleton_offsets"]
    noisy = add_noise(model.schedule, found["x_start"], found["noise"].mT, found["t"] + 1)
    close(noisy.mT, found["x_t"])
    estimate = model(
        noisy,
        found["t"] + 1,
        found["audio"],
        source_input(found["ssl"], model.config.source),
        found["state"],
    )
    close(estimate, found["model_output"])
    terms = window_losses(Window(found["x_start"], estimate), offsets)
    for name, value in terms.items():
        close(value, found[f"loss_{name}"])
    for prefix, config in (("", LossConfig()), ("_finetune", LossConfig(finetune=True))):
        total = total_loss(terms, config)
        close(total, found[f"loss{prefix}"])
        model.zero_grad()
        total.mean().backward(retain_graph=True)
        parameters = dict(model.named_parameters())
        for name in (name for name in found if name.startswith(f"grad{prefix}.")):
            scale = found[name].abs().max()
            close(
                parameters[own_name(name.split(".", 1)[1])].grad / scale, found[name] / scale, 1e-3
            )
