"""Settings of DiffPoseTalk: the published models, and the small one of the house space."""

from __future__ import annotations

import dataclasses
from typing import Literal

from motet.errors import ConfigError
from motet.options import check_choices, check_ranges, option, refuse
from motet.words import WORDS, check_words

Condition = Literal["audio", "style"]
Front = Literal["hubert", "wav2vec2", "phonetic", "bands"]


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """The network of HuBERT and wav2vec 2.0; the defaults are their base form. Own copy of
    `HubertConfig`, free of torch.
    """

    hidden: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    conv_widths: tuple[int, ...] = (512,) * 7
    position_taps: int = 128
    position_groups: int = 16
    dropout: float = 0.1
    layer_drop: float = 0.1
    mask_share: float = 0.05
    mask_length: int = 10


@dataclasses.dataclass(frozen=True)
class StyleConfig:
    """The style encoder: a motion clip to one style vector."""

    width: int = 128
    """Width of the style vector."""
    layers: int = 4
    heads: int = 4
    expansion: int = 4
    """Width of the feed-forward part over `width`."""
    dropout: float = 0.1
    frames: int = 100
    """Frames of a clip, in training and from the user."""
    gap: int = 10
    """Frames between the two clips of a person in training."""
    temperature: float = 0.1
    """Temperature of the contrastive loss between persons (NT-Xent)."""
    positions: Literal["length", "frame"] = "length"
    """As released every frame has the positional encoding of the clip's length, so the encoder is
    blind to order; `frame`: that of its own index."""


@dataclasses.dataclass(frozen=True)
class DenoiserConfig:
    """The transformer that denoises a window of motion."""

    width: int = 512
    layers: int = 8
    heads: int = 8
    expansion: int = 4
    dropout: float = 0.1
    window: int = 100
    """Frames generated at once."""
    context: int = 10
    """Frames of the previous window that enter as context."""
    mask_width: int = 1
    """A frame attends to audio features of frames nearer than this (1: its own only; 0: all)."""
    learned_positions: bool = True
    indicator: bool = True
    """An input channel marks valid frames: 1, and 0 in the padding of the last window."""


