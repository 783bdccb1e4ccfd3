"""Sessions of DiffPoseTalk: windows of fixed length, each drawn from noise of its item's own
seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.diffusion.sample import Noise, seeded_noise
from motet.diffusion.schedule import descend
from motet.encoders.phonetic import heads as readings
from motet.errors import CheckpointError, ConfigError
from motet.face.lip_aperture import nudge_opening
from motet.face.lip_closure import STEPS_BEFORE, closure_evidence, evidence_steps, guard_closures
from motet.method import Method
from motet.methods.diffposetalk.config import DiffPoseTalkCondition, DiffPoseTalkConfig
from motet.methods.diffposetalk.model import DiffPoseTalkModel, standardise
from motet.methods.diffposetalk.style_input import encode_style, read_shape, read_style
from motet.methods.diffposetalk.windows import (
    Draw,
    Guidance,
    Past,
    Person,
    Randomness,
    fill_up,
    first_past,
    hear_recording,
    indicator,
    next_past,
    sample_recording,
    sample_window,
)
from motet.types import Audio, Motion, frame_count

SAMPLE_RATE = 16000
THRESHOLD_LIMITS = (1.0, 4.0)
"""Limits of dynamic thresholding, as released."""
HEARD_BEFORE, HEARD_AFTER = STEPS_BEFORE + readings.STEPS_BEFORE, readings.STEPS_AFTER
"""House space: steps of sound around a window that tell how far its lips open and where they
close."""
SEAM_FRAMES = 3.0
"""House space: time constant in which a window's head leaves the course of the one before."""


