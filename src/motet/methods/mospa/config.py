"""Settings of MOSPA: the published model, and the small one that ships."""

from __future__ import annotations

import dataclasses
from typing import Literal

from motet.body.source_text import check_source
from motet.config import MIGRATIONS, JsonValue
from motet.errors import ConfigError
from motet.options import check_choices, check_ranges, option, refuse

SourceNorm = Literal["time", "xyz", "none"]
SourceMode = Literal["default", "oracle", "initial", "selfconsistent"]
Genre = Literal["dull", "neutral", "sensitive"]
Role = Literal["listener", "speaker"]
ROLES: tuple[Role, ...] = ("listener", "speaker")
GENRES: tuple[Genre, ...] = ("dull", "neutral", "sensitive")
"""In the order of the genre digit, which is the paper's order of naming them (the digit's meaning
is not documented)."""
EAR_COLUMNS, LAGS = 1136, 1068
"""Columns of one ear and those of them that are the tempogram."""


@dataclasses.dataclass(frozen=True)
class SourceConfig:
    """Source-position encoding: what the network receives about the position of the source."""

    norm: SourceNorm = "time"
    """Normalisation to unit length: each coordinate over time (as released; only the octant
    survives), the direction (`xyz`), or none."""
    distance: bool = False
    """The logarithm of the distance as a fourth number."""
    frame: Literal["root", "start"] = "root"
    """Origin: the pelvis in each frame (as released, which reveals the true path), or the pelvis at
    the window's start."""
    unit: bool = True
    """Scale every frame's vector to length one when generating, as the released evaluation does
    and its training does not."""

    @property
    def dim(self) -> int:
        """Numbers a frame."""
        return 4 if self.distance else 3

    def with_choices(self, norm: str, scale: str) -> SourceConfig:
        """The same with the options `source_norm` and `source_input` of a take, where they are not
        `default`.
        """
        chosen = self if norm == "default" else dataclasses.replace(self, norm=norm)
        return chosen if scale == "default" else dataclasses.replace(chosen, unit=scale == "unit")


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms."""

    data: float = 1.0
    traj: float = 1.0
    rotation: float = 1.0
    geometry: float = 1.0
    foot: float = 1.0
    delta: float = 1.0
    """Factor of all velocity terms; as published 1, which is little where the motion is
    normalised."""
    finetune: bool = False
    """Path and rotations count three times, as in the last part of the published training."""
    geometry_frames: int = 0
    """Forward kinematics on so many neighbouring frames of each window only, chosen at random, for
    the terms on joint positions; 0: all."""
    contact_m: float = 0.01
    """A foot joint is in contact where the ground truth moves less than this per frame."""

    @classmethod
    def from_digits(cls, digits: str, *, finetune: bool = False) -> LossConfig:
        """The released option `loss_terms`: five digits for data, traj, rotation, geo and foot.

        Raises:
            ConfigError: not five digits of 0 and 1.
        """
        if len(digits) != 5 or set(digits) - {"0", "1"}:
            raise ConfigError(f"loss_terms are five digits of 0 and 1, not {digits!r}")
        data, traj, rotation, geometry, foot = (float(digit) for digit in digits)
        return cls(data, traj, rotation, geometry, foot, finetune=finetune)


@dataclasses.dataclass(frozen=True)
class MospaConfig:
    """A complete model."""

    SCHEMA = 2

    width: int = 512
    layers: int = 4
    heads: int = 8
    inner: int = 1024
    """Width of the feed-forward part."""
    dropout: float = 0.2
    audio_inner: int = 1024
    """Width between the two layers of the audio embedding."""
    audio_dim: int = 2 * EAR_COLUMNS
    """Columns of the audio features."""
    sound_features: Literal["binaural", "mono"] = "binaural"
    """Audio features: both ears with tempograms (2,272 columns), or their mean without (68), which
    reveals nothing about the head's direction."""
    fusion: Literal["tokens", "frames"] = "tokens"
    """As released, audio, source and motion are separate tokens; `frames`: they are added frame by
    frame."""
    patch: int = 1
    """Frames of a token; more than one with `frames` only. A token then predicts twice as
    many, which overlap."""
    summary: bool = False
    """With `frames`: audio features of the whole window, the source and the genre are also pooled
    into one vector, which is added to every token."""
    source_axes: bool = False
    """Motion enters and leaves the network also in axes that point at the source, besides the
    figure's own; needs `frames` and `normalise`."""
    known_frames: bool = False
    """The network sees which frames are known (the start pose, the end of the window before) and
    has them clean; training draws how many. Needs `guessing`."""
    roles: bool = False
    """The figure listens or speaks itself; one learned vector each."""
    events: bool = False
    """The source is that of the newest event in each frame, none before the first."""
    families: bool = False
    """The family of the reaction to the newest event (`reaction_families`) is a condition of each
    frame; needs `frames`."""
    source: SourceConfig = SourceConfig()
    mask_sound_source: bool = False
    """No source conditioning."""
    mask_genre: bool = False
    """No genre conditioning."""
    mask_share: float = 0.1
    """Probability of condition dropout in training."""
    mask_targets: Literal["audio", "audio+source"] = "audio"
    """What condition dropout removes: the audio (as released), or audio and source together (as the
    paper has it)."""
    normalise: bool = False
    """Standardise audio features and motion (mean 0, deviation 1); as released they are not."""
    guessing: bool = False
    """The network receives the best linear estimate of the clean motion instead of the noisy motion
    (see `MospaModel.estimate`); needs `normalise`. The name is a key of saved configurations."""
    late_steps: float = 1.0
    """Training samples diffusion steps at 1 - u ** late_steps of the schedule, u uniform; 1:
    uniform, as released; above 1: noisy ones more often."""
    velocity_fps: Literal[120, 30] = 120
    """Velocities are those of frames of 1/120 s (as in the released data) or of 1/30 s."""
    diffusion_steps: int = 1000
    schedule: Literal["cosine", "linear"] = "cosine"
    window: int = 240
    """Frames generated at once."""
    overlap: int = 60
    """Frames of the previous window that are imposed on the next."""
    sampler: Literal["ancestral", "ddim", "dpm++2m", "plms"] = "ddim"
    """Default sampler."""
    steps: int = 25
    """Default number of network evaluations per window."""
    loss: LossConfig = LossConfig()
    half_training: bool = False
    """Train the network in bfloat16 where the processor has such products (a third faster there,
    nine times slower elsewhere); losses and weights stay in single precision."""

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ConfigError(
                f"the width {self.width} must be even and divisible by the number of heads"
                f" {self.heads}"
            )
        if (
            self.patch < 1
            or self.window % self.patch
            or (self.patch > 1 and self.fusion == "tokens")
        ):
            raise ConfigError(
                f"tokens of {self.patch} frames need the fusion 'frames' and must divide the window"
                f" of {self.window}"
            )
        if self.guessing and not self.normalise:
            raise ConfigError("guessing needs normalise: it assumes motion of deviation 1")
        if self.known_frames and not self.guessing:
            raise ConfigError("known_frames needs guessing: both replace the noisy motion")
        if self.events and self.source.frame != "start":
            raise ConfigError("events need a source that is seen from the window's start")
        if self.families and self.fusion == "tokens":
            raise ConfigError("families needs the fusion 'frames'")
        if self.summary and self.fusion == "tokens":
            raise ConfigError("summary needs the fusion 'frames'")
        if self.source_axes and (
            self.fusion == "tokens" or not self.normalise or self.source.norm == "time"
        ):
            raise ConfigError(
                "source_axes needs the fusion 'frames', normalise, and a source norm that keeps the"
                " direction (xyz or none)"
            )
        if not 0 <= self.overlap < self.window:
            raise ConfigError(
                f"the overlap must lie between 0 and {self.window - 1} frames, not {self.overlap}"
            )


