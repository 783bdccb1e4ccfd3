"""Window-by-window diffusion sampling of a body: eight seconds at a time, each window drawn from
noise of its item's own seed with the end of the last one imposed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import (
    DIM,
    turned,
    vector_motion,
)
from motet.body.source_path import SourcePath, parse_source
from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.diffusion.sample import seeded_noise
from motet.encoders.base import Waveform, encode, load_encoder
from motet.encoders.binaural import HOP, KEPT, RATE_HZ
from motet.errors import CheckpointError, ConfigError
from motet.methods.mospa.candidates import best_look, looked_at
from motet.methods.mospa.config import (
    GENRES,
    ROLES,
    MospaCondition,
    MospaConfig,
)
from motet.methods.mospa.item_progress import ItemProgress, at_start, next_groups
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_events import SoundEvent, event_facts
from motet.methods.mospa.start_pose import StartPose, read_start, standing_start
from motet.methods.mospa.window_finish import WindowFinish
from motet.methods.mospa.window_task import (
    REPLACED,
    Planner,
    WindowTask,
    advanced_item,
    as_ears,
    audio_features,
    seen_features,
    source_view,
    waiting,
    world_source,
)
from motet.methods.mospa.windows import (
    SamplingConfig,
    WindowConditions,
    sample_window,
    sampling_config,
)
from motet.nn.device import CPU, on_device
from motet.options import OptionValue
from motet.reaction_families import family_number
from motet.streaming.streaming_method import FeatureStream, StreamingMethod, StreamState
from motet.types import Audio, Motion, smplx25_space

FRAME_SAMPLES = HOP * KEPT
"""Samples of 30,720 Hz in a frame of 1/30 s."""
END_FRAMES = 8
"""Frames at the end of a window that are not used where another window can follow."""
STREAMS = 10_000
"""Streams of noise between one candidate of a window and the next."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MospaState(StreamState):
    """A session."""

    condition: MospaCondition
    sampling: SamplingConfig
    path: SourcePath | None
    """Source position; None: estimated from both channels in each window."""
    start: StartPose | None
    """The first frame; None: generated too, as published."""
    items: tuple[ItemProgress, ...] = ()
    """One for each item of the batch."""
    listens_only: bool = False
    """Sounds are found, but nothing is generated: all frames are zero."""