class Front(Protocol):
    """What a streaming model hears with: 50 features a second, as they become certain."""

    def begin(self, batch: int) -> Any:
        """Before the first sample."""
        ...

    def step(self, state: Any, samples: Float[Tensor, "batch time"]) -> tuple[Tensor, Any]:
        """The features that are now certain."""
        ...

    def finish(self, state: Any) -> Tensor:
        """The rest."""
        ...

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` steps from `first` on; 0 beyond what is known."""
        ...

    def opening(
        self, features: Float[Tensor, "batch steps dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """How far lips open in frames of two steps, the first of which begins with step `first`."""
        ...


@dataclasses.dataclass(frozen=True)
class DiffPoseTalkState:
    """A session."""

    person: Person
    draw: Draw
    condition: DiffPoseTalkCondition
    seeds: tuple[int, ...]
    front: Any
    """State of the front end; None for models with a trunk of their own."""
    waiting: Tensor
    """Features (batch steps channels) of a window that is not complete; with a trunk the samples
    (batch time) so far."""
    past: Past
    before: Tensor
    """The last features before those, as far as a frame looks back."""
    rest: Float[Tensor, "batch 1 3"] | None = None
    """House space: the head's mean in the first window, around which its movement is scaled."""
    tail: Float[Tensor, "batch last dim"] | None = None
    """The last two frames answered; None before there are two."""
    window: int = 0
    heard: int = 0


class DiffPoseTalk(Method[DiffPoseTalkConfig, DiffPoseTalkCondition, DiffPoseTalkState, Motion]):
    """Streams in windows with the features of a front end; a model with its own trunk hears the
    whole recording first.
    """

    def __init__(
        self,
        model: DiffPoseTalkModel,
        front: Front | None,
        styles: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.config, self.space = model.config, model.coefficients.space
        self.front, self.styles = front, dict(styles or {})
        if front is None:
            self.whole_recording = "its audio encoder normalises over the whole recording"

    @torch.inference_mode()
    def begin(self, condition: DiffPoseTalkCondition, seeds: Sequence[int]) -> DiffPoseTalkState:
        """A session before its first sound.

        Raises:
            ConfigError: steps, style or guidance that this model cannot fulfil.
            AssetError: a style or shape file that cannot be used.
        """
        batch, width = len(seeds), self.config.audio_dim
        person = self._person(condition, batch)
        front = self.front.begin(batch) if self.front is not None else None
        waiting = torch.zeros(batch, 0) if self.front is None else torch.zeros(batch, 0, width)
        return DiffPoseTalkState(
            person,
            self._draw(condition, person),
            condition,
            tuple(seeds),
            front,
            waiting,
            first_past(self.model, batch),
            waiting[:, :0],
        )

    @torch.inference_mode()
    def style_vector(self, motion: Motion) -> Float[Tensor, "width"]:
        """How somebody moves, as the style encoder sees it.

        Raises:
            ConfigError: this model came without a style encoder.
        """
        if self.model.style_encoder is None:
            raise ConfigError("this model has no style encoder; import it together with one")
        return encode_style(self.model, motion.values)[0]

    @torch.inference_mode()
    def step(self, state: DiffPoseTalkState, audio: Audio) -> tuple[Motion, DiffPoseTalkState]:
        """Every window whose sound is complete."""
        audio.expect(SAMPLE_RATE, "mono")
        samples = audio.samples[:, 0].float()
        state = dataclasses.replace(state, heard=state.heard + samples.shape[1])
        if self.front is None:
            return self._joined([], len(state.seeds)), dataclasses.replace(
                state, waiting=torch.cat([state.waiting, samples], 1)
            )
        features, front = self.front.step(state.front, samples)
        state = dataclasses.replace(
            state, front=front, waiting=torch.cat([state.waiting, features], 1)
        )
        pieces, size = [], 2 * self.config.denoiser.window
        ahead = (
            HEARD_AFTER
            if self._in_house_space and (state.condition.opening or state.condition.closures)
            else 0
        )
        while state.waiting.shape[1] >= size + ahead:
            motion, state = self._window(
                state, state.waiting[:, :size], self.config.denoiser.window
            )
            state = self._at_rest(motion, state)
            pieces.append(self._guarded(motion, state))
            state = _moved_on(state, size, pieces[-1])
        return self._joined(pieces, len(state.seeds)), state

    @torch.inference_mode()
    def finish(self, state: DiffPoseTalkState) -> Motion:
        """The frames of the last, filled-up window; with a trunk all frames."""
        frames = frame_count(state.heard / SAMPLE_RATE, self.space.fps) if state.heard else 0
        if self.front is None:
            return self._recording(state, frames)
        window, pieces = self.config.denoiser.window, []
        waiting = (
            torch.cat([state.waiting, self.front.finish(state.front)], 1)
            if state.heard
            else state.waiting
        )
        missing = frames - state.window * window
        waiting = fill_up(
            waiting, 2 * max(0, missing)
        )  # silence of the front end is not zero, but the indicator says it is padding
        while missing > 0:
            motion, state = self._window(state, fill_up(waiting, 2 * window), missing)
            state = self._at_rest(motion[:, :missing], dataclasses.replace(state, waiting=waiting))
            pieces.append(self._guarded(motion[:, :missing], state))
            state = _moved_on(state, 2 * window, pieces[-1])
            waiting, missing = state.waiting, missing - window
        return self._joined(pieces, len(state.seeds))

    def _window(
        self, state: DiffPoseTalkState, features: Tensor, real: int
    ) -> tuple[Tensor, DiffPoseTalkState]:
        model, batch = self.model, len(state.seeds)
        audio, noise = model.map_features(features), self._randomness(state)
        seen = indicator(batch, self.config.denoiser.window, real)
        motion = sample_window(
            model,
            audio,
            state.person,
            state.past,
            state.draw,
            noise.start(state.window),
            noise.moves(state.window),
            seen,
        )
        return motion, dataclasses.replace(
            state, past=next_past(model, motion, audio), window=state.window + 1
        )

    @property
    def _in_house_space(self) -> bool:
        return self.config.space == "arkit" and self.front is not None

    def _at_rest(self, vector: Tensor, state: DiffPoseTalkState) -> DiffPoseTalkState:
        """The state of a session that knows how the head is held on average."""
        if state.rest is not None or not self._in_house_space:
            return state
        head = self.model.coefficients.motion(vector)[..., self.space.range("head")]
        return dataclasses.replace(state, rest=head.mean(1, keepdim=True))

    def _guarded(
        self, vector: Tensor, state: DiffPoseTalkState
    ) -> Float[Tensor, "batch frames dim"]:
        """Raw motion of a window; in the house space with lips that part and close as the sound
        says, too.
        """
        motion = self.model.coefficients.motion(vector)
        if not self._in_house_space or self.front is None:
            return motion
        frames, condition, head = motion.shape[1], state.condition, self.space.range("head")
        if state.rest is not None:
            turned = state.rest + condition.head * (motion[..., head] - state.rest)
            motion = torch.cat([motion[..., : head.start], turned, motion[..., head.stop :]], -1)
        motion = self._carried_on(motion, state.tail)
        known, now = (
            torch.cat([state.before, state.waiting[:, : 2 * frames + HEARD_AFTER]], 1),
            state.before.shape[1],
        )
        if condition.opening:
            motion = nudge_opening(
                motion, self.front.opening(known, now, frames), condition.opening
            )
        if not condition.closures:
            return motion
        return guard_closures(
            motion,
            closure_evidence(
                self.front.closures(known, now - STEPS_BEFORE, evidence_steps(frames))
            ),
        )

    def _carried_on(
        self, motion: Float[Tensor, "batch frames dim"], tail: Tensor | None
    ) -> Float[Tensor, "batch frames dim"]:
        """A window whose head sets out from where it was and as it moved; the difference fades
        within half a second.
        """
        if tail is None or motion.shape[1] < 2:
            return motion
        head = self.space.range("head")
        last, speed = tail[:, -1:, head], tail[:, -1:, head] - tail[:, -2:-1, head]
        apart = last + speed - motion[:, :1, head]
        quicker = speed - (motion[:, 1:2, head] - motion[:, :1, head])
        frame = torch.arange(motion.shape[1]).view(1, -1, 1)
        slope = (apart + quicker) * math.exp(
            1 / SEAM_FRAMES
        ) - apart  # so that the first step has the old speed exactly
        fading = (apart + slope * frame) * (-frame / SEAM_FRAMES).exp()
        return torch.cat(
            [motion[..., : head.start], motion[..., head] + fading, motion[..., head.stop :]], -1
        )

    def _recording(self, state: DiffPoseTalkState, frames: int) -> Motion:
        if not frames:
            return self._motion([], len(state.seeds))
        samples = (
            state.waiting if state.waiting.shape[1] > 1 else state.waiting.repeat(1, 2)
        )  # a deviation needs two samples
        window = self.config.denoiser.window
        # Takes of one recording are heard once.
        same = bool((samples == samples[:1]).all())
        heard = hear_recording(
            self.model,
            standardise(samples[:1] if same else samples),
            frames,
            each_window=state.condition.hear_windows,
        )
        features = heard.expand(len(state.seeds), -1, -1)
        assert features.shape[1] % window == 0
        return self._motion(
            [
                sample_recording(
                    self.model, features, frames, state.person, state.draw, self._randomness(state)
                )
            ]
        )

    def _randomness(self, state: DiffPoseTalkState) -> Randomness:
        shape, fresh = (self.config.denoiser.window, self.config.motion_dim), state.condition.fresh

        def start(window: int) -> Tensor:
            return seeded_noise(state.seeds, shape, stream=window * 2 if fresh else 0)(0)

        def moves(window: int) -> Noise:
            return seeded_noise(state.seeds, shape, stream=window * 2 + 1)

        return Randomness(start, moves)

    def _joined(self, pieces: list[Tensor], batch: int) -> Motion:
        return Motion(
            torch.cat(pieces, 1) if pieces else torch.zeros(batch, 0, self.space.dim), self.space
        )

    def _motion(self, pieces: list[Tensor], batch: int = 1) -> Motion:
        if not pieces:
            return Motion(torch.zeros(batch, 0, self.space.dim), self.space)
        return Motion(self.model.coefficients.motion(torch.cat(pieces, 1)), self.space)

    def _person(self, condition: DiffPoseTalkCondition, batch: int) -> Person:
        if condition.shape and not self.config.shape_dim:
            raise ConfigError(
                "this model knows no shape; leave the option shape out, or use a FLAME model"
            )
        if condition.style and not self.config.style_dim:
            raise ConfigError(
                "this model knows no style; leave the style out, or use a model with one"
            )
        shape = (
            read_shape(condition.shape, self.model).expand(batch, -1) if condition.shape else None
        )
        style = (
            read_style(condition.style, self.model, self.styles).expand(batch, -1)
            if condition.style
            else None
        )
        return Person(shape, style)

    def _draw(self, condition: DiffPoseTalkCondition, person: Person) -> Draw:
        schedule = self.model.schedule
        name = self.config.sampler if condition.sampler == "default" else condition.sampler
        steps = condition.steps or min(self.config.steps, schedule.steps)
        scales = {"audio": condition.guidance_audio, "style": condition.guidance_style}
        pulled = [
            name
            for name in self.config.diffusion.guided
            if name == "audio" or person.style is not None
        ]
        limits = (condition.threshold, *THRESHOLD_LIMITS) if condition.threshold else None
        guidance = Guidance(
            tuple(pulled), tuple(scales[name] for name in pulled), condition.mode, limits
        )
        return Draw(name, tuple(descend(schedule, steps)), guidance, condition.flexibility)


def build(
    config: DiffPoseTalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> DiffPoseTalk:
    """The method from weights, or with random ones when there are none.

    Args:
        facts: of the checkpoint; `styles` in it are named style vectors.

    Raises:
        CheckpointError: weights that do not fit, or FLAME weights without the statistics that give
            their numbers a meaning.
    """
    model = DiffPoseTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
        if config.space == "flame" and not float(model.coefficients.known):
            raise CheckpointError(
                "these weights came without statistics, so their motion would be wild; import them"
                " again together with the stats_train.npz of their data: motet weights import"
                " DENOISER.pt STYLE.pt stats_train.npz -m diffposetalk -o OUT"
            )
    model.denoising_net.pack()
    if model.audio_encoder is not None:
        model.audio_encoder.pack()
    return DiffPoseTalk(model, front_end(config), facts.get("styles"))


def front_end(config: DiffPoseTalkConfig) -> Front | None:
    """The front end that a configuration names, with its shipped weights; None when the model has a
    trunk.
    """
    if config.front == "phonetic":
        from motet.encoders.phonetic.batched import load_phonetic

        return load_phonetic()
    if config.front == "bands":
        from motet.encoders.band_energy import BandEncoder

        return BandEncoder(config.audio_dim)
    return None


def _moved_on(
    state: DiffPoseTalkState, steps: int, answered: Float[Tensor, "batch frames dim"]
) -> DiffPoseTalkState:
    """The state after so many features have been used for these frames."""
    before = torch.cat([state.before, state.waiting[:, :steps]], 1)[:, -HEARD_BEFORE:]
    tail = answered[:, -2:] if answered.shape[1] > 1 else state.tail
    return dataclasses.replace(state, waiting=state.waiting[:, steps:], before=before, tail=tail)
