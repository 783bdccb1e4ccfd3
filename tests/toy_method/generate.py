"""The toy method's stream: whole frames of 640 samples; the rest is kept in the state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.method import Method
from motet.types import Audio, Motion, arkit_space, frame_count
from tests.toy_method.config import ToyCondition, ToyConfig
from tests.toy_method.model import ToyModel

FRAME = 640


@dataclasses.dataclass(frozen=True)
class ToyState:
    """State of a session."""

    condition: ToyCondition
    seeds: tuple[int, ...]
    buffer: Tensor
    samples_received: int = 0
    frames_emitted: int = 0


class Toy(Method[ToyConfig, ToyCondition, ToyState, Motion]):
    """Loudness opens the jaw; the head trembles at random."""

    space = arkit_space()

    def __init__(self, model: ToyModel) -> None:
        self.model, self.config = model.eval(), model.config

    def begin(self, condition: ToyCondition, seeds: Sequence[int]) -> ToyState:
        """An empty state."""
        return ToyState(condition, tuple(seeds), torch.zeros(len(seeds), 0))

    def step(self, state: ToyState, audio: Audio) -> tuple[Motion, ToyState]:
        """All frames whose samples are complete."""
        audio.expect(16000, "mono")
        samples = torch.cat([state.buffer, audio.samples[:, 0]], dim=1)
        count = samples.shape[1] // FRAME
        samples_received = state.samples_received + audio.samples.shape[-1]
        motion = self._frames(samples[:, : count * FRAME], state)
        return motion, dataclasses.replace(
            state,
            buffer=samples[:, count * FRAME :],
            samples_received=samples_received,
            frames_emitted=state.frames_emitted + count,
        )

    def finish(self, state: ToyState) -> Motion:
        """The last frame, if the sound ends in the middle of one."""
        missing = (
            max(0, frame_count(state.samples_received / 16000, 25) - state.frames_emitted)
            if state.samples_received
            else 0
        )
        padded = torch.nn.functional.pad(state.buffer, (0, missing * FRAME))[:, : missing * FRAME]
        return self._frames(padded, state)

    @torch.no_grad()
    def _frames(self, samples: Tensor, state: ToyState) -> Motion:
        loudness = (
            samples.unflatten(1, (-1, FRAME)).square().mean(2, keepdim=True).add(1e-8).log10()
            if samples.shape[1]
            else samples.new_zeros(len(state.seeds), 0, 1)
        )
        values = torch.zeros(len(state.seeds), loudness.shape[1], self.space.dim)
        values[..., self.space.index("blendshapes", "jawOpen")] = self.model(loudness)[..., 0]
        for item, seed in enumerate(state.seeds):
            for frame in range(loudness.shape[1]):
                noise = torch.Generator().manual_seed(
                    seed * 1_000_003 + state.frames_emitted + frame
                )
                values[item, frame, self.space.range("head")] = (
                    state.condition.jitter * torch.randn(3, generator=noise)
                )
        return Motion(values, self.space)


def build(
    config: ToyConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, JsonValue]
) -> Toy:
    """The method from weights, or with random ones when there are none."""
    del facts
    model = ToyModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return Toy(model)
