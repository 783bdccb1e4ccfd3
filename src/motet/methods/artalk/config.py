"""Settings of ARTalk: the published sizes of both generations, and the small streaming model that
ships.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from motet.errors import ConfigError
from motet.options import check_choices, check_ranges, option, refuse
from motet.words import WORDS, check_words


def _check_patches(patches: tuple[int, ...]) -> None:
    if (
        not patches
        or patches[0] < 1
        or any(a >= b for a, b in zip(patches, patches[1:], strict=False))
    ):
        raise ConfigError(f"patches must rise from at least 1, not {patches}")


@dataclasses.dataclass(frozen=True)
class CodecConfig:
    """The multi-scale bitwise codec."""

    motion_dim: int = 106
    """Channels of a frame."""
    bits: int = 32
    """Bits per token."""
    hidden: int = 512
    """Width of encoder and decoder."""
    depth: int = 8
    """Layers of encoder and decoder each."""
    heads: int = 8
    """Attention heads."""
    patches: tuple[int, ...] = (1, 5, 25, 50, 100)
    """Tokens per scale, coarse to fine; the last equals the frames of a window."""
    windows: int = 2
    """Windows coded together: with 2, each window has the previous one as context."""
    rotary: bool = False
    """Rotary positions instead of learned tables."""
    full_width_scale: bool = True
    """Attention scale 1 / sqrt(full width) instead of 1 / sqrt(head width) (as released)."""
    deviation_floor: float = 0.0
    """Added to the deviation when motion is normalised, not when it is restored (1e-8 in the
    training code)."""
    inner_norm: bool = False
    """A layer norm before each feed-forward part (the published codec has none)."""

    def __post_init__(self) -> None:
        _check_patches(self.patches)
        if self.windows not in (1, 2):
            raise ConfigError(f"the codec takes 1 or 2 windows, not {self.windows}")
        if self.hidden % self.heads:
            raise ConfigError(f"hidden ({self.hidden}) must be a multiple of heads ({self.heads})")

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return self.patches[-1]

    @property
    def tokens(self) -> int:
        """Tokens of a window over all scales."""
        return sum(self.patches)


@dataclasses.dataclass(frozen=True)
class Wav2Vec2Config:
    """A wav2vec2 trunk with layer-normed convolutions (XLS-R); the defaults are XLS-R 300M."""

    hidden: int = 1024
    layers: int = 24
    heads: int = 16
    inner: int = 4096
    conv_widths: tuple[int, ...] = (512,) * 7
    position_taps: int = 128
    position_groups: int = 16


@dataclasses.dataclass(frozen=True)
class ReleasedConfig:
    """The published inference model (generation R)."""

    codec: CodecConfig = CodecConfig()
    audio: Wav2Vec2Config = Wav2Vec2Config()
    width: int = 768
    depth: int = 12
    heads: int = 12
    history: int = 1
    """Past windows in the generator's context."""
    style_width: int = 128
    style_depth: int = 4
    style_heads: int = 4
    style_inner: int = 512


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The model of the published training code (generation T)."""

    codec: CodecConfig = CodecConfig(
        108,
        patches=(1, 10, 20, 50, 100),
        windows=1,
        rotary=True,
        full_width_scale=False,
        deviation_floor=1e-8,
    )
    audio: Wav2Vec2Config | None = Wav2Vec2Config()
    """None: features come from outside (MIMI, 512 wide)."""
    audio_dim: int = 1024
    width: int = 512
    depth: int = 8
    heads: int = 8
    flip: float = 0.3
    """Training: largest share of flipped bits."""
    drop_past: float = 0.1
    drop_audio: float = 0.1
    drop_style: float = 0.1


MOUTH_SHAPES = 15
"""Mouth shapes of the audio encoder `lips` (`motet.face.lip_shapes.SOLVED`)."""


@dataclasses.dataclass(frozen=True)
class StreamingConfig:
    """The small model that ships: house space, sliding-window decoding with short windows.

    The names of the fields are keys of saved configurations.
    """

    codec: CodecConfig = CodecConfig(
        55, 20, 160, 4, 4, (1, 2, 4, 8, 16), full_width_scale=False, inner_norm=True
    )
    front_end: Literal["lips", "phonetic", "bands"] = "phonetic"
    """Audio encoder: Whisper's with mouth shapes regressed from it, the phonetic encoder (both
    shipped), or band energies (tests)."""
    audio_dim: int = 256
    """Channels of the audio features, regressed mouth shapes included."""
    audio_width: int = 128
    """Channels of the convolutions over the features, and of the condition of the tokens."""
    audio_layers: int = 2
    """Convolutions over the features; each spans two steps (40 ms) to either side."""
    steps_per_frame: int = 2
    """Feature steps per frame (50 Hz over 25 fps)."""
    audio_before: int = 8
    """Feature steps of context before the window."""
    audio_after: int = 8
    """Feature steps of context after the window, where they have arrived."""
    width: int = 192
    depth: int = 4
    heads: int = 4
    expansion: int = 3
    """Inner width of the feed-forward parts over `width`."""
    history: int = 2
    """Past windows in the generator's context."""
    style_width: int = 64
    style_depth: int = 2
    style_heads: int = 4
    styles: tuple[str, ...] = ()
    """Names of the styles whose vectors are in the weights."""
    commit: int = 12
    """Default number of frames emitted of each window."""
    look_ahead: int = 4
    """Default number of feature steps read beyond the emitted frames."""
    stream_commit: int = 3
    """The same of a stream, where every frame that is waited for costs time."""
    stream_look_ahead: int = 6
    """Of a stream of an encoder that also works offline: feature steps that the encoder sees
    beyond the emitted frames. The generator itself then waits for none."""
    seam_decay_frames: float = 4.0
    """Time constant of the fading correction at a seam."""
    flip: float = 0.2
    """Training: largest share of flipped bits."""
    soften: float = 0.5
    """Training: probability of softened input codes, as expected bits are."""
    drop_style: float = 0.15
    """Training: probability of style dropout."""
    drop_past: float = 0.08
    """Training: probability of an empty history, as at the start of a session."""
    history_noise: float = 0.3
    """Training: largest noise on the history, in deviations."""
    unheard_weight: float = 0.25
    """Training: loss weight of frames whose audio has not arrived; they are regenerated later."""
    motion_weight: float = 1.0
    """Training: weight of the expected motion's error relative to the bits' cross entropy."""

    def __post_init__(self) -> None:
        if not 1 <= self.commit <= self.codec.frames:
            raise ConfigError(
                f"commit must lie between 1 and the {self.codec.frames} frames of a window, not"
                f" {self.commit}"
            )
        if self.codec.windows != 2 or self.codec.rotary:
            raise ConfigError(
                "the streaming model needs a codec of two windows with learned positions"
            )
        if self.width % self.heads:
            raise ConfigError(f"width ({self.width}) must be a multiple of heads ({self.heads})")

    @property
    def mouth_shapes(self) -> int:
        """Channels of the features that are regressed mouth shapes, the last ones."""
        return MOUTH_SHAPES if self.front_end == "lips" else 0

    @property
    def audio_steps(self) -> int:
        """Feature steps of a window's context, those not yet arrived included."""
        return self.audio_before + self.codec.frames * self.steps_per_frame + self.audio_after


