"""Settings of Speech2Lip: the published model, and the small fast one that is the default."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

from motet.errors import ConfigError
from motet.options import OptionValue, check_choices, check_ranges, option, refuse


@dataclasses.dataclass(frozen=True)
class HearingConfig:
    """The audio net: a window of audio features around a frame to one code."""

    channels: int = 29
    """Channels of the features (29: DeepSpeech's letters; 256: the phonetic encoder)."""
    window: int = 16
    """Rows of a window at 50 Hz, centred on the frame."""
    narrow: int = 0
    """Channels after a first linear map of each row; 0: none."""
    widths: tuple[int, ...] = (32, 32, 64, 64)
    """Widths of the convolutions, each of which halves the rows."""
    out: int = 64
    """Width of the audio code."""
    dropout: float = 0.0
    """Share of the feature channels left out in training, the same over a window."""

    def __post_init__(self) -> None:
        if self.window != 2 ** len(self.widths):
            raise ConfigError(
                f"{len(self.widths)} halvings need a window of {2 ** len(self.widths)} rows, not"
                f" {self.window}"
            )


@dataclasses.dataclass(frozen=True)
class LipConfig:
    """The implicit lip model: position, audio code and time to colour."""

    width: int = 120
    """Pixels of the drawn lip picture."""
    height: int = 80
    hidden: int = 256
    layers: int = 8
    skip_after: int = 4
    """Skip connection: the inputs are concatenated again after this layer (counted from 0)."""
    frequencies: int = 10
    """Octaves of the positional encoding."""
    moment: Literal["time", "pose"] = "time"
    """Per-frame input besides the audio: the frame number, as published, or the head pose. Light
    changes with the pose, which audio does not determine; frame numbers mean nothing outside the
    training frames."""
    moment_channels: int = 20
    """Channels of that input: of the time code, or 6 of the pose."""
    patch: int = 1
    """Side in pixels of the square that one query draws (1: one pixel, as published)."""
    overlap: int = 0
    """Pixels by which neighbouring squares overlap and blend; without it nothing constrains two
    squares to meet, and moving edges (chin, lips) break into specks at their borders."""
    on_canonical: bool = False
    """The output is a residual to the canonical picture instead of the whole colour."""
    on_mean: bool = False
    """The output is a residual to the mean training mouth, which has no sharp edges that would have
    to be undone."""
    ensemble: bool = True
    """Train on the weighted mean of four queries around a pixel's centre, as published."""

    def __post_init__(self) -> None:
        if self.width % self.patch or self.height % self.patch:
            raise ConfigError(
                f"a lip picture of {self.width} x {self.height} cannot be cut into squares of"
                f" {self.patch} pixels"
            )
        if not 0 <= 2 * self.overlap <= self.patch:
            raise ConfigError(
                f"squares of {self.patch} pixels overlap by at most {self.patch // 2}, not"
                f" {self.overlap}"
            )
        if self.moment == "pose" and self.moment_channels != 6:
            raise ConfigError(f"a pose has 6 numbers, not {self.moment_channels}")
        if not 0 <= self.skip_after < self.layers - 1:
            raise ConfigError(
                f"skip_after must lie between 0 and {self.layers - 2}, not {self.skip_after}"
            )


@dataclasses.dataclass(frozen=True)
class BlendConfig:
    """Blend-Net, the U-net that blends the drawn mouth into the frame."""

    widths: tuple[int, int, int] = (64, 128, 128)
    """Channels at full, half and quarter size."""
    residual: bool = False
    """The output is a residual to its input; as published the whole colour."""
    normalised: bool = True
    """Batch normalisation behind every convolution; small nets on small regions do without."""


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the terms."""

    lip: float = 1.0
    """Squared (published) or absolute error of the drawn lips."""
    face: float = 1.0
    """The same of the blended picture."""
    absolute: bool = False
    detail: float = 0.0
    """Error of brightness gradients at three scales; replaces the perceptual term, whose network
    has no weights in any package."""
    depth: float = 1.0
    """Photometric consistency through the canonical depth; only where the model has one."""
    sync: float = 0.01
    """Agreement with the sync expert."""
    sync_after: int = 100_000
    """Steps of the published training before the sync term begins; the fast stages have it
    throughout `face`."""
    swap: float = 0.5
    """Probability of the pixel-swap augmentation."""


@dataclasses.dataclass(frozen=True)
class ExemplarConfig:
    """A mouth from frames of the footage, chosen by shape and warped."""

    count: int = 600
    """Exemplars."""
    motions: tuple[str, ...] = ("artalk", "kmtalk", "diffposetalk")
    """Methods for curves that the person can be driven by."""
    window: int = 5
    """Frames of curves around a frame that its shape is predicted from."""
    quantiles: int = 33
    """Knots of the map that gives a predicted shape its filmed distribution."""
    looks: int = 16
    """Numbers of an exemplar's appearance."""
    commit: int = 4
    """Frames whose exemplars are decided together."""
    look_ahead: int = 6
    """Frames after them that are looked at for it."""

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise ConfigError(f"a window has a frame in its middle, {self.window} is even")


@dataclasses.dataclass(frozen=True)
class Speech2LipConfig:
    """A complete model of one person."""

    SCHEMA = 1

    front: Literal["phonetic", "bands", "deepspeech"] = "phonetic"
    """Audio encoder; DeepSpeech features must be computed elsewhere (`encoders/deepspeech.py`)."""
    hearing: HearingConfig = HearingConfig()
    """The audio net. The name is a key of saved configurations and a prefix in the weights."""
    lip: LipConfig = LipConfig()
    blend: BlendConfig = BlendConfig()
    loss: LossConfig = LossConfig()
    canonical_depth: tuple[int, int] | None = None
    """Height and width of the published learnable depth map; None: depth comes from the person's
    geometry alone."""
    official_quirks: bool = False
    """Reproduce the released code where it differs from its paper or has a slip (README, list of
    quirks)."""
    exemplar: ExemplarConfig | None = None
    """The mouth is drawn from exemplars instead of by the implicit model; None: it is not."""
    border: int = 8
    """Pixels around the drawn lips that Blend-Net sees and where the picture fades into the real
    one; the published model sees all."""

    @property
    def whole_frame(self) -> bool:
        """Whether Blend-Net works on whole frames, as published."""
        return self.official_quirks


@dataclasses.dataclass(frozen=True)
class Speech2LipCondition:
    """Options of a take."""

    person: str = option("", "{person}")
    """Folder of a fitted person; empty: the one the weights belong to (shipped: the house
    figure)."""
    start: int = option(0, 5)
    """Frame of the footage that the take begins with."""
    loop: Literal["pingpong", "file", "hold", "once"] = option("pingpong", "hold")
    """How the footage goes on when the audio is longer: forwards and backwards inside one shot, the
    same over its whole file, standing still at its first frame, or once through the file and then
    standing still at its last."""
    quiet_lips: bool = option(True, False, preset="shipped", sound="pause")
    """Lips come to rest where the audio is silent."""
    intensity: float = option(1.0, 0.0, preset="shipped")
    """Scale of the mouth's distance from rest; 1: as trained."""
    close_end: bool = option(True, False, preset="shipped")
    """The mouth comes to rest in the last 0.12 s."""
    motion: Literal["artalk", "kmtalk", "diffposetalk"] = option(
        "artalk", "kmtalk", preset="tiny_exemplar"
    )
    """Persons drawn from exemplars: the method for curves that their mouth follows."""
    mode: Literal["auto", "offline", "stream"] = option("auto", "stream", preset="tiny_exemplar")
    """Persons drawn from exemplars: the mode of that method (artalk, diffposetalk); `auto`: offline
    for recordings, stream when live."""

    POSTPROCESS: ClassVar[dict[str, Callable[..., dict[str, OptionValue]]]] = {
        "intensity": lambda scale: {"intensity": scale},
        "head": lambda keep: {} if keep else {"loop": "hold"},
        "close_end": lambda close: {"close_end": close},
    }
    """Settings of `Postprocess` that these options honour."""

    def __post_init__(self) -> None:
        check_choices(self)
        check_ranges(self, {"intensity": (0.0, 2.0)})
        if self.start < 0:
            raise ConfigError(f"start must be a frame of the footage, not {self.start}")

    def check(self, config: Speech2LipConfig) -> None:
        """Check that a model can honour every option that is set.

        Raises:
            ConfigError: names one that it cannot.
        """
        if config.exemplar is None and not self.person:
            check_implicit(self)
        if config.official_quirks:
            refuse(
                self,
                ("quiet_lips", "intensity", "close_end"),
                "published models have no mouth at rest",
            )


def check_implicit(condition: Speech2LipCondition) -> None:
    """Check that no option of persons with exemplars is set.

    Raises:
        ConfigError: names the option.
    """
    refuse(
        condition,
        ("motion", "mode"),
        "this person's mouth follows the sound itself; fit the person again for exemplars",
    )


PRESETS: dict[str, Speech2LipConfig] = {
    "default": Speech2LipConfig(
        hearing=HearingConfig(channels=256, narrow=48, widths=(64, 64, 64, 64), dropout=0.1),
        lip=LipConfig(
            96,
            96,
            hidden=256,
            layers=6,
            skip_after=2,
            frequencies=6,
            moment="pose",
            moment_channels=6,
            patch=8,
            overlap=4,
            on_mean=True,
            ensemble=False,
        ),
        blend=BlendConfig((16, 32, 32), residual=True, normalised=False),
        # No sync term: our expert rates mouths drawn without it above filmed ones already, so its
        # gradient would lead away from the filmed ones.
        loss=LossConfig(absolute=True, detail=1.0, depth=0.0, sync=0.0, sync_after=0),
    ),
    "exemplar": Speech2LipConfig(
        lip=LipConfig(96, 96, moment="pose", moment_channels=6), exemplar=ExemplarConfig()
    ),
    "tiny": Speech2LipConfig(
        front="bands",
        hearing=HearingConfig(channels=8, window=4, widths=(8, 8), out=8),
        lip=LipConfig(
            16,
            12,
            hidden=32,
            layers=3,
            skip_after=0,
            frequencies=3,
            moment="pose",
            moment_channels=6,
            patch=2,
            on_canonical=True,
            ensemble=False,
        ),
        blend=BlendConfig((4, 8, 8), residual=True, normalised=False),
        loss=LossConfig(absolute=True, detail=1.0, depth=0.0, sync=0.0),
        border=4,
    ),
    "tiny_exemplar": Speech2LipConfig(
        lip=LipConfig(
            16, 12, hidden=8, layers=3, skip_after=0, moment="pose", moment_channels=6, patch=2
        ),
        exemplar=ExemplarConfig(count=20),
        border=4,
    ),
    "published": Speech2LipConfig("deepspeech", canonical_depth=(500, 500), official_quirks=True),
}
