"""Window-by-window diffusion sampling of a body: eight seconds at a time, each window drawn from
noise of its item's own seed with the end of the last one imposed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import DIM, vector_motion
from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.encoders.base import Waveform, load_encoder
from motet.encoders.binaural import RATE_HZ
from motet.errors import CheckpointError
from motet.methods.mospa.config import MospaCondition, MospaConfig
from motet.methods.mospa.item_progress import ItemProgress, at_start, next_groups
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_classifier import widened
from motet.methods.mospa.sound_events import SoundEvent, event_facts
from motet.methods.mospa.state import MospaState, session_source, session_start
from motet.methods.mospa.window_sampling import FRAME_SAMPLES, WindowSampler
from motet.methods.mospa.window_task import advanced_item
from motet.methods.mospa.windows import sampling_config
from motet.nn.device import CPU, on_device
from motet.options import OptionValue
from motet.streaming.streaming_method import FeatureStream, StreamingMethod
from motet.types import Audio, Motion, smplx25_space


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
            path=session_source(condition),
            start=session_start(condition, self.config),
            items=at_start(len(seeds), DIM),
        )

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

    @property
    def sampler(self) -> WindowSampler:
        """What plans and draws windows, on the device where the model is now."""
        return WindowSampler(self.model, self._window_encoder, self.space.fps, self.device)

    def _advance(self, state: MospaState, group: tuple[int, ...]) -> list[ItemProgress]:
        """The items of a group after their next window."""
        sampler = self.sampler
        task, features = sampler.task(state, group)
        if state.listens_only:
            best = torch.zeros(len(group), self.config.window, DIM)
        else:
            best = sampler.sampled(state, task, features)
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

    def first_needed(self, state: MospaState) -> int:
        """First sample of the next windows."""
        return min(item.first_frame for item in state.items) * FRAME_SAMPLES

    def output(self, pieces: list[Tensor], batch: int) -> Motion:
        """Body vectors as motion of joints."""
        return vector_motion(torch.cat([torch.zeros(batch, 0, DIM), *pieces], 1))

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
        load_strict(model, widened(tensors))
    return Mospa(model)
