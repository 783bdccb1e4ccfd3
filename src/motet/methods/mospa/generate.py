"""Window-by-window diffusion sampling of a body: eight seconds at a time, each window drawn from
noise of its item's own seed with the end of the last one imposed.
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
from motet.encoders.base import Waveform, encode, load_encoder
from motet.encoders.binaural import HOP, KEPT, RATE_HZ
from motet.errors import CheckpointError, ConfigError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import GENRES, MospaCondition, MospaConfig, SourceConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_position import SourcePath, estimated_position, parse_source
from motet.methods.mospa.windows import (
    SamplingConfig,
    SourceView,
    WindowConditions,
    sample_window,
    sampling_config,
    world_view,
)
from motet.nn.device import CPU, on_device
from motet.streaming.streaming_method import FeatureStream, StreamingMethod, StreamState
from motet.types import Audio, Motion, smplx25_space

FRAME_SAMPLES = HOP * KEPT
"""Samples of 30,720 Hz in a frame of 1/30 s."""
VELOCITY_FRAMES = {120: 4.0, 30: 1.0}
"""What a difference between rows at 30 a second is divided by to be a velocity of the model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MospaState(StreamState):
    """A session."""

    condition: MospaCondition
    sampling: SamplingConfig
    path: SourcePath | None
    """Source position; None: estimated from both channels in each window."""
    past: Float[Tensor, "batch known dim"] | None = None
    """The last frames that were generated, in the world; the next window begins with them."""