@dataclasses.dataclass(frozen=True)
class ArtalkConfig:
    """One of the three models that share this method's name."""

    SCHEMA = 1

    generation: Literal["streaming", "released", "training"] = "streaming"
    """Which of the three models."""
    streaming: StreamingConfig | None = None
    released: ReleasedConfig | None = None
    training: TrainingConfig | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name in ("streaming", "released", "training")
            if getattr(self, name) is not None
        ]
        if given != [self.generation]:
            raise ConfigError(
                f"generation {self.generation!r} needs exactly the part of that name, got"
                f" {', '.join(given) or 'none'}"
            )

    @property
    def audio_dim(self) -> int:
        """Channels of the generator's audio features."""
        part = self.streaming or self.training
        return (
            part.audio_dim
            if part is not None
            else self.released.audio.hidden
            if self.released
            else 0
        )


STREAMING_ONLY = (
    "guidance_style", "decode", "commit", "look_ahead", "closures", "opening", "mode", *WORDS,
)  # fmt: skip
PUBLISHED_ONLY = ("smooth", "fix_pose", "jaw_only_opens", "precision")


@dataclasses.dataclass(frozen=True)
class ArtalkCondition:
    """Options of a take."""

    RENAMED = {"guidance": "guidance_audio", "style_strength": "guidance_style"}
    """Earlier names, valid for one version."""

    style: str = option("", "{take}")
    """Streaming model: a named style, a take (.npz) or a video. Published models: a take, a video
    or an official style clip (.safetensors). Empty: none."""
    guidance_audio: float = option(2.0, 4.0, preset="tiny_training")
    """Training generation: classifier-free guidance scale of the audio; 1: none."""
    guidance_style: float = option(1.0, 2.0, given={"style": "{take}"})
    """Streaming model: scale of the style's distance from no style; 1 follows it, above 1
    exaggerates it."""
    decode: Literal["lively", "expected", "greedy", "sample"] = option("lively", "greedy")
    """Streaming model: `expected` bits (calm), the likelier bits (`greedy`), sampled bits
    (`sample`), or `lively`: the mouth by expected bits, head, brows and eyes by sampled ones, so
    that takes differ in style and agree on the lips."""
    temperature: float = option(1.0, 0.1, given={"decode": "sample"})
    """Of sampled bits; below 1 calmer."""
    top_p: float = option(0.97, 0.51, given={"decode": "sample"})
    """Of sampled bits: a class that is less likely than 1 - top_p is never sampled."""
    mode: Literal["auto", "offline", "stream"] = option("auto", "stream", preset="shipped")
    """Streaming model: `offline` encodes the recording in long windows, `stream` as a live session
    does (`run` with it equals `live`); `auto`: offline for recordings, stream when live."""
    text: str = option("", "he was not a young man", preset="shipped")
    """Streaming model: what is said, in English words, or a text file (.txt): phones are aligned to
    it, and the mouth is regressed from them too."""
    timing: str = option("", "{timing}", preset="shipped")
    """Streaming model: a file with phone times (Praat TextGrid, CTM, JSON or CSV) instead of `text`."""
    recogniser: Literal["auto", "none"] = option("none", "auto", preset="shipped")
    """Streaming model: `auto` recognises English words where no text is given."""
    commit: int = option(0, 2)
    """Streaming model: frames emitted of each window (0: the trained number of the mode). Fewer:
    shorter latency and more work."""
    look_ahead: int = option(-1, 8)
    """Streaming model: steps of 20 ms beyond the emitted frames that a window waits for, of
    features or, with mode=stream, of sound that the encoder sees (-1: the usual number of the
    mode)."""
    closures: bool = option(True, False, preset="shipped")
    """Streaming model: close the lips at every p, b and m that is detected or known."""
    opening: float = option(0.95, 0.2)
    """Streaming model: weight of the regressed mouth (of a model without that regressor: lip
    aperture) against the model's own (0: the model alone)."""
    smooth: bool = option(False, True, preset="tiny_released")
    """Published models: Savitzky-Golay smoothing of the published command line (delays a stream by
    4 frames)."""
    fix_pose: bool = option(False, True, preset="tiny_released")
    """Published models: no head motion."""
    jaw_only_opens: bool = option(True, False, preset="tiny_released")
    """Published models: set the jaw's two other axes to zero, as the published command line
    does."""
    precision: Literal["float32", "bfloat16", "int8"] = option(
        "float32", "int8", preset="tiny_released", sound="long"
    )
    """Published models: arithmetic of the audio encoder. Lower ones are faster and change some bits
    (see the README)."""

    def __post_init__(self) -> None:
        check_choices(self)
        ranges = {"guidance_style": (0.0, 5.0), "guidance_audio": (0.0, 20.0)}
        check_ranges(self, {**ranges, "opening": (0.0, 1.0)})
        if not 0.0 < self.temperature <= 10.0:
            raise ConfigError(
                f"temperature must lie above 0 and at most at 10, not {self.temperature}"
            )
        if not 0.5 < self.top_p <= 1.0:
            raise ConfigError(f"top_p must lie above 0.5 and at most at 1, not {self.top_p}")
        if not self.style:
            refuse(self, ("guidance_style",), "it scales a style; give one with style")
        check_words(self)
        if self.decode in ("expected", "greedy"):
            refuse(self, ("temperature", "top_p"), f"decode={self.decode} samples no bits")

    def check(self, config: ArtalkConfig) -> None:
        """Check that a model can honour every option that is set.

        Raises:
            ConfigError: names one that it cannot.
        """
        if config.streaming is not None:
            refuse(self, ("guidance_audio",), "only the published training generation has it")
            refuse(self, PUBLISHED_ONLY, "only the published models have it")
            if config.streaming.front_end != "lips":
                refuse(self, ("mode", *WORDS), "the audio encoder of this model always streams")
            return
        refuse(self, STREAMING_ONLY, "only the streaming model has it")
        if config.released is not None:
            refuse(self, ("guidance_audio", "temperature", "top_p"), "the released model has none")


