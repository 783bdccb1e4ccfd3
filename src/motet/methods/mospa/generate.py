"""Window-by-window diffusion sampling of a body: eight seconds at a time, each window drawn from
noise of its item's own seed with the end of the last one imposed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
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
from motet.body.idle_life import add_life
from motet.body.motion_continuity import join_to_known
from motet.body.skeleton import STANDING_HEIGHT_M, heading
from motet.checkpoint import load_strict
from motet.diffusion.sample import seeded_noise
from motet.encoders.base import Waveform, encode, load_encoder
from motet.encoders.binaural import HOP, KEPT, RATE_HZ
from motet.errors import CheckpointError, ConfigError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import (
    GENRES,
    ROLES,
    MospaCondition,
    MospaConfig,
    SourceConfig,
)
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_events import attended_rows, find_events, smooth_switches
from motet.methods.mospa.source_position import SourcePath, estimated_position, parse_source
from motet.methods.mospa.start_pose import StartPose, read_start, standing_start
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
END_FRAMES = 8
"""Frames at the end of a window that are not used where another window can follow."""
VELOCITY_FRAMES = {120: 4.0, 30: 1.0}
"""What a difference between rows at 30 a second is divided by to be a velocity of the model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MospaState(StreamState):
    """A session."""

    condition: MospaCondition
    sampling: SamplingConfig
    path: SourcePath | None
    """Source position; None: estimated from both channels in each window."""
    start: StartPose | None
    """The first frame; None: generated too, as published."""
    past: Float[Tensor, "batch known dim"] | None = None
    """The last frames that were generated, before they were placed in the world; the next window
    begins with them."""
    attended: tuple[np.ndarray | None, ...] = ()
    """With `events`: position of the source that each item attended to where the next window
    begins, metres; None before the first event."""

    @property
    def known(self) -> Float[Tensor, "batch known dim"] | None:
        """The first frames of the next window, as far as they are given."""
        if self.past is not None or self.start is None:
            return self.past
        return self.start.vector.expand(self.batch, 1, DIM)


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
            start=self._start(condition),
            attended=(None,) * len(seeds),
        )

    def _start(self, condition: MospaCondition) -> StartPose | None:
        """Published models generate their first frame, unless one is given."""
        if condition.start:
            return read_start(Path(condition.start))
        return standing_start() if self.config.guessing else None

    def window_ready(self, state: MospaState) -> bool:
        """Whether the next window's samples are complete."""
        stop = self._first_frame(state) + self.config.window
        return stop * FRAME_SAMPLES <= state.stream.features.stop

    def generate_window(
        self, state: MospaState
    ) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The new frames of one window in the world; after the audio follows silence."""
        with on_device(CPU):  # the network alone computes elsewhere
            config, known = self.config, state.known
            shift, angle = self._axes(state)
            imposed = None if known is None else turned(known, -angle, shift)
            conditions, state = self._conditions(state, shift, angle)
            conditions = conditions.to(self.device)
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
            return self._in_the_world(state, turned_back(vector.to(CPU), angle, shift))

    def _in_the_world(
        self, state: MospaState, vector: Float[Tensor, "batch frames dim"]
    ) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The new frames of a window, placed in the world, and the state after them."""
        config, known = self.config, state.known
        count = 0 if known is None else known.shape[1]
        if known is not None:
            vector = torch.cat([known, vector[:, count:]], 1)
        vector = self._finished(vector, count, state)
        stop = config.window - self._discarded
        past = vector[:, stop - config.overlap : stop] if config.overlap else None
        vector = vector[:, :stop]
        # The start pose is the first frame; the past was emitted with the window before.
        new = vector if state.past is None else vector[:, count:]
        if state.start is not None:
            new = state.start.placed(new)
        return new, dataclasses.replace(state, past=past)

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
        new = self.config.window - self.config.overlap - self._discarded
        return self._first_frame(state) // new

    @property
    def _discarded(self) -> int:
        """Frames at the end of each window that the next window generates anew: they lack what
        follows, for the network as for foot contacts.
        """
        config = self.config
        return min(END_FRAMES, config.window // 6) if config.guessing and config.overlap else 0

    def _axes(self, state: MospaState) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch"]]:
        """Shift of the world and angle of the window's axes in it."""
        if state.past is None:
            return torch.zeros(state.batch, 3), torch.zeros(state.batch)
        first = state.past[:, 0]
        shift = first[:, ROOT] * torch.tensor([-1.0, 0.0, -1.0])
        return shift, heading(vector_rotations(first)[:, 0])

    def _conditions(
        self, state: MospaState, shift: Float[Tensor, "batch 3"], angle: Float[Tensor, "batch"]
    ) -> tuple[WindowConditions, MospaState]:
        """Conditions of the next window, and the state with what its sound tells."""
        start = self.first_needed(state)
        samples = state.stream.features.window(start, start + self.config.window * FRAME_SAMPLES)
        audio = encode(self._window_encoder, samples)[:, : self.config.window]
        genre = torch.full((state.batch,), GENRES.index(state.condition.genre))
        role = None
        if self.config.roles:
            role = torch.full((state.batch,), ROLES.index(self._role(state)))
        world, state = self._world_source(state, samples)
        source, moving = self._source_view(state, world, shift, angle)
        return (
            WindowConditions(audio, genre, source, moving, self._source_config(state), role),
            state,
        )

    def _role(self, state: MospaState) -> str:
        role = state.condition.role
        return "listener" if role == "default" else role

    def _source_config(self, state: MospaState) -> SourceConfig:
        condition = state.condition
        return self.config.source.with_choices(condition.source_norm, condition.source_input)

    def _world_source(
        self, state: MospaState, samples: Float[Tensor, "batch time 2"]
    ) -> tuple[Float[Tensor, "batch frames 3"], MospaState]:
        """Positions of the source in the axes of the start, or rows of an oracle; NaN where there
        is none.
        """
        frames, path = self.config.window, state.path
        first = self._first_frame(state)
        if path is not None:
            rows = path.at((first + np.arange(frames)) / self.space.fps)
            return rows.expand(state.batch, -1, -1), state
        if self.config.events and self._role(state) == "speaker":
            return torch.full((state.batch, frames, 3), torch.nan), state
        ears = [Audio(item, RATE_HZ, "binaural") for item in samples.transpose(1, 2).contiguous()]
        if not self.config.events:
            positions = [torch.from_numpy(estimated_position(audio)).float() for audio in ears]
            return torch.stack(positions).unsqueeze(1).expand(-1, frames, -1), state
        rows = [
            attended_rows(
                find_events(audio, before, continues=first > 0), before, frames, self.space.fps
            )
            for audio, before in zip(ears, state.attended, strict=True)
        ]
        # The next window begins `overlap` frames before the end of what this one emits.
        begins = max(1, frames - self._discarded - self.config.overlap)
        after = [row[begins - 1] for row in rows]
        attended = tuple(None if np.isnan(row).any() else row for row in after)
        world = torch.from_numpy(np.stack(rows)).float()
        return world, dataclasses.replace(state, attended=attended)

    def _source_view(
        self,
        state: MospaState,
        world: Float[Tensor, "batch frames 3"],
        shift: Float[Tensor, "batch 3"],
        angle: Float[Tensor, "batch"],
    ) -> tuple[SourceView, bool]:
        """Source-position encoding of this window."""
        config, mode = self._source_config(state), state.condition.source_mode
        if state.path is not None and state.path.local:
            rows = F.normalize(world, dim=-1) if config.unit else world
            return (lambda estimate: rows), False
        up = torch.stack([torch.zeros_like(angle), -angle, torch.zeros_like(angle)], -1)
        own = _turn(world + shift.unsqueeze(1), up)
        known = state.known
        if known is None:
            first = standing_vector(state.batch)
        else:
            first = turned(known[:, :1], -angle, shift)[:, 0]
        if self.config.events:
            # Positions from the pelvis at the window's start; zeros where there is no source.
            seen = smooth_switches(torch.nan_to_num(own - first[:, None, ROOT]))
            seen = F.normalize(seen, dim=-1) if config.unit else seen
            return (lambda estimate: seen), False
        return world_view(own, first, config, "selfconsistent" if mode == "default" else mode)

    def _finished(
        self, vector: Float[Tensor, "batch frames dim"], known: int, state: MospaState
    ) -> Float[Tensor, "batch frames dim"]:
        """Join the known frames without a step, add life where the figure stands still, anchor
        standing feet, straighten legs that rest half bent.
        """
        condition, fps = state.condition, self.space.fps
        if not known and not condition.feet:
            return vector
        rows, between = [], VELOCITY_FRAMES[self.config.velocity_fps]
        for item, seed in zip(vector, state.seeds, strict=True):
            root, rotations = join_to_known(item[:, ROOT], vector_rotations(item), known, fps)
            if condition.feet:
                if condition.life and self.config.guessing:
                    first = self._first_frame(state)
                    root, rotations = add_life(root, rotations, fps, known, first, seed)
                root, rotations = settle_feet(root, rotations, fps, known, condition.upright)
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
    """The house skeleton at rest at the origin: where a published model sees the source from before
    its first window.
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