@dataclasses.dataclass(frozen=True)
class MospaCondition:
    """Options of a take."""

    RENAMED = {"guidance": "guidance_audio"}
    """Earlier names, valid for one version."""

    source: str = option("", "120,0,2")
    """Position of the sound source: AZ,EL,DIST (degrees counter-clockwise seen from above with 0
    ahead of the figure's first frame, degrees up, metres), or a .csv/.npy/.npz file of a moving one
    (rows of seconds, x, y, z in metres); empty: estimated from the two channels."""
    genre: Genre = option("neutral", "dull")
    """How strongly the figure reacts."""
    start: str = option("", "{pose}")
    """The pose that the take begins with and where it stands: the last frame of a take (.npz), or
    of poses and trans in SMPL-X order; empty: relaxed standing at the origin."""
    role: Literal["default", "listener", "speaker"] = option("default", "speaker")
    """Whether the figure listens, or speaks the recording itself and moves as speakers do."""
    reaction: Literal["default", "attend", "greet", "dance", "avoid", "cover", "flee", "endure"] = (
        option("default", "cover", preset="shipped")
    )
    """How the figure reacts to every sound: attend (look, turn, go there), greet (face it, nod or
    wave), dance, avoid (step aside), cover (hands over the ears), flee (start, run away or crouch),
    endure (arms round oneself); default: by the kind of sound that is detected."""
    guidance_audio: float = option(1.0, 2.0)
    """Classifier-free guidance scale of the audio; 1: none."""
    steps: int = option(0, 2)
    """Network evaluations of a window; 0: the model's own number."""
    sampler: Literal["default", "ancestral", "ddim", "dpm++2m", "plms"] = option("default", "ddim")
    """Diffusion sampler; ancestral with all steps is the published one."""
    source_mode: SourceMode = option(
        "default", "initial", preset="tiny_published", given={"source": "120,0,2"}
    )
    """How the source is conditioned on over a window: its position as seen from the estimated
    motion (selfconsistent), as seen from the first frame (initial), or the rows of the file as they
    are, seen from the true pelvis (oracle, the published evaluation)."""
    source_norm: Literal["default", "time", "xyz", "none"] = option(
        "default", "none", given={"source": "120,0,2"}
    )
    """Another normalisation of the source than the model was trained with (see
    `SourceConfig.norm`)."""
    source_input: Literal["default", "raw", "unit"] = option(
        "default", "unit", given={"source": "120,0,2", "source_norm": "none"}
    )
    """Source vectors in metres, as the released training has them, or of length one in each frame,
    as its evaluation has."""
    flexibility: float = option(0.0, 1.0, given={"sampler": "ddim"})
    """Fresh noise of ancestral (0 narrow, 1 wide) and ddim (its eta)."""
    feet: bool = option(True, False)
    """Anchor standing feet and keep them above the floor."""
    upright: bool = option(
        True, False, preset="shipped", sound="long", given={"genre": "sensitive"}
    )
    """With `feet`: straighten legs that rest half bent; squats and movements stay."""
    life: bool = option(True, False, preset="shipped", sound="pause")
    """With `feet`: breath, weight shifts and a wandering gaze while the figure stands still."""

    def __post_init__(self) -> None:
        check_choices(self)
        check_source(self.source)
        check_ranges(self, {"guidance_audio": (0.0, 20.0), "flexibility": (0.0, 1.0)})
        if self.steps < 0:
            raise ConfigError(
                f"steps must be at least 1 (or 0 for the model's own number), not {self.steps}"
            )
        if not self.feet:
            refuse(self, ("upright", "life"), "they are parts of feet")

    def check(self, config: MospaConfig) -> None:
        """Check that a model can honour every option that is set.

        Raises:
            ConfigError: names one that it cannot.
        """
        if config.source.frame == "start" and self.source_mode != "oracle":
            refuse(self, ("source_mode",), "this model sees the source from its window's start")
        if not config.guessing:
            refuse(self, ("life",), "published models move as published")
        if not config.roles:
            refuse(self, ("role",), "this model knows no speakers")
        if not config.families:
            refuse(self, ("reaction",), "this model decides by itself how to react")
        if self.role == "speaker":
            refuse(self, ("reaction",), "a speaker reacts to no sound")
        if self.role == "speaker" and self.source:
            raise ConfigError(
                "a speaker is the sound source: leave source out, or choose the role listener"
            )
        sampler = config.sampler if self.sampler == "default" else self.sampler
        if sampler in ("dpm++2m", "plms"):
            refuse(self, ("flexibility",), f"{sampler} adds no noise; choose ancestral or ddim")