STYLES = (
    "neutral", "warm", "serious", "energetic", "calm", "skeptical", "sad", "angry", "surprised", "whispering", "news", "storyteller", "timid",
)  # fmt: skip
"""Styles whose vectors are in the shipped weights: means over the training performances of that
name."""
SHIPPED = StreamingConfig(front_end="lips", audio_dim=399, look_ahead=16, styles=STYLES)
"""The small streaming model that ships."""
TINY_CODEC = CodecConfig(55, 8, 32, 1, 2, (1, 2, 4, 8), full_width_scale=False, inner_norm=True)
TINY = StreamingConfig(
    TINY_CODEC,
    "bands",
    8,
    16,
    1,
    width=32,
    depth=1,
    heads=2,
    style_width=16,
    style_depth=1,
    style_heads=2,
    commit=4,
)
# 256 wide: `precision` leaves narrower layers as they are.
_TINY_AUDIO = Wav2Vec2Config(256, 2, 4, 256, (16,) * 7, 16, 4)
TINY_RELEASED = ReleasedConfig(
    CodecConfig(106, 12, 32, 2, 4),
    _TINY_AUDIO,
    width=48,
    depth=3,
    heads=4,
    style_width=32,
    style_depth=2,
    style_inner=64,
)
TINY_TRAINING = TrainingConfig(
    dataclasses.replace(TrainingConfig().codec, bits=8, hidden=32, depth=1, heads=4),
    _TINY_AUDIO,
    256,
    width=48,
    depth=2,
    heads=4,
)
PRESETS: dict[str, ArtalkConfig] = {
    "default": ArtalkConfig("streaming", streaming=SHIPPED),
    "tiny": ArtalkConfig("streaming", streaming=TINY),
    "tiny_released": ArtalkConfig("released", released=TINY_RELEASED),
    "tiny_training": ArtalkConfig("training", training=TINY_TRAINING),
    "released": ArtalkConfig("released", released=ReleasedConfig()),
    "training": ArtalkConfig("training", training=TrainingConfig()),
}
