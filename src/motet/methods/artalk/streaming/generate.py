"""Sessions of the small streaming model: say a window, commit its first frames, listen on, say
again.

A window that starts at committed frame c is said as soon as the features up to `commit` frames and
`look_ahead` steps after c are there, and hears exactly those; so every cutting of the sound gives
the same frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import ConfigError, nearest
from motet.face.lip_aperture import nudge_opening
from motet.face.lip_closure import STEPS_BEFORE, closure_evidence, evidence_steps, guard_closures
from motet.face.postprocess import MOUTH_SHAPES
from motet.method import Method
from motet.methods.artalk.config import ArtalkCondition, StreamingConfig
from motet.methods.artalk.streaming.model import Decide, StreamingModel, heard_mask
from motet.methods.artalk.style import read_style
from motet.types import ARKIT_SHAPES, Audio, Motion, MotionSpace, arkit_space, frame_count

SAMPLE_RATE = 16000
SILENT_STEPS = 48
"""Feature steps of silence that follow the sound: as many as a window hears."""
GLIDE, GLIDES = 0.56, 7
"""Share of the way that a smoothing step goes in a frame, and how many follow one another. Many
quick ones answer a kink without one where two slow ones did not (velocity jumps of the head at
borders were 2.8 times those inside, now 1.1); head and brows come 0.22 s late."""


class FrontEnd(Protocol):
    """What hears: sound in any pieces to features at a fixed rate, the same for every cutting."""

    dim: int

    def begin(self, batch: int) -> Any:
        """State of a new session."""
        ...

    def step(
        self, state: Any, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], Any]:
        """The features that are now certain."""
        ...

    def finish(self, state: Any) -> Float[Tensor, "batch steps dim"]:
        """The rest, as if silence followed."""
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
class StreamState:
    """A session."""

    condition: ArtalkCondition
    seeds: tuple[int, ...]
    style: Float[Tensor, "batch style"]
    front: Any
    features: Float[Tensor, "batch steps dim"]
    """Features that the next windows still need."""
    first_step: int
    """Absolute number of the first of them."""
    past: Float[Tensor, "batch past dim"]
    """The last committed frames, zeros before the first. When decoding is `lively` there are two
    lines of motion for each item, the calm ones first: the mouth is taken from the calm line,
    everything else from the lively one."""
    glide: Float[Tensor, "steps batch dim"] | None = None
    """Where the smoothing steps of the lively line stand; None before the first frame."""
    frame: int = 0
    """Number of committed frames."""
    heard: int = 0
    """Samples taken so far."""


class StreamingMethod(Method[StreamingConfig, ArtalkCondition, StreamState, Motion]):
    """The shipped model in the house space.

    Args:
        model: weights.
        front: the front end the model was trained on.
    """

    def __init__(self, model: StreamingModel, front: FrontEnd) -> None:
        self.model, self.front, self.config = (
            model.eval().requires_grad_(False),
            front,
            model.config,
        )
        if front.dim != model.config.audio_dim:
            raise ConfigError(
                f"the front end gives {front.dim} channels, the model was trained on"
                f" {model.config.audio_dim}"
            )
        self.space: MotionSpace = arkit_space()
        self._weights = self.space.range("blendshapes")
        names = (*ARKIT_SHAPES, "x", "y", "z")
        self._speaking = torch.tensor([name in MOUTH_SHAPES for name in names])
        self._gliding = torch.tensor(
            [
                name not in MOUTH_SHAPES and not name.startswith(("eyeBlink", "eyeLook"))
                for name in names
            ]
        )

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> StreamState:
        """A session before its first sound.

        Raises:
            ConfigError: an unknown style, or a dial outside its range.
            AssetError: a style clip that cannot be read.
        """
        commit, look = self._dials(condition)
        condition = dataclasses.replace(condition, commit=commit, look_ahead=look)
        codec, batch = self.config.codec, len(seeds)
        lines = 2 * batch if condition.decode == "lively" else batch
        past = torch.zeros(lines, self.config.history * codec.frames, codec.motion_dim)
        features = torch.zeros(batch, 0, self.config.audio_dim)
        style = self._style(condition).expand(lines, -1)
        return StreamState(
            condition, tuple(seeds), style, self.front.begin(batch), features, 0, past
        )

    @torch.inference_mode()
    def style_vector(self, motion: Motion) -> Float[Tensor, "style"]:
        """How somebody moves, as the style encoder sees it."""
        return self.model.style(motion.values.unsqueeze(0))[0]

    @torch.inference_mode()
    def step(self, state: StreamState, audio: Audio) -> tuple[Motion, StreamState]:
        """The frames whose sound has been heard far enough."""
        audio.expect(SAMPLE_RATE, "mono")
        features, front = self.front.step(state.front, audio.samples[:, 0].float())
        heard = state.heard + audio.samples.shape[-1]
        state = dataclasses.replace(
            state, front=front, features=torch.cat([state.features, features], 1), heard=heard
        )
        pieces: list[Tensor] = []
        while self._limit(state) <= state.first_step + state.features.shape[1]:
            piece, state = self._advance(state)
            pieces.append(piece)
        return self._motion(pieces, len(state.seeds)), state

    @torch.inference_mode()
    def finish(self, state: StreamState) -> Motion:
        """The remaining frames; the last windows hear silence after the sound, as they would had
        nobody spoken on.
        """
        total = frame_count(state.heard / SAMPLE_RATE, self.space.fps) if state.heard else 0
        after = torch.zeros(len(state.seeds), SILENT_STEPS * SAMPLE_RATE // 50)
        silent, front = self.front.step(state.front, after)
        state = dataclasses.replace(
            state,
            front=front,
            features=torch.cat([state.features, silent, self.front.finish(front)], 1),
        )
        missing, pieces = total - state.frame, []
        while state.frame < total:
            piece, state = self._advance(state)
            pieces.append(piece)
        motion = self._motion(pieces, len(state.seeds))
        return motion.slice(0, max(0, missing))

    def _dials(self, condition: ArtalkCondition) -> tuple[int, int]:
        commit = condition.commit or self.config.commit
        look = self.config.look_ahead if condition.look_ahead < 0 else condition.look_ahead
        frames = self.config.codec.frames
        if not 1 <= commit <= frames:
            raise ConfigError(f"commit must lie between 1 and {frames} frames, not {commit}")
        most = self.config.audio_steps - self.config.audio_before
        if look > most:
            raise ConfigError(f"look_ahead must lie between 0 and {most} steps, not {look}")
        return commit, look

    def _style(self, condition: ArtalkCondition) -> Float[Tensor, "1 style"]:
        null = self.model.null_style
        if not condition.style:
            return null
        names = self.config.styles
        if condition.style in names:
            found = self.model.style_bank[names.index(condition.style)].unsqueeze(0)
        elif "." in condition.style:
            found = self.model.style(read_style(condition.style, self.space))
        else:
            raise ConfigError(
                f"no style {condition.style!r} and no file of that name;"
                f" {nearest(condition.style, names)}"
            )
        return null + condition.style_strength * (found - null)

    def _limit(self, state: StreamState) -> int:
        """How far the next window hears, in steps from the beginning."""
        return (
            self.config.steps_per_frame * (state.frame + state.condition.commit)
            + state.condition.look_ahead
        )

    def _advance(self, state: StreamState) -> tuple[Float[Tensor, "batch commit dim"], StreamState]:
        config, commit = self.config, state.condition.commit
        start = config.steps_per_frame * state.frame - config.audio_before
        known = state.first_step + state.features.shape[1]
        first = max(start, 0)
        last = max(first, min(self._limit(state), known, start + config.audio_steps))
        features = state.features.new_zeros(len(state.seeds), config.audio_steps, config.audio_dim)
        features[:, first - start : last - start] = state.features[
            :, first - state.first_step : last - state.first_step
        ]
        lines = self._window(
            state, features, torch.tensor([first - start]), torch.tensor([last - start])
        )[:, :commit]
        keep = max(0, config.steps_per_frame * (state.frame + commit) - config.audio_before)
        moved = dataclasses.replace(
            state,
            past=torch.cat([state.past, lines], 1)[:, -state.past.shape[1] :],
            frame=state.frame + commit,
            features=state.features[:, keep - state.first_step :].clone(),
            first_step=min(keep, known),
        )
        seen, moved = self._seen_as_one(lines, moved)
        if state.condition.opening and last > first:
            heard = features[:, first - start : last - start]
            seen = nudge_opening(
                seen,
                self.front.opening(heard, config.audio_before - (first - start), commit),
                state.condition.opening,
            )
        if state.condition.closures:
            seen = guard_closures(
                seen, self._closure_evidence(features, first - start, last - start, commit)
            )
        return seen, moved

    def _closure_evidence(
        self, features: Tensor, first: int, last: int, commit: int
    ) -> Float[Tensor, "batch commit"]:
        """What the sound of the committed frames says about p, b and m; nothing where no sound has
        been heard.
        """
        now = self.config.audio_before - first
        return closure_evidence(
            self.front.closures(features[:, first:last], now - STEPS_BEFORE, evidence_steps(commit))
        )

    def _seen_as_one(
        self, lines: Tensor, state: StreamState
    ) -> tuple[Float[Tensor, "batch commit dim"], StreamState]:
        """The mouth of the calm line with everything else of the lively one, whose head and brows
        glide.

        Drawn windows set out in directions of their own; exponential averages one after the other
        take the kink out of head and brows at the price of five and a half frames. Lids and eyes,
        which do move suddenly, stay as they are.
        """
        if len(lines) == len(state.seeds):
            return lines, state
        calm, lively = lines.chunk(2)
        glide = list(state.glide) if state.glide is not None else [lively[:, 0]] * GLIDES
        frames = []
        for frame in lively.unbind(1):
            smooth = frame
            for index, place in enumerate(glide):
                glide[index] = smooth = place + GLIDE * (smooth - place)
            frames.append(torch.where(self._gliding, smooth, frame))
        return torch.where(self._speaking, calm, torch.stack(frames, 1)), dataclasses.replace(
            state, glide=torch.stack(glide)
        )

    def _window(
        self, state: StreamState, features: Tensor, first: Tensor, last: Tensor
    ) -> Float[Tensor, "batch frames dim"]:
        model, fresh = self.model, state.frame == 0
        audio = model.audio(features, heard_mask(features.shape[1], first, last))
        window = state.past[:, -self.config.codec.frames :]
        before = model.past_total(window)
        past = model.past(state.past, before, torch.tensor([fresh]))
        _, total = model.generate(state.style, past, audio, self._decide(state))
        motion = model.decode(window, before, total, fresh)
        motion[..., self._weights] = motion[..., self._weights].clamp(0, 1)
        return motion

    def _decide(self, state: StreamState) -> Decide:
        condition = state.condition
        if condition.decode == "expected":
            return lambda odds, own: torch.tanh(odds / 2)
        if condition.decode == "greedy":
            return lambda odds, own: (odds > 0).to(odds.dtype) * 2 - 1
        shape = (self.config.codec.tokens, self.config.codec.bits)
        draws = [
            torch.rand(
                shape, generator=torch.Generator().manual_seed(seed * 1_000_003 + state.frame)
            )
            for seed in state.seeds
        ]
        uniforms = torch.stack(draws)
        if condition.decode == "sample":
            return lambda odds, own: draw_bits(
                odds / condition.temperature, uniforms[:, own], condition.top_p
            )
        finest = self.config.codec.tokens - self.config.codec.frames

        def two_lines(odds: Tensor, own: slice) -> Tensor:
            calm, lively = odds.chunk(2)
            if (
                own.start >= finest
            ):  # detail of single frames is expected, not drawn: drawing it would tremble
                return torch.tanh(odds / 2)
            return torch.cat(
                [
                    torch.tanh(calm / 2),
                    draw_bits(lively / condition.temperature, uniforms[:, own], condition.top_p),
                ]
            )

        return two_lines

    def _motion(self, pieces: list[Tensor], batch: int) -> Motion:
        return Motion(
            torch.cat(pieces, 1).clone() if pieces else torch.zeros(batch, 0, self.space.dim),
            self.space,
        )


def draw_bits(
    odds: Float[Tensor, "batch tokens bits"],
    uniforms: Float[Tensor, "batch tokens bits"],
    top_p: float,
) -> Float[Tensor, "batch tokens bits"]:
    """-1 or 1 by given uniforms; a class that is not more likely than 1 - top_p is never drawn."""
    zero = torch.sigmoid(-odds)
    zero = torch.where(zero <= 1 - top_p, 0.0, torch.where(zero >= top_p, 1.0, zero))
    return (uniforms >= zero).to(odds.dtype) * 2 - 1


def front_end(config: StreamingConfig) -> FrontEnd:
    """The front end that a configuration names, with its shipped weights."""
    if config.front_end == "bands":
        from motet.encoders.band_energy import BandEncoder

        return BandEncoder(config.audio_dim)
    from motet.encoders.phonetic.batched import load_phonetic

    return load_phonetic()