class Mospa(StreamingMethod[MospaConfig, MospaCondition, MospaState, Motion]):
    """Diffusion transformer from two ears and a source position to motion of a whole body.

    Its features refer to the loudest moment of what is analysed, so each window of samples is
    encoded by itself.
    """

    space, layout = smplx25_space(), "binaural"

    def __init__(self, model: MospaModel) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoder = Waveform(RATE_HZ, channels=2)
        name = "binaural" if self.config.sound_features == "binaural" else "monaural"
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
            items=at_start(len(seeds), DIM),
        )

    def _start(self, condition: MospaCondition) -> StartPose | None:
        """Published models generate their first frame, unless one is given."""
        if condition.start:
            return read_start(Path(condition.start))
        return standing_start() if self.config.guessing else None

    def beside_face(self, options: Mapping[str, OptionValue]) -> Mapping[str, OptionValue]:
        """Who has a face that speaks is no listener, unless a role or a source is given."""
        is_free = options.get("role", "default") == "default" and not options.get("source")
        return {**options, "role": "speaker"} if is_free and self.config.roles else options

    def window_ready(self, state: MospaState) -> bool:
        """Whether the samples of every item's next window are complete."""
        firsts = [state.items[group[0]].first_frame for group in next_groups(state.items)]
        stop = max(firsts, default=0) + self.config.window
        return stop * FRAME_SAMPLES <= state.stream.features.stop

    def generate_window(
        self, state: MospaState
    ) -> tuple[Float[Tensor, "batch frames dim"], MospaState]:
        """The frames in the world that all items have; after the audio follows silence."""
        items = list(state.items)
        for group in next_groups(items):
            with on_device(CPU):  # the network alone computes elsewhere
                advanced = self._advance(state, tuple(group))
            for index, item in zip(group, advanced, strict=True):
                items[index] = item
        count = min(len(item.pending) for item in items)
        frames = torch.stack([item.pending[:count] for item in items])
        left = (dataclasses.replace(item, pending=item.pending[count:]) for item in items)
        return frames, dataclasses.replace(state, items=tuple(left))

    def _advance(self, state: MospaState, group: tuple[int, ...]) -> list[ItemProgress]:
        """The items of a group after their next window."""
        task, features = self._task(state, group)
        if state.listens_only:
            best = torch.zeros(len(group), self.config.window, DIM)
        else:
            best = self._sampled(state, task, features)
        advanced = []
        for row, index in enumerate(group):
            item, plan = state.items[index], task.plans[row]
            vector = best[row, : plan.stop]
            kept = min(self.config.overlap, len(vector))
            # The start pose is the first frame; the past was emitted with the window before.
            new = vector if task.is_first else vector[task.known_frames :]
            placed = new if state.start is None else state.start.placed(new.unsqueeze(0))[0]
            past = vector[len(vector) - kept :] if kept else None
            advanced.append(
                advanced_item(item, plan, placed, past, task.loudest[row], self.space.fps)
            )
        return advanced

    def _task(
        self, state: MospaState, group: tuple[int, ...]
    ) -> tuple[WindowTask, Float[Tensor, "batch frames columns"]]:
        """What the next window of these items is generated from."""
        config, items = self.config, [state.items[index] for index in group]
        first = items[0].first_frame
        start = first * FRAME_SAMPLES
        samples = state.stream.features.window(start, start + config.window * FRAME_SAMPLES)
        samples = samples[list(group)]
        known = None
        if items[0].past is not None:
            known = torch.stack([item.past for item in items if item.past is not None])
        elif state.start is not None:
            known = state.start.vector.expand(len(items), 1, DIM)
        if config.sound_features == "mono":
            features, loudest = audio_features(samples, items, config.window)
        else:
            features = encode(self._window_encoder, samples)[:, : config.window]
            loudest = (0.0,) * len(items)
        planner = self._planner(state)
        plans = tuple(
            planner.plan(item, ears, rows)
            for item, ears, rows in zip(items, as_ears(samples), features, strict=True)
        )
        if config.sound_features == "mono":
            examples = self.model.family_examples.to(CPU) if config.families else None
            chosen = family_number(state.condition.reaction)
            replaced = (chosen,) if chosen else REPLACED
            features = seen_features(features, items, plans, examples, replaced)
        seeds = tuple(state.seeds[index] for index in group)
        is_first, number = not items[0].windows, items[0].windows
        task = WindowTask(group, seeds, number, first, known, is_first, samples, plans, loudest)
        return task, features

    def _planner(self, state: MospaState) -> Planner:
        return Planner(
            self.config,
            self.config.window - self._discarded,
            self.space.fps,
            state.path,
            self.model.sound_classifier if self.config.families else None,
            self._attends(state),
            family_number(state.condition.reaction),
        )

    def _sampled(
        self, state: MospaState, task: WindowTask, features: Float[Tensor, "batch frames columns"]
    ) -> Float[Tensor, "batch frames dim"]:
        """A finished window of each item, in the axes of the start."""
        shift, angle = task.axes()
        imposed = None if task.known is None else turned(task.known, -angle, shift)
        conditions = self._conditions(state, task, features).to(self.device)
        known = None if imposed is None else imposed.to(self.device)

        def drawn(candidate: int) -> Float[Tensor, "batch frames dim"]:
            stream = task.number + candidate * STREAMS
            noise = seeded_noise(task.seeds, (self.config.window, DIM), stream=stream)
            with on_device(self.device):
                vector = sample_window(
                    self.model,
                    conditions,
                    state.sampling,
                    noise(0),
                    lambda move: noise(move + 1),
                    known,
                )
            return turned_back(vector.to(CPU), angle, shift)

        vector = drawn(0)
        if self.config.families and self._attends(state):
            world = world_source(task, self.config, state.path, self.space.fps, attends=True)
            vector = best_look(vector, drawn, world, task.plans, task.known_frames)
        if task.known is not None:
            vector = torch.cat([task.known, vector[:, task.known_frames :]], 1)
            if self.config.events and self._attends(state):
                vector = waiting(vector, task)
        finish = WindowFinish(self.config, state.condition, self.space.fps, self._role(state))
        if self.config.families and self._attends(state):
            world = world_source(task, self.config, state.path, self.space.fps, attends=True)
            return finish(vector, task, features, looked_at(world, task.plans))
        return finish(vector, task, features)

    def first_needed(self, state: MospaState) -> int:
        """First sample of the next windows."""
        return min(item.first_frame for item in state.items) * FRAME_SAMPLES

    def output(self, pieces: list[Tensor], batch: int) -> Motion:
        """Body vectors as motion of joints."""
        return vector_motion(torch.cat([torch.zeros(batch, 0, DIM), *pieces], 1))

    @property
    def _discarded(self) -> int:
        """Frames at the end of each window that the next window generates anew: they lack what
        follows, for the network as for foot contacts.
        """
        config = self.config
        return min(END_FRAMES, config.window // 6) if config.guessing and config.overlap else 0

    def _conditions(
        self, state: MospaState, task: WindowTask, features: Float[Tensor, "batch frames columns"]
    ) -> WindowConditions:
        condition, config, batch = state.condition, self.config, len(task.seeds)
        source = config.source.with_choices(condition.source_norm, condition.source_input)
        config = dataclasses.replace(config, source=source)
        genre = torch.full((batch,), GENRES.index(condition.genre))
        role = None
        if config.roles:
            role = torch.full((batch,), ROLES.index(self._role(state)))
        attends = self._attends(state)
        world = world_source(task, config, state.path, self.space.fps, attends=attends)
        local = state.path is not None and state.path.local
        view, moving = source_view(task, world, config, condition.source_mode, local=local)
        families = task.families() if config.families else None
        return WindowConditions(features, genre, view, moving, source, role, families)

    def sound_events(self, audio: Audio, condition: MospaCondition) -> tuple[SoundEvent, ...]:
        """The events that a take of this audio reacts to, seconds from its start.

        Args:
            audio: one item, as `step` takes it.
        """
        state = dataclasses.replace(self.begin(condition, (0,)), listens_only=True)
        _, state = self.step(state, audio)
        state = self.end(state)
        while state.frames_left(1) > 0:
            _, state = self._next_frames(state)
        return state.items[0].events

    def detected(self, audio: Audio, condition: MospaCondition) -> dict[str, JsonValue]:
        """What is heard, for the provenance of a take."""
        if not self.config.events or condition.role == "speaker":
            return {}
        events = self.sound_events(audio, condition)
        return {"sound_events": [event_facts(event, condition.reaction) for event in events]}

    def _role(self, state: MospaState) -> str:
        role = state.condition.role
        return "listener" if role == "default" else role

    def _attends(self, state: MospaState) -> bool:
        return self._role(state) == "listener"


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
    angle: Float[Tensor, " batch"],
    shift: Float[Tensor, "batch 3"],
) -> Tensor:
    """The inverse of `turned(vector, -angle, shift)`."""
    still = torch.zeros_like(shift)
    return turned(turned(vector, angle, still), torch.zeros_like(angle), -shift)


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