def _sound_features_renamed(saved: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Schema 1 called the setting `sound_features` `hearing`."""
    saved["sound_features"] = saved.pop("hearing", "binaural")
    return saved


MIGRATIONS[(MospaConfig.__name__, 1)] = _sound_features_renamed

_HOUSE_SOURCE = SourceConfig(norm="xyz", distance=True, frame="start", unit=False)
PRESETS: dict[str, MospaConfig] = {
    "default": MospaConfig(
        width=192,
        layers=4,
        heads=4,
        inner=576,
        dropout=0.0,
        audio_inner=192,
        audio_dim=EAR_COLUMNS - LAGS,
        sound_features="mono",
        fusion="frames",
        patch=4,
        summary=True,
        known_frames=True,
        roles=True,
        events=True,
        families=True,
        source_axes=True,
        source=_HOUSE_SOURCE,
        mask_targets="audio+source",
        normalise=True,
        guessing=True,
        late_steps=1.6,
        sampler="dpm++2m",
        steps=12,
        loss=LossConfig(geometry=10.0, foot=30.0, delta=8.0, geometry_frames=80),
        half_training=True,
    ),
    "tiny": MospaConfig(
        width=32,
        layers=2,
        heads=2,
        inner=48,
        dropout=0.0,
        audio_inner=32,
        audio_dim=EAR_COLUMNS - LAGS,
        sound_features="mono",
        fusion="frames",
        patch=4,
        summary=True,
        known_frames=True,
        roles=True,
        events=True,
        families=True,
        source_axes=True,
        source=_HOUSE_SOURCE,
        normalise=True,
        guessing=True,
        diffusion_steps=50,
        window=48,
        overlap=12,
        sampler="dpm++2m",
        steps=3,
    ),
    "tiny_published": MospaConfig(
        width=32,
        layers=2,
        heads=2,
        inner=48,
        dropout=0.0,
        audio_inner=32,
        diffusion_steps=50,
        window=48,
        overlap=12,
        sampler="ddim",
        steps=5,
    ),
    "published": MospaConfig(),
    "published_steps100": MospaConfig(diffusion_steps=100),
    "published_steps4": MospaConfig(diffusion_steps=4, sampler="ancestral", steps=4),
}
