"""Sampling against the published program: one window under every guidance, and whole recordings."""

from __future__ import annotations

import copy

import pytest
import torch

from motet.diffusion.schedule import descend
from motet.methods.diffposetalk.model import standardise
from motet.methods.diffposetalk.recording import (
    encode_recording,
    published_frames,
    sample_recording,
)
from motet.methods.diffposetalk.sampling_config import Guidance, SamplingConfig, resolve_scales
from motet.methods.diffposetalk.windows import (
    Past,
    Person,
    Randomness,
    first_past,
    sample_window,
)
from tests.parity.diffposetalk.conftest import (
    SET,
    close,
    facts,
    model,
    options_of,
    tensors,
    with_statistics,
)

DEFAULT_SCALE, DEFAULT_LIMITS = 1.15, (1.0, 4.0)
"""Defaults of the published program, where a call of the set names none."""


def guidance(call: dict) -> Guidance:
    names, scales = resolve_scales(
        call.get("cfg_cond", ["audio", "style"]), call.get("cfg_scale", DEFAULT_SCALE)
    )
    limits = call.get("dynamic_threshold") or (
        (call["dt"], *DEFAULT_LIMITS) if "dt" in call else None
    )
    return Guidance(
        names,
        scales,
        "independent_published" if call.get("cfg_mode") == "independent" else "incremental",
        limits and tuple(limits),
    )


@pytest.mark.parametrize("case", SET.cases("sample_single_window"))
@torch.no_grad()
def test_one_window(case: str) -> None:
    found, call, own = (
        tensors("sample_single_window"),
        facts("sample_single_window")["cases"][case]["call"],
        model(),
    )
    batch, window = found["in.audio_feat"].shape[:2]
    past = (
        Past(found["in.prev_motion_feat"], found["in.prev_audio_feat"])
        if call.get("prev")
        else first_past(own, batch)
    )
    real = found["in.indicator"] if call.get("indicator") else torch.ones(batch, window)
    person = Person(found["in.shape_feat"], None if call.get("nostyle") else found["in.style_feat"])
    total = own.config.diffusion.steps
    steps = descend(own.schedule, total)
    for walked, key in ((steps, "out"), (steps[: total // 2 + 1], "traj_mid")):
        flexibility = call.get("flexibility", 0.0)
        draw = SamplingConfig("ancestral", tuple(walked), guidance(call), flexibility)
        answer = sample_window(
            own,
            found["in.audio_feat"],
            person,
            past,
            draw,
            found["noise_T"],
            lambda k: found["noise_z"][k],
            real,
        )
        close(answer, found[f"{case}.{key}"])


@torch.no_grad()
def test_noise_target() -> None:
    found, options = tensors("sample_noise_target"), options_of("sample_noise_target")
    own = model(**{name: options[name] for name in ("target", "diff_schedule", "n_diff_steps")})
    draw = SamplingConfig(
        "ancestral",
        tuple(descend(own.schedule, own.config.diffusion.steps)),
        Guidance(scales=tuple(facts("sample_noise_target")["cfg_scale"])),
    )
    person = Person(found["in.shape_feat"], found["in.style_feat"])
    answer = sample_window(
        own,
        found["in.audio_feat"],
        person,
        first_past(own, len(found["in.style_feat"])),
        draw,
        found["noise_T"],
        lambda k: found["noise_z"][k],
    )
    close(answer, found["out"])


@pytest.mark.parametrize("case", SET.cases("longform"))
@torch.no_grad()
def test_whole_recording(case: str) -> None:
    found, call = tensors("longform"), facts("longform")["cases"][case]
    own = with_statistics(copy.deepcopy(model(call["weights"])), "longform")
    takes, expression = call["nrep"], len(found["stats.exp_mean"])
    samples = standardise(found[f"{case}.audio"].float().unsqueeze(0))
    frames = published_frames(samples.shape[1])
    assert frames == call["frames"]
    features = encode_recording(own, samples, frames, each_window=not call.get("ctx", True)).expand(
        takes, -1, -1
    )
    shape = own.coefficients.shape_vector(found[f"{case}.shape"].unsqueeze(0)).expand(takes, -1)
    person = Person(
        shape, None if call.get("nostyle") else found[f"{case}.style"].expand(takes, -1)
    )
    start, moves = found[f"{call['noise']}.T"], found[f"{call['noise']}.z"]
    randomness = Randomness(lambda window: start, lambda window: lambda k: moves[window, k])
    draw = SamplingConfig(
        "ancestral", tuple(descend(own.schedule, own.config.diffusion.steps)), guidance(call)
    )
    motion = own.coefficients.motion(
        sample_recording(own, features, frames, person, draw, randomness)
    )
    close(motion[..., :expression], found[f"{case}.out.exp"])
    close(motion[..., expression:], found[f"{case}.out.pose"])
