"""DiffPoseTalk's published denoiser: a guided step against PyTorch's own decoder, and a recording.

python -m benchmarks.diffposetalk -o diffposetalk.json      # about 1.5 GB of memory
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.report import run
from motet.evaluation.bench.clock import least_cpu_seconds
from motet.methods.diffposetalk.config import PRESETS, DiffPoseTalkCondition, DiffPoseTalkConfig
from motet.methods.diffposetalk.denoiser import Denoiser
from motet.methods.diffposetalk.generate import DiffPoseTalk
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.sampling_config import Guidance
from motet.methods.diffposetalk.windows import Person
from motet.types import Audio

PUBLISHED = {"guided_step": 0.41, "steps": 500}
"""Of the published code, one thread (method card)."""
EVALUATIONS = 3
"""Sequences of a guided step: nothing, sound, sound and style."""


def plain_step(
    net: Denoiser,
    motion: Tensor,
    audio: Tensor,
    person: Tensor,
    past_motion: Tensor,
    past_audio: Tensor,
    step: Tensor,
) -> Tensor:
    """The denoiser as published: every evaluation computes everything, through PyTorch's own
    decoder layers.
    """
    own, batch = net.settings, len(motion)
    token = net.person_proj(person) + net.time_vectors(step)
    frames = torch.cat([past_motion, motion], 1)
    if own.indicator:
        real = torch.cat(
            [frames.new_zeros(batch, own.context), frames.new_ones(batch, own.window)], 1
        )
        frames = torch.cat([frames, real.unsqueeze(-1)], -1)
    tokens = torch.cat([token.unsqueeze(1), net.feature_proj(frames)], 1) + net.PE
    mask = None if net.visible is None else ~net.visible
    answer = net.transformer(tokens, torch.cat([past_audio, audio], 1), memory_mask=mask)
    return net.motion_dec(answer[:, 1:])


@torch.inference_mode()
def measure(config: DiffPoseTalkConfig, seconds: float = 10.0, repeats: int = 5) -> dict[str, Any]:
    """One guided step in both forms, and a whole recording at the default number of steps."""
    torch.manual_seed(0)
    model = DiffPoseTalkModel(config).eval().requires_grad_(False)
    net, own = model.denoising_net, config.denoiser
    motion, past = (
        torch.randn(EVALUATIONS, own.window, config.motion_dim),
        torch.randn(EVALUATIONS, own.context, config.motion_dim),
    )
    audio, past_audio = (
        torch.randn(EVALUATIONS, own.window, own.width),
        torch.randn(EVALUATIONS, own.context, own.width),
    )
    person, step = torch.randn(EVALUATIONS, config.shape_dim + config.style_dim), torch.tensor([7])
    usual = plain_step(net, motion, audio, person, past, past_audio, step)[:, own.context :]
    slow = least_cpu_seconds(
        lambda: plain_step(net, motion, audio, person, past, past_audio, step), repeats
    )
    net.pack()
    if model.audio_encoder is not None:
        model.audio_encoder.pack()
    free, when = net.prepare(audio, person, past, past_audio), net.time_vectors(step)
    result = net.step(motion, when, free, keep=own.window)
    fast = least_cpu_seconds(lambda: net.step(motion, when, free, keep=own.window), repeats)
    method = DiffPoseTalk(model, None)
    sound = Audio.mono(0.1 * torch.randn(1, round(16000 * seconds)), 16000)
    style = torch.zeros(1, config.style_dim)
    whole = least_cpu_seconds(lambda: _run(method, sound, style), 2)
    windows = -(-round(seconds * 25) // own.window)
    official = PUBLISHED["guided_step"] * PUBLISHED["steps"] * windows
    return {
        "guided_step": {
            "plain": round(slow, 3),
            "ours": round(fast, 3),
            "ratio": round(slow / fast, 2),
            "difference": float((usual - result).abs().max()),
        },
        "recording": {
            "seconds": seconds,
            "steps": config.steps,
            "ours": round(whole, 2),
            "published_sampling": official,
            "ratio": round(official / whole, 1),
        },
        "published": PUBLISHED,
    }


def _run(method: DiffPoseTalk, sound: Audio, style: Tensor) -> Tensor:
    """A recording with sound and style guided, so that all three evaluations are needed."""
    state = method.begin(DiffPoseTalkCondition(), (0,))
    scales = (state.condition.guidance_audio, state.condition.guidance_style)
    sampling = dataclasses.replace(state.sampling, guidance=Guidance(("audio", "style"), scales))
    state = dataclasses.replace(state, person=Person(None, style), sampling=sampling)
    _, state = method.step(state, sound)
    return method.finish(state).values


if __name__ == "__main__":
    run("diffposetalk", partial(measure, PRESETS["published"]))