class Mospa(StreamingMethod[MospaConfig, MospaCondition, MospaState, Motion]):
    """Diffusion transformer from two ears and a source position to motion of a whole body.

    Its features refer to the loudest moment of what is analysed, so each window of samples is
    encoded by itself.
    """

    space, layout = smplx25_space(), "binaural"

    def __init__(self, model: MospaModel) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoder = Waveform(RATE_HZ, channels=2)
        name = "binaural" if self.config.hearing == "binaural" else "monaural"
        self._window_encoder = load_encoder(name)
        if self._window_encoder.dim != self.config.audio_dim:
            raise CheckpointError(
                f"these weights take {self.config.audio_dim} audio columns, the {name} encoder"
                f" gives {self._window_encoder.dim}; import them again"
            )

    @torch.inference_mode()
    def begin(self, condition: MospaCondition, seeds: Sequence[int]) -> MospaState:
        """A session before its first audio.

        Raises:
            ConfigError: a source, steps or a mode that this model cannot fulfil.
            AssetError: a path of a source that cannot be read.
        """
        return MospaState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self.encoder, len(seeds)),
            condition=condition,
            sampling=sampling_config(condition, self.model),
            path=_source_path(condition),
        )

    def window_ready(self, state: MospaState) -> bool:
        """Whether the next window's samples are complete."""
        stop = self._first_frame(state) + self.config.window
        return stop * FRAME_SAMPLES <= state.stream.features.stop

    def generate_window(
        self, state: MospaState
    ) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The new frames of one window in the world; after the audio follows silence."""
        with on_device(CPU):  # the network alone computes elsewhere
            config, known = self.config, 0 if state.past is None else state.past.shape[1]
            shift, angle = self._axes(state)
            imposed = None if state.past is None else turned(state.past, -angle, shift)
            conditions = self._conditions(state, shift, angle).to(self.device)
        noise = seeded_noise(state.seeds, (config.window, DIM), stream=self._window_number(state))
        vector = sample_window(
            self.model,
            conditions,
            state.sampling,
            noise(0),
            lambda move: noise(move + 1),
            None if imposed is None else imposed.to(self.device),
        )
        with on_device(CPU):
            return self._in_the_world(state, vector.to(CPU), shift, angle, known)

    def _in_the_world(
        self,
        state: MospaState,
        vector: Float[Tensor, "batch frames dim"],
        shift: Float[Tensor, "batch 3"],
        angle: Float[Tensor, "batch"],
        known: int,
    ) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The new frames of a window, in the world, and the state after them."""
        config, vector = self.config, turned_back(vector, angle, shift)
        if state.past is not None:
            vector = torch.cat([state.past, vector[:, known:]], 1)
        if state.condition.feet:
            vector = self._settled(vector, known, state.condition.upright)
        past = vector[:, config.window - config.overlap :] if config.overlap else None
        return vector[:, known:], dataclasses.replace(state, past=past)

    def first_needed(self, state: MospaState) -> int:
        """First sample of the next window."""
        return self._first_frame(state) * FRAME_SAMPLES

    def output(self, pieces: list[Tensor], batch: int) -> Motion:
        """Body vectors as motion of joints."""
        return vector_motion(torch.cat([torch.zeros(batch, 0, DIM), *pieces], 1))

    def _first_frame(self, state: MospaState) -> int:
        """Absolute number of the next window's first frame, which may be imposed."""
        imposed = self.config.overlap if state.frames_generated else 0
        return state.frames_generated - imposed

    def _window_number(self, state: MospaState) -> int:
        return self._first_frame(state) // (self.config.window - self.config.overlap)

    def _axes(self, state: MospaState) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch"]]:
        """Shift of the world and angle of the window's axes in it."""
        if state.past is None:
            return torch.zeros(state.batch, 3), torch.zeros(state.batch)
        first = state.past[:, 0]
        shift = first[:, ROOT] * torch.tensor([-1.0, 0.0, -1.0])
        return shift, heading(vector_rotations(first)[:, 0])

    def _conditions(
        self, state: MospaState, shift: Float[Tensor, "batch 3"], angle: Float[Tensor, "batch"]
    ) -> WindowConditions:
        start = self.first_needed(state)
        samples = state.stream.features.window(start, start + self.config.window * FRAME_SAMPLES)
        audio = encode(self._window_encoder, samples)[:, : self.config.window]
        genre = torch.full((state.batch,), GENRES.index(state.condition.genre))
        source, moving = self._source(state, samples, shift, angle)
        return WindowConditions(audio, genre, source, moving, self._source_config(state))

    def _source_config(self, state: MospaState) -> SourceConfig:
        condition = state.condition
        return self.config.source.with_choices(condition.source_norm, condition.source_input)

    def _source(
        self,
        state: MospaState,
        samples: Float[Tensor, "batch time 2"],
        shift: Float[Tensor, "batch 3"],
        angle: Float[Tensor, "batch"],
    ) -> tuple[SourceView, bool]:
        """Source-position encoding of this window."""
        config, mode, path = self._source_config(state), state.condition.source_mode, state.path
        frames, batch = self.config.window, state.batch
        seconds = (self._first_frame(state) + np.arange(frames)) / self.space.fps
        if path is not None and path.local:
            rows = path.at(seconds).expand(batch, -1, -1)
            rows = F.normalize(rows, dim=-1) if config.unit else rows
            return (lambda estimate: rows), False
        if path is not None:
            world = path.at(seconds).expand(batch, -1, -1)
        else:
            ears = samples.transpose(1, 2).contiguous()
            positions = [estimated_position(Audio(item, RATE_HZ, "binaural")) for item in ears]
            world = torch.from_numpy(np.stack(positions)).float().unsqueeze(1)
            world = world.expand(-1, frames, -1)
        up = torch.stack([torch.zeros_like(angle), -angle, torch.zeros_like(angle)], -1)
        own = _turn(world + shift.unsqueeze(1), up)
        if state.past is None:
            first = standing_vector(batch)
        else:
            first = turned(state.past[:, :1], -angle, shift)[:, 0]
        return world_view(own, first, config, "selfconsistent" if mode == "default" else mode)

    def _settled(
        self, vector: Float[Tensor, "batch frames dim"], known: int, upright: bool
    ) -> Float[Tensor, "batch frames dim"]:
        """Anchor standing feet and straighten legs that rest half bent."""
        rows, between = [], VELOCITY_FRAMES[self.config.velocity_fps]
        for item in vector:
            root, rotations = settle_feet(
                item[:, ROOT], vector_rotations(item), self.space.fps, known, upright
            )
            rows.append(encode_body(root, rotations, frames_between=between))
        return torch.cat([vector[:, :known], torch.stack(rows)[:, known:]], 1)


def _source_path(condition: MospaCondition) -> SourcePath | None:
    path = parse_source(condition.source)
    if condition.source_mode == "oracle" and (path is None or not path.local):
        raise ConfigError(
            "source_mode oracle needs a SAM sequence (.npz with sound_source) as source: only"
            " there the true path is known"
        )
    if path is not None and path.local and condition.source_mode != "oracle":
        raise ConfigError(
            "rows seen from a pelvis need source_mode oracle; give the position in the world,"
            " AZ,EL,DIST"
        )
    return path


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
    """The house skeleton at rest at the origin: the pose before the first window."""
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
