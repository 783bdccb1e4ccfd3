"""Sessions of MOSPA: windows of eight seconds, each drawn from noise of its item's own seed with
the end of the last one imposed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import (
    DIM,
    ROOT,
    encode_body,
    turned,
    vector_motion,
    vector_rotations,
)
from motet.body.foot_contact import settle_feet
from motet.body.skeleton import STANDING_HEIGHT_M, heading
from motet.checkpoint import load_strict
from motet.diffusion.sample import seeded_noise
from motet.diffusion.schedule import descend, descend_stride
from motet.encoders.binaural import HOP, KEPT, RATE_HZ, binaural_features, ear_features
from motet.errors import CheckpointError, ConfigError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.method import Method
from motet.methods.mospa.config import (
    EAR_COLUMNS,
    GENRES,
    LAGS,
    MospaCondition,
    MospaConfig,
    SourceConfig,
)
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_position import SourcePath, heard_place, parse_source
from motet.methods.mospa.windows import Draw, Heard, SourceView, sample_window, world_view
from motet.types import Audio, Motion, frame_count, smplx25_space

FRAME_SAMPLES = HOP * KEPT
"""Samples of 30,720 Hz in a frame of 1/30 s."""
VELOCITY_FRAMES = {120: 4.0, 30: 1.0}
"""What a difference between rows at 30 a second is divided by to be a velocity of the model."""


@dataclasses.dataclass(frozen=True)
class MospaState:
    """A session."""

    condition: MospaCondition
    seeds: tuple[int, ...]
    draw: Draw
    path: SourcePath | None
    """Where the sound is; None: heard in each window."""
    waiting: Float[Tensor, "batch 2 time"]
    """Sound from the beginning of the window that is not complete."""
    past: Float[Tensor, "batch known dim"] | None = None
    """The last frames that were answered, in the world."""
    window: int = 0
    heard: int = 0


class Mospa(Method[MospaConfig, MospaCondition, MospaState, Motion]):
    """Answers a window as soon as its sound is complete."""

    space = smplx25_space()

    def __init__(self, model: MospaModel) -> None:
        self.model = model.eval().requires_grad_(False)
        self.config = model.config
        if self.config.audio_dim != (
            2 * EAR_COLUMNS if self.config.hearing == "binaural" else EAR_COLUMNS - LAGS
        ):
            raise CheckpointError(
                f"a model of {self.config.audio_dim} audio columns cannot hear:"
                f" {self.config.hearing} ears give another number"
            )

    @torch.inference_mode()
    def begin(self, condition: MospaCondition, seeds: Sequence[int]) -> MospaState:
        """A session before its first sound.

        Raises:
            ConfigError: a source, steps or a mode that this model cannot fulfil.
            AssetError: a path of a source that cannot be read.
        """
        path = parse_source(condition.source)
        if condition.source_mode == "oracle" and (path is None or not path.local):
            raise ConfigError(
                "source_mode oracle needs a SAM sequence (.npz with sound_source) as source: only"
                " there the true path is known"
            )
        if path is not None and path.local and condition.source_mode != "oracle":
            raise ConfigError(
                "rows seen from a pelvis are of use with source_mode oracle only; give the place in"
                " the world, AZ,EL,DIST"
            )
        return MospaState(
            condition, tuple(seeds), self._draw(condition), path, torch.zeros(len(seeds), 2, 0)
        )

    @torch.inference_mode()
    def step(self, state: MospaState, audio: Audio) -> tuple[Motion, MospaState]:
        """Every window whose sound is complete."""
        audio.expect(RATE_HZ, "binaural")
        samples = audio.samples.float()
        state = dataclasses.replace(
            state,
            heard=state.heard + samples.shape[-1],
            waiting=torch.cat([state.waiting, samples], -1),
        )
        pieces = []
        while state.waiting.shape[-1] >= self.config.window * FRAME_SAMPLES:
            piece, state = self._window(state)
            pieces.append(piece)
        return self._motion(pieces, len(state.seeds)), state

    @torch.inference_mode()
    def finish(self, state: MospaState) -> Motion:
        """The remaining frames; silence follows the sound."""
        frames = frame_count(state.heard / RATE_HZ, self.space.fps) if state.heard else 0
        config, pieces = self.config, []
        given = (
            0
            if state.window == 0
            else config.window + (state.window - 1) * (config.window - config.overlap)
        )
        while given < frames:
            missing = config.window * FRAME_SAMPLES - state.waiting.shape[-1]
            piece, state = self._window(
                dataclasses.replace(state, waiting=F.pad(state.waiting, (0, max(0, missing))))
            )
            pieces.append(piece[:, : frames - given])
            given += pieces[-1].shape[1]
        return self._motion(pieces, len(state.seeds))

    def _window(self, state: MospaState) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The new frames of one window in the world, and the state after it."""
        config, known = self.config, 0 if state.past is None else state.past.shape[1]
        sound = state.waiting[..., : config.window * FRAME_SAMPLES]
        shift, angle = self._place(state)
        heard = Heard(
            self._features(sound),
            self._genre(state),
            *self._source(state, sound, shift, angle),
            self._told(state),
        )
        imposed = None if state.past is None else turned(state.past, -angle, shift)
        noise = seeded_noise(state.seeds, (config.window, DIM), stream=state.window)
        vector = sample_window(
            self.model, heard, state.draw, noise(0), lambda move: noise(move + 1), imposed
        )
        vector = turned_back(vector, angle, shift)
        if state.past is not None:
            vector = torch.cat([state.past, vector[:, known:]], 1)
        vector = (
            self._settled(vector, known, state.condition.upright)
            if state.condition.feet
            else vector
        )
        past = vector[:, config.window - config.overlap :] if config.overlap else None
        waiting = state.waiting[..., (config.window - config.overlap) * FRAME_SAMPLES :]
        return vector[:, known:], dataclasses.replace(
            state, past=past, window=state.window + 1, waiting=waiting
        )

    def _place(self, state: MospaState) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch"]]:
        """By what the world is shifted and about what angle the window's own axes are turned in
        it.
        """
        if state.past is None:
            return torch.zeros(len(state.seeds), 3), torch.zeros(len(state.seeds))
        first = state.past[:, 0]
        return first[:, ROOT] * torch.tensor([-1.0, 0.0, -1.0]), heading(
            vector_rotations(first)[:, 0]
        )

    def _features(
        self, sound: Float[Tensor, "batch 2 time"]
    ) -> Float[Tensor, "batch frames columns"]:
        if self.config.hearing == "binaural":
            rows = [binaural_features(Audio(item, RATE_HZ, "binaural")) for item in sound]
        else:
            rows = [ear_features(item.mean(0), rhythm=False) for item in sound]
        return torch.stack(rows)[:, : self.config.window]

    def _told(self, state: MospaState) -> SourceConfig:
        return self.config.source.with_choices(
            state.condition.source_norm, state.condition.source_input
        )

    def _genre(self, state: MospaState) -> Tensor:
        return torch.full((len(state.seeds),), GENRES.index(state.condition.genre))

    def _source(
        self, state: MospaState, sound: Tensor, shift: Tensor, angle: Tensor
    ) -> tuple[SourceView, bool]:
        """How the network sees the source in this window."""
        frames, mode = self.config.window, state.condition.source_mode
        moments = (
            state.window * (frames - self.config.overlap) + np.arange(frames)
        ) / self.space.fps
        if state.path is not None and state.path.local:
            rows = state.path.at(moments).expand(len(sound), -1, -1)
            rows = F.normalize(rows, dim=-1) if self._told(state).unit else rows
            return (lambda estimate: rows), False
        if state.path is not None:
            world = state.path.at(moments).expand(len(sound), -1, -1)
        else:
            places = [heard_place(Audio(item, RATE_HZ, "binaural")) for item in sound]
            world = torch.from_numpy(np.stack(places)).float().unsqueeze(1).expand(-1, frames, -1)
        up = torch.stack([torch.zeros_like(angle), -angle, torch.zeros_like(angle)], -1)
        own = _turn(world + shift.unsqueeze(1), up)
        first = (
            standing_vector(len(sound))
            if state.past is None
            else turned(state.past[:, :1], -angle, shift)[:, 0]
        )
        return world_view(
            own, first, self._told(state), "selfconsistent" if mode == "default" else mode
        )

    def _settled(
        self, vector: Float[Tensor, "batch frames dim"], known: int, upright: bool
    ) -> Float[Tensor, "batch frames dim"]:
        """Feet that stay where they stand, under legs that do not stay half bent."""
        rows = []
        for item in vector:
            root, rotations = settle_feet(
                item[:, ROOT], vector_rotations(item), self.space.fps, known, upright
            )
            rows.append(
                encode_body(
                    root, rotations, frames_between=VELOCITY_FRAMES[self.config.velocity_fps]
                )
            )
        settled = torch.stack(rows)
        return torch.cat([vector[:, :known], settled[:, known:]], 1)

    def _motion(self, pieces: Sequence[Tensor], batch: int) -> Motion:
        return vector_motion(torch.cat([torch.zeros(batch, 0, DIM), *pieces], 1))

    def _draw(self, condition: MospaCondition) -> Draw:
        config, schedule = self.config, self.model.schedule
        name = config.sampler if condition.sampler == "default" else condition.sampler
        count = condition.steps or (schedule.steps if name == "ancestral" else config.steps)
        if count > schedule.steps:
            raise ConfigError(
                f"this model knows {schedule.steps} diffusion steps; steps must not be more, not"
                f" {count}"
            )
        even = name == "ddim" and schedule.steps % count == 0
        steps = (
            descend_stride(schedule, count)
            if even
            else descend(schedule, count, "log_snr" if name == "dpm++2m" else "uniform")
        )
        return Draw(name, tuple(steps), condition.guidance, condition.flexibility)


def turned_back(
    vector: Float[Tensor, "batch frames dim"],
    angle: Float[Tensor, "batch"],
    shift: Float[Tensor, "batch 3"],
) -> Tensor:
    """The inverse of `turned(vector, -angle, shift)`."""
    still = torch.zeros_like(shift)
    return turned(turned(vector, angle, still), torch.zeros_like(angle), -shift)


def _turn(
    places: Float[Tensor, "batch frames 3"], axis_angle: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch frames 3"]:
    return places @ matrix_from_axis_angle(axis_angle).transpose(-1, -2)


def standing_vector(batch: int) -> Float[Tensor, "batch dim"]:
    """The house skeleton at rest at the origin: where a figure is before anything is known of
    it.
    """
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).expand(batch, 1, 3)
    return encode_body(root, torch.eye(3).expand(batch, 1, 25, 3, 3))[:, 0]


def build(
    config: MospaConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> Mospa:
    """The method from weights, or with random ones when there are none.

    Raises:
        CheckpointError: the weights do not fit.
    """
    del facts
    model = MospaModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return Mospa(model)
