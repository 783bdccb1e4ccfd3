"""The streaming model and its audio encoder as one module of fixed shapes, for export: a chunk of
sound and the state in, frames and the state out.

It computes what a stream does, as `ArtalkStreaming` with `mode=stream`, for one item: Whisper's
features block after block, the mouth shapes regressed from them, a window of motion, smoothing,
the blend of both mouths and closed lips. Random numbers are an input. What a session adds behind
the method (blinks, gaze, gestures, emotion) is not part of it.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.encoders.lips import STREAM_CONTEXT, LipEncoder, LipRegressor
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.fixed_blocks import FixedBlocks
from motet.encoders.whisper.heads import CONTEXT, SpeechHeads, load_heads
from motet.encoders.whisper.network import STEP
from motet.errors import ConfigError
from motet.face.closure_graph import close_by_evidence
from motet.face.lip_aperture import OPENING_CHANNELS
from motet.face.lip_closure import STEPS_AFTER, STEPS_BEFORE, closure_evidence
from motet.face.mouth_blend import BlendMouth, widened
from motet.face.operator import NO_CUES, FaceCues
from motet.face.smoothing import ExponentialSmoothing
from motet.methods.artalk.config import ArtalkCondition
from motet.methods.artalk.published_method import PublishedMethod
from motet.methods.artalk.streaming.audio_mixer import known_mask
from motet.methods.artalk.streaming.bit_decoding import bit_decoder
from motet.methods.artalk.streaming.generate import ArtalkStreaming
from motet.methods.artalk.streaming.postprocess import (
    SMOOTHING,
    SMOOTHING_STAGES,
    smoothed_channels,
)
from motet.methods.artalk.streaming.style_input import session_style
from motet.methods.artalk.streaming.window_schedule import with_schedule
from motet.nn.stateful_graph import State, StatefulGraph
from motet.types import ARKIT_SHAPES
from motet.words import has_words


class FixedLips(nn.Module):
    """The mouth shapes of a block, regressed from features and phones around each of its steps.

    Args:
        regressor: its maps for streams.
        heads: what predicts the phones.
        settings: of the stream.
    """

    weight: Float[Tensor, "hop inputs shapes"]
    bias: Float[Tensor, "hop shapes"]
    phone_weight: Float[Tensor, "hop phone_inputs shapes"]
    feature_rows: Int[Tensor, "hop offsets"]
    phone_rows: Int[Tensor, "hop phone_offsets near"]

    def __init__(
        self, regressor: LipRegressor, heads: SpeechHeads, settings: WhisperStreaming
    ) -> None:
        super().__init__()
        self.heads, self.refresh, self.hop = heads, settings.refresh, settings.hop
        self.context = max(STREAM_CONTEXT, -min(*regressor.config.offsets, 0))
        """Features before those of a block that are read."""
        # Every step of a block always has the same number of steps after it, and so the same map.
        steps = self.context + torch.arange(settings.hop)
        known = self.context + settings.hop + settings.look_ahead
        rows, maps = regressor.context(steps, known)
        self.register_buffer("feature_rows", rows)
        self.register_buffer("phone_rows", regressor.stream_phone_rows(steps, known))
        self.register_buffer("weight", regressor.weight[maps].clone())
        self.register_buffer("bias", regressor.bias[maps].clone())
        self.register_buffer("phone_weight", regressor.stream_phone_weight[maps].clone())

    def forward(
        self, block: Int[Tensor, ""], rows: Float[Tensor, "known width"]
    ) -> tuple[Float[Tensor, "hop width"], Float[Tensor, "hop shapes"]]:
        """Features of the block's own steps, and the mouth at them.

        Args:
            rows: `context` earlier features, then those of `FixedBlocks`.
        """
        rows = rows[self.refresh :]  # (context + hop + look_ahead, width)
        # Before the first feature of a recording stands that feature.
        first = (self.context - block.clamp(min=0) * self.hop).clamp(min=0)
        rows = rows[torch.maximum(torch.arange(len(rows)), first)]
        inputs = rows[self.feature_rows].flatten(1).unsqueeze(1)  # (hop, 1, inputs)
        shapes = (inputs @ self.weight)[:, 0] + self.bias
        phones = self.heads.phones(rows.unsqueeze(0))[0]
        read = phones[self.phone_rows].mean(2).flatten(1).unsqueeze(1)  # (hop, 1, phone_inputs)
        shapes = shapes + (read @ self.phone_weight)[:, 0]
        return rows[self.context : self.context + self.hop], shapes


class ArtalkGraph(nn.Module):
    """One window a call.

    Args:
        method: the streaming model with the encoder `lips`.
        condition: options of the take, baked in; its decoding must be `lively`.
    """

    smoothed: Bool[Tensor, " dim"]
    mouth: Bool[Tensor, " dim"]
    style: Float[Tensor, "1 style"]
    mouth_mean: Float[Tensor, " shapes"]

    def __init__(self, method: ArtalkStreaming, condition: ArtalkCondition) -> None:
        super().__init__()
        encoder = method.encoder
        assert isinstance(encoder, LipEncoder)
        self.model, self.config, self.condition = method.model, method.config, condition
        streaming = method.stream_encoder(condition)
        assert isinstance(streaming, LipEncoder) and streaming.settings is not None
        settings = streaming.settings
        self.blocks = FixedBlocks(encoder.network, settings)
        self.heads: SpeechHeads = load_heads(encoder.digest)
        self.lips = FixedLips(encoder.regressor, self.heads, settings)
        self.hop, self.acoustic = settings.hop, encoder.acoustic
        style, self.mouth_style = session_style(condition, method.model, method.space)
        self.register_buffer("style", style.expand(2, -1).clone())
        self.register_buffer("mouth_mean", encoder.mouth_mean.clone())
        self.register_buffer("smoothed", smoothed_channels().clone())
        self.register_buffer("mouth", method.mouth.clone())
        self.weights = method.space.range("blendshapes")

    def begin(self) -> State:
        """State before the first chunk."""
        codec = self.config.codec
        frames = self.config.history * codec.frames
        return {
            "call": torch.tensor(0),
            **self.blocks.begin(),
            "before": torch.zeros(self.lips.context, self.acoustic),
            "features": torch.zeros(self.config.audio_before, self.config.audio_dim),
            "motion": torch.zeros(2, frames, codec.motion_dim),
            "smooth": torch.zeros(SMOOTHING_STAGES, 1, codec.motion_dim),
        }

    def forward(
        self, sound: Float[Tensor, " time"], noise: Float[Tensor, "tokens bits"], state: State
    ) -> tuple[Float[Tensor, "commit dim"], Int[Tensor, ""], State]:
        """Frames of a chunk of sound, how many of them count, and the state.

        Args:
            sound: 16 kHz, two steps of 20 ms for each frame of a window's emitted part.
            noise: uniform in 0..1.
        """
        block = state["call"] - self.blocks.delay
        started, first = block >= 0, block == 0
        rows, after = self.blocks(block, sound, state)
        rows = torch.cat([state["before"], rows])
        acoustic, shapes = self.lips(block, rows)
        features = torch.cat([state["features"], torch.cat([acoustic, shapes], 1)])
        lines = self._window(block, features, noise, state)
        motion = torch.where(self.mouth, lines[:1], lines[1:])  # (1, commit, dim)
        motion, smooth = self._processed(block, motion, features, state["smooth"], first)
        after |= {
            "call": state["call"] + 1,
            "before": rows[self.hop : self.hop + self.lips.context],
            "features": features[self.hop :],
            "motion": torch.where(
                started, torch.cat([state["motion"], lines], 1)[:, lines.shape[1] :], 0.0
            ),
            "smooth": smooth,
        }
        return motion[0], torch.where(started, self.condition.commit, 0), after

    def _known(self, block: Int[Tensor, ""]) -> Int[Tensor, ""]:
        """The first row of the features that lies inside the sound."""
        return (self.config.audio_before - block.clamp(min=0) * self.hop).clamp(min=0)

    def _window(
        self,
        block: Int[Tensor, ""],
        features: Float[Tensor, "known audio"],
        noise: Float[Tensor, "tokens bits"],
        state: State,
    ) -> Float[Tensor, "lines commit dim"]:
        """The emitted part of the next window: the expected line and the drawn one."""
        config, model, fresh = self.config, self.model, block <= 0
        padding = (0, 0, 0, config.audio_steps - len(features))
        padded = nn.functional.pad(features, padding).unsqueeze(0)
        last = torch.tensor([len(features)])
        mask = known_mask(config.audio_steps, self._known(block).unsqueeze(0), last)
        audio = model.audio(padded, mask)
        window = state["motion"][:, -config.codec.frames :]
        before = model.past_total(window)
        past = model.past(state["motion"], before, fresh.unsqueeze(0))
        decide = bit_decoder(self.condition, config.codec, lambda: noise.unsqueeze(0))
        _, total = model.generate(self.style, past, audio, decide)
        motion = model.decode(window, before, total, fresh)
        shapes = motion[..., self.weights].clamp(0, 1)
        motion = torch.cat([shapes, motion[..., self.weights.stop :]], -1)
        return motion[:, : self.condition.commit]

    def _processed(
        self,
        block: Int[Tensor, ""],
        motion: Float[Tensor, "1 commit dim"],
        features: Float[Tensor, "known audio"],
        smooth: Tensor,
        first: Bool[Tensor, ""],
    ) -> tuple[Float[Tensor, "1 commit dim"], Tensor]:
        """Smoothing of drawn motion, the regressed mouth, closed lips."""
        condition = self.condition
        averages = torch.where(first, motion[:, 0].expand_as(smooth), smooth)
        smoothing = ExponentialSmoothing(self.smoothed, SMOOTHING, SMOOTHING_STAGES)
        motion, after = smoothing.step(motion, averages, NO_CUES)
        averages = averages if after is None else after
        if condition.opening:
            at = self.config.audio_before + 2 * torch.arange(condition.commit)
            # (3, commit, shapes): the two steps of each frame, as `speech_cues` weighs them.
            near = torch.stack(
                [features[torch.maximum(at + k, self._known(block))] for k in (-1, 0, 1)]
            )[..., self.acoustic :]
            shapes = 0.25 * near[0] + 0.5 * near[1] + 0.25 * near[2]
            mouth = widened(shapes.unsqueeze(0), self.mouth_mean)
            blend = BlendMouth(condition.opening, self.mouth_style)
            motion = blend.apply(motion, FaceCues(mouth=mouth))
        if condition.closures:
            motion = close_by_evidence(motion, self._evidence(block, features))
        return motion, averages

    def _evidence(
        self, block: Int[Tensor, ""], features: Float[Tensor, "known audio"]
    ) -> Float[Tensor, "1 commit"]:
        """Evidence for closed lips in each frame."""
        begin = self.config.audio_before - STEPS_BEFORE
        steps = begin + torch.arange(STEPS_BEFORE + self.hop)
        around = steps.unsqueeze(1) + torch.tensor(CONTEXT)
        around = torch.maximum(around, self._known(block))  # the ends go on
        _, odds = self.heads(features[around, : self.acoustic])
        inside = steps >= self._known(block)
        probability = torch.where(inside, odds.sigmoid(), 0.0)
        # What the last frame's window reads beyond the known features is improbable.
        unknown = STEPS_AFTER - 2
        return closure_evidence(nn.functional.pad(probability, (0, unknown)).unsqueeze(0))


def stateful_graph(
    method: ArtalkStreaming | PublishedMethod, condition: ArtalkCondition
) -> StatefulGraph:
    """The graph of a method with options.

    Raises:
        ConfigError: an option that the graph cannot honour.
    """
    if isinstance(method, PublishedMethod) or not isinstance(method.encoder, LipEncoder):
        raise ConfigError("only the streaming model that ships can be written as ONNX")
    if condition.decode != "lively":
        raise ConfigError(f"an ONNX graph decodes lively, not {condition.decode}; leave decode out")
    if has_words(condition):
        raise ConfigError("a stream has no words; leave text, timing and recogniser out")
    condition = dataclasses.replace(condition, mode="stream")
    condition = with_schedule(condition, method.config, method.streams_sound(condition))
    module = ArtalkGraph(method, condition).eval()
    codec = method.config.codec
    sizes = {"sound": (module.hop * STEP,), "noise": (codec.tokens, codec.bits)}
    return StatefulGraph(
        module,
        {name: torch.zeros(size) for name, size in sizes.items()},
        {name: value.clone() for name, value in module.begin().items()},
        ("frames", "count"),
        {
            "channels": ",".join(n for track in method.space.tracks for n in track.channels),
            "fps": str(method.fps),
            "sample_rate": str(method.sample_rate),
            "commit": str(condition.commit),
            "noise": "uniform in 0..1, new numbers for every call",
            "opening": ",".join(ARKIT_SHAPES[column] for column in OPENING_CHANNELS),
        },
    )