@dataclasses.dataclass(frozen=True)
class DiffusionConfig:
    """Noise schedule, prediction target, and condition dropout in training."""

    steps: int = 500
    schedule: Literal["linear", "quadratic", "sigmoid", "cosine"] = "cosine"
    target: Literal["sample", "noise"] = "sample"
    guided: tuple[Condition, ...] = ("audio", "style")
    """Conditions with dropout in training, which classifier-free guidance needs."""
    dropping: Literal["incremental", "independent"] = "incremental"
    """Dropped in order (style first, then audio), or each independently."""

    def __post_init__(self) -> None:
        if list(self.guided) != [name for name in ("audio", "style") if name in self.guided]:
            raise ConfigError(
                "guided conditions are audio and style, in that order, not"
                f" {', '.join(self.guided)}"
            )


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms, and the training clips."""

    criterion: Literal["l2", "l1"] = "l2"
    vert: float = 2e6
    vel: float = 1e7
    smooth: float = 1e5
    head_angle: float = 0.05
    head_vel: float = 5.0
    head_smooth: float = 0.5
    head_trans: float = 0.5
    constrain_previous: bool = True
    """The second clip must also reproduce its context frames of the first."""
    truncate: tuple[float, float] = (0.3, 0.4)
    """Probability of truncating the first and the second clip."""
    padding: Literal["zero", "replicate"] = "zero"
    """Padding after a truncation and after the end of a recording."""
    hear_both: bool = False
    """Encode the audio of both clips at once. The name is a key of saved configurations."""


@dataclasses.dataclass(frozen=True)
class DiffPoseTalkConfig:
    """A complete model."""

    SCHEMA = 1

    space: Literal["arkit", "flame"] = "arkit"
    """House space, or FLAME coefficients as published."""
    head: bool = True
    """Generate head rotation."""
    front: Front = "phonetic"
    """Audio encoder: a trunk inside the model (hubert, wav2vec2), or features from outside
    (phonetic, bands)."""
    trunk: TrunkConfig | None = None
    audio_dim: int = 256
    """Channels of the audio features, at twice the frame rate."""
    fps: float = 25.0
    shape_dim: int = 0
    """Identity coefficients that condition the model; 0: none."""
    style_dim: int = 128
    """Width of the style vector; 0: no style."""
    style: StyleConfig | None = StyleConfig()
    """The style encoder; None: styles are given as vectors."""
    denoiser: DenoiserConfig = DenoiserConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    loss: LossConfig = LossConfig()
    sampler: Literal["ancestral", "ddim", "dpm++2m"] = "dpm++2m"
    """Default sampler."""
    steps: int = 12
    """Default number of network evaluations per window."""

    def __post_init__(self) -> None:
        if (self.front in ("hubert", "wav2vec2")) != (self.trunk is not None):
            raise ConfigError(
                f"the audio encoder {self.front!r}"
                f" {'needs a' if self.trunk is None else 'takes no'} trunk"
            )
        if self.trunk is not None and self.trunk.hidden != self.audio_dim:
            raise ConfigError(
                f"audio_dim must be the trunk's width {self.trunk.hidden}, not {self.audio_dim}"
            )
        if self.shape_dim + self.style_dim < 1:
            raise ConfigError("the model needs a shape or a style as its person condition")
        if self.style is not None and self.style.width != self.style_dim:
            raise ConfigError(
                f"the style encoder is {self.style.width} wide, style_dim is {self.style_dim}"
            )
        if "style" in self.diffusion.guided and not self.style_dim:
            raise ConfigError("style cannot be guided in a model without style")

    @property
    def motion_dim(self) -> int:
        """Channels of a frame inside the model."""
        return {"arkit": 52, "flame": 51}[self.space] + (3 if self.head else 0)

    @property
    def frame_samples(self) -> int:
        """Samples per frame at 16 kHz."""
        return round(16000 / self.fps)


AS_TRAINED = 3.0
"""Guidance at which a style arrives about as strongly as its clip has it."""


@dataclasses.dataclass(frozen=True)
class DiffPoseTalkCondition:
    """Options of a take."""

    RENAMED = {"hear_windows": "encode_windows"}
    """Earlier names, valid for one version."""

    style: str = option("", "{take}")
    """A named style, a take (.npz), a video, or a style vector (.npy); FLAME models: also FLAME
    coefficients as DiffPoseTalk or the tracker VHAP store them (.npz); empty: none."""
    style_start: int = option(-1, 4, given={"style": "{take}"})
    """First frame of the stretch of a style clip that is encoded, as the published programs take
    it; -1: the mean over the whole clip."""
    guidance_audio: float = option(1.15, 3.0)
    """Classifier-free guidance scale of the audio; 1: none."""
    guidance_style: float = option(AS_TRAINED, 1.0, given={"style": "{take}"})
    """Classifier-free guidance scale of the style; needs a style."""
    steps: int = option(0, 2)
    """Network evaluations of a window; 0: the model's own number."""
    sampler: Literal["default", "ancestral", "ddim", "dpm++2m"] = option("default", "ddim")
    """Diffusion sampler; ancestral with all steps is the published one."""
    guidance_mode: Literal["incremental", "independent", "independent_published"] = option(
        "incremental", "independent", given={"style": "{take}"}
    )
    """How the guidance of audio and style is combined; needs a style."""
    mode: Literal["auto", "offline", "stream"] = option("auto", "stream", preset="shipped")
    """House space: `offline` regresses the mouth from the whole recording, `stream` as a live
    session does (`run` with it equals `live`); `auto`: offline for recordings, stream when live.
    The generator itself always streams."""
    text: str = option("", "he was not a young man", preset="shipped")
    """House space: what is said, in English words, or a text file (.txt): phones are aligned to
    it, and the mouth is regressed from them too."""
    timing: str = option("", "{timing}", preset="shipped")
    """House space: a file with phone times (Praat TextGrid, CTM, JSON or CSV) instead of `text`."""
    recogniser: Literal["auto", "none"] = option("none", "auto", preset="shipped")
    """House space: `auto` recognises English words where no text is given."""
    threshold: float = option(0.0, 0.5, preset="shipped")
    """Quantile of dynamic thresholding (0.99 is usual); 0: off."""
    flexibility: float = option(0.0, 1.0, given={"sampler": "ddim"})
    """Fresh noise of ancestral (0 narrow, 1 wide) and ddim (its eta)."""
    fresh: bool = option(False, True, sound="long")
    """Each window starts from noise of its own; as published all start from the same."""
    shape: str = option("", "{shape}", preset="tiny_published")
    """FLAME models: .npz with `shape`; empty: the mean face."""
    closures: bool = option(True, False, preset="shipped")
    """House space: close the lips where the phonetic encoder detects p, b or m, even where the
    model alone would leave them a little open."""
    opening: float = option(0.9, 0.0)
    """House space: weight of the regressed mouth against the model's (0: the model alone)."""
    head: float = option(2.5, 0.5)
    """House space: scale of the head's motion around its mean; 1: as sampled. The shipped weights
    sample a third of their corpus' range (see the README)."""
    encode_windows: bool = option(False, True, preset="tiny_published", sound="long")
    """Published models: encode the audio of each window alone, as in training, instead of the whole
    recording at once."""

    def __post_init__(self) -> None:
        if self.mode.startswith(("incremental", "independent")):
            raise ConfigError(f"mode={self.mode} is now called guidance_mode={self.mode}")
        check_choices(self)
        unit, scale = (0.0, 1.0), (0.0, 20.0)
        ranges = {"flexibility": unit, "threshold": unit, "opening": unit, "head": (0.0, 10.0)}
        check_ranges(self, {**ranges, "guidance_audio": scale, "guidance_style": scale})
        check_words(self)
        if self.steps < 0:
            raise ConfigError(
                f"steps must be at least 1 (or 0 for the model's own number), not {self.steps}"
            )
        if not self.style:
            refuse(
                self,
                ("guidance_style", "guidance_mode", "style_start"),
                "it acts on a style; give one with style",
            )

    def check(self, config: DiffPoseTalkConfig) -> None:
        """Check that a model can honour every option that is set.

        Raises:
            ConfigError: names one that it cannot.
        """
        sampler = config.sampler if self.sampler == "default" else self.sampler
        if sampler == "dpm++2m":
            refuse(self, ("flexibility",), "dpm++2m adds no noise; choose ancestral or ddim")
        streams = config.trunk is None
        if streams:
            refuse(self, ("encode_windows",), "only published models encode whole recordings")
        if not streams or config.space != "arkit":
            refuse(self, ("closures", "opening", "head"), "only models of the house space have it")
        if config.front != "phonetic":
            refuse(self, ("mode", *WORDS), "this model has no mouth regressed from the audio")
        if not config.shape_dim:
            refuse(self, ("shape",), "this model has no shape condition; use a FLAME model")
        if not config.style_dim:
            refuse(self, ("style",), "this model has no style condition")
        for name in ("audio", "style"):
            if name not in config.diffusion.guided:
                refuse(
                    self, (f"guidance_{name}",), f"this model was trained without {name} dropout"
                )
        if len(config.diffusion.guided) < 2:
            refuse(self, ("guidance_mode",), "this model guides a single condition")


