"""One window of a session: what it is generated from, and its frames."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import DIM, turned
from motet.diffusion.sample import seeded_noise
from motet.encoders.base import AudioEncoder, encode
from motet.encoders.binaural import HOP, KEPT
from motet.methods.mospa.candidates import best_look, looked_at
from motet.methods.mospa.config import GENRES, ROLES, MospaConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.state import MospaState
from motet.methods.mospa.window_finish import WindowFinish
from motet.methods.mospa.window_task import (
    REPLACED,
    Planner,
    WindowTask,
    as_ears,
    audio_features,
    seen_features,
    source_view,
    waiting,
    world_source,
)
from motet.methods.mospa.windows import WindowConditions, sample_window
from motet.nn.device import CPU, on_device
from motet.reaction_families import family_number

FRAME_SAMPLES = HOP * KEPT
"""Samples of 30,720 Hz in a frame of 1/30 s."""
END_FRAMES = 8
"""Frames at the end of a window that are not used where another window can follow."""
STREAMS = 10_000
"""Streams of noise between one candidate of a window and the next."""


def discarded_frames(config: MospaConfig) -> int:
    """Frames at the end of each window that the next window generates anew: they lack what follows,
    for the network as for foot contacts.
    """
    return min(END_FRAMES, config.window // 6) if config.guessing and config.overlap else 0


class WindowSampler:
    """Plans and draws windows.

    Args:
        encoder: acoustic features of a window of samples, of models with two ears.
        fps: frames a second.
        device: where the network computes.
    """

    def __init__(
        self, model: MospaModel, encoder: AudioEncoder, fps: float, device: torch.device
    ) -> None:
        self.model, self.config = model, model.config
        self._encoder, self._fps, self._device = encoder, fps, device

    def task(
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
            features = encode(self._encoder, samples)[:, : config.window]
            loudest = (0.0,) * len(items)
        planner = Planner(
            config,
            config.window - discarded_frames(config),
            self._fps,
            state.path,
            self.model.sound_classifier if config.families else None,
            state.attends,
            family_number(state.condition.reaction),
        )
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

    def sampled(
        self, state: MospaState, task: WindowTask, features: Float[Tensor, "batch frames columns"]
    ) -> Float[Tensor, "batch frames dim"]:
        """A finished window of each item, in the axes of the start."""
        shift, angle = task.axes()
        imposed = None if task.known is None else turned(task.known, -angle, shift)
        conditions = self._conditions(state, task, features).to(self._device)
        known = None if imposed is None else imposed.to(self._device)

        def drawn(candidate: int) -> Float[Tensor, "batch frames dim"]:
            stream = task.number + candidate * STREAMS
            noise = seeded_noise(task.seeds, (self.config.window, DIM), stream=stream)
            with on_device(self._device):
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
        world = None
        if self.config.families and state.attends:
            world = world_source(task, self.config, state.path, self._fps, attends=True)
            vector = best_look(vector, drawn, world, task.plans, task.known_frames)
        if task.known is not None:
            vector = torch.cat([task.known, vector[:, task.known_frames :]], 1)
            if self.config.events and state.attends:
                vector = waiting(vector, task)
        finish = WindowFinish(self.config, state.condition, self._fps, state.role)
        looked = None if world is None else looked_at(world, task.plans)
        return finish(vector, task, features, looked)

    def _conditions(
        self, state: MospaState, task: WindowTask, features: Float[Tensor, "batch frames columns"]
    ) -> WindowConditions:
        condition, config, batch = state.condition, self.config, len(task.seeds)
        source = config.source.with_choices(condition.source_norm, condition.source_input)
        config = dataclasses.replace(config, source=source)
        genre = torch.full((batch,), GENRES.index(condition.genre))
        role = None
        if config.roles:
            role = torch.full((batch,), ROLES.index(state.role))
        attends = state.attends
        world = world_source(task, config, state.path, self._fps, attends=attends)
        local = state.path is not None and state.path.local
        view, moving = source_view(task, world, config, condition.source_mode, local=local)
        families = task.families() if config.families else None
        return WindowConditions(features, genre, view, moving, source, role, families)


def turned_back(
    vector: Float[Tensor, "batch frames dim"],
    angle: Float[Tensor, " batch"],
    shift: Float[Tensor, "batch 3"],
) -> Tensor:
    """The inverse of `turned(vector, -angle, shift)`."""
    still = torch.zeros_like(shift)
    return turned(turned(vector, angle, still), torch.zeros_like(angle), -shift)