_BASE = TrunkConfig()
_HOUSE_LOSS = LossConfig(vert=0.0, vel=5.0, smooth=0.1)
"""Published weights of the surface count square metres; in the house space they count normalised
weights, as those of the head do."""
PRESETS: dict[str, DiffPoseTalkConfig] = {
    "default": DiffPoseTalkConfig(
        style=StyleConfig(width=64, layers=3),
        style_dim=64,
        denoiser=DenoiserConfig(width=192, layers=4, heads=4, window=50),
        loss=_HOUSE_LOSS,
        sampler="dpm++2m",
        steps=12,
    ),
    "tiny": DiffPoseTalkConfig(
        front="bands",
        audio_dim=8,
        style=StyleConfig(width=16, layers=1, heads=2, expansion=2, dropout=0.0, frames=16),
        style_dim=16,
        denoiser=DenoiserConfig(
            width=32, layers=2, heads=2, expansion=2, dropout=0.0, window=16, context=4
        ),
        diffusion=DiffusionConfig(steps=20),
        loss=_HOUSE_LOSS,
        steps=3,
    ),
    "tiny_published": DiffPoseTalkConfig(
        "flame",
        True,
        "hubert",
        TrunkConfig(16, 1, 2, 16, (4,) * 7, 8, 2),
        16,
        shape_dim=100,
        style_dim=16,
        style=StyleConfig(16, 1, 2, 2, 0.0, 16),
        denoiser=DenoiserConfig(16, 1, 2, 2, 0.0, 16, 4),
        diffusion=DiffusionConfig(steps=20),
        steps=2,
    ),
    "published": DiffPoseTalkConfig("flame", True, "hubert", _BASE, 768, shape_dim=100),
    "published_no_head": DiffPoseTalkConfig("flame", False, "hubert", _BASE, 768, shape_dim=100),
    "published_wav2vec2": DiffPoseTalkConfig("flame", True, "wav2vec2", _BASE, 768, shape_dim=100),
}
