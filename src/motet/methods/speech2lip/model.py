"""Networks of Speech2Lip: audio net, implicit lip model, Blend-Net. Tensors in, tensors out.

Everything that does not change from frame to frame (position encodings and their first linear
layers) is computed once and cached by the caller (`LipModel.prepare`); a frame then costs its
hidden layers only. The numbers stay those of the plain form.
"""

from __future__ import annotations

import copy
import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from motet.methods.speech2lip.config import BlendConfig, HearingConfig, LipConfig, Speech2LipConfig

Moment = Int[Tensor, "batch"] | Float[Tensor, "batch numbers"]
"""Conditioning of the lip model on a frame besides the audio: its number, or its pose."""


class AudioNet(nn.Module):
    """A window of acoustic features to the audio code that drives the lips. No smoothing over
    frames, as published.
    """

    def __init__(self, config: HearingConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (config.narrow or config.channels, *config.widths)
        self.narrow = nn.Linear(config.channels, config.narrow) if config.narrow else None
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            # Stride 2: the window of steps shrinks to one vector.
            layers += [nn.Conv1d(before, after, 3, 2, 1), nn.LeakyReLU(0.02)]
        self.conv = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(sizes[-1], config.out), nn.LeakyReLU(0.02), nn.Linear(config.out, config.out)
        )

    def forward(self, window: Float[Tensor, "batch rows channels"]) -> Float[Tensor, "batch out"]:
        """One audio code per window."""
        if self.training and self.config.dropout:
            # Whole channels are dropped, as if a band of the audio were missing.
            window = F.dropout1d(window.transpose(1, 2), self.config.dropout).transpose(1, 2)
        if self.narrow is not None:
            window = self.narrow(window)
        # (batch, channels, 1) -> (batch, out)
        return self.head(self.conv(window.transpose(1, 2))[..., 0])


def position_code(
    positions: Float[Tensor, "*batch 2"], octaves: int
) -> Float[Tensor, "*batch code"]:
    """The position, then sine and cosine of it times 1, 2, 4, ... (without pi, as released)."""
    parts = [positions]
    for octave in range(octaves):
        parts += [(positions * 2**octave).sin(), (positions * 2**octave).cos()]
    return torch.cat(parts, -1)


def time_code(frame: Int[Tensor, " batch"], channels: int) -> Float[Tensor, "batch channels"]:
    """Sine and cosine of a frame's number at geometric rates, interleaved (the transformer's code
    of positions).
    """
    rates = torch.exp(
        torch.arange(0, channels, 2, device=frame.device) * (-math.log(10000.0) / channels)
    )
    angle = frame.float().unsqueeze(-1) * rates
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def pixel_grid(width: int, height: int) -> Float[Tensor, "pixels 2"]:
    """(u, v) in [0, 1] of every pixel, row by row, first and last pixels exactly at 0 and 1."""
    v, u = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([u, v], -1).reshape(-1, 2)


@dataclasses.dataclass(frozen=True)
class PositionInputs:
    """Outputs of the two input layers at fixed positions; valid as long as the weights do not
    change.
    """

    first: Float[Tensor, "positions hidden"]
    skip: Float[Tensor, "positions hidden"]


def lapped(
    squares: Float[Tensor, "batch colours positions"],
    height: int,
    width: int,
    side: int,
    overlap: int,
) -> Float[Tensor, "batch 3 height width"]:
    """Assemble overlapping squares: each fades out over its neighbours, and the weights add up to 1
    everywhere.
    """
    wide = side + 2 * overlap
    # sin^2 and its mirror image add up to 1 over the overlap.
    ramp = ((torch.arange(2 * overlap) + 0.5) / (2 * overlap) * (math.pi / 2)).sin().square()
    fade = torch.cat([ramp, torch.ones(wide - 4 * overlap), ramp.flip(0)]).to(squares)
    weights = (fade[:, None] * fade).flatten().repeat(3)[None, :, None]

    def laid(values: Tensor) -> Tensor:
        return F.fold(values, (height, width), wide, padding=overlap, stride=side)

    # At the border of the picture there is no neighbour: the sum of weights normalises.
    return laid(squares * weights) / laid(weights.expand(1, -1, squares.shape[-1]))[:, :1]


class LipModel(nn.Module):
    """Implicit function: position in the canonical lip picture, audio code and frame to colour.

    The names of the layers are keys of shipped weights.
    """

    def __init__(self, config: LipConfig, audio: int) -> None:
        super().__init__()
        self.config = config
        code = 2 + 4 * config.frequencies
        self.place, self.place_again = (
            nn.Linear(code, config.hidden),
            nn.Linear(code, config.hidden),
        )
        self.audio, self.audio_again = (
            nn.Linear(audio, config.hidden),
            nn.Linear(audio, config.hidden),
        )
        self.time, self.time_again = (
            nn.Linear(config.moment_channels, config.hidden),
            nn.Linear(config.moment_channels, config.hidden),
        )
        # The layer after `skip_after` also gets the skipped input, so it is twice as wide.
        widths = [
            config.hidden * (2 if layer == config.skip_after + 1 else 1)
            for layer in range(config.layers)
        ]
        self.layers = nn.ModuleList(nn.Linear(width, config.hidden) for width in widths)
        self.out = nn.Linear(config.hidden, 3 * (config.patch + 2 * config.overlap) ** 2)

    def prepare(self, positions: Float[Tensor, "positions 2"] | None = None) -> PositionInputs:
        """Input layers at fixed positions; by default those of the whole picture (one per
        patch).
        """
        if positions is None:
            positions = pixel_grid(
                self.config.width // self.config.patch, self.config.height // self.config.patch
            ).to(self.out.weight)
        code = position_code(positions, self.config.frequencies)
        return PositionInputs(self.place(code), self.place_again(code))

    def forward(
        self, positions: PositionInputs, audio: Float[Tensor, "batch out"], moment: Moment
    ) -> Float[Tensor, "batch positions colours"]:
        """Colours at prepared positions.

        Args:
            moment: numbers of frames, or, for models conditioned on the pose, its six numbers
                (`Mouth.moment`).
        """
        time = (
            moment
            if moment.is_floating_point()
            else time_code(moment, self.config.moment_channels).to(audio)
        )
        # (batch, positions, hidden): the input layer is linear, so its three parts are summed.
        hidden = positions.first + (self.audio(audio) + self.time(time)).unsqueeze(1)
        skip = positions.skip + (self.audio_again(audio) + self.time_again(time)).unsqueeze(1)
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden).relu()
            if number == self.config.skip_after:
                hidden = torch.cat([skip, hidden], -1)
        return self.out(hidden)

    def picture(
        self, positions: PositionInputs, audio: Float[Tensor, "batch out"], moment: Moment
    ) -> Float[Tensor, "batch 3 height width"]:
        """The whole lip picture by one query for each pixel (or patch): used at inference."""
        side = self.config.patch
        output = self(positions, audio, moment).transpose(1, 2)  # (batch, colours, positions)
        if self.config.overlap:
            return lapped(output, self.config.height, self.config.width, side, self.config.overlap)
        # (batch, 3 * side * side, rows, columns) -> (batch, 3, rows * side, columns * side).
        output = output.unflatten(2, (self.config.height // side, self.config.width // side))
        return F.pixel_shuffle(output, side) if side > 1 else output

    def ensemble(
        self, audio: Float[Tensor, "batch out"], moment: Moment, uniform: float
    ) -> Float[Tensor, "batch 3 height width"]:
        """The picture by four queries around each pixel's centre, weighted by the opposite corner's
        area: used in the published training.

        Args:
            uniform: one number in [0, 1) that shifts all four queries together.
        """
        width, height = self.config.width, self.config.height
        grid = pixel_grid(width, height).to(audio)
        # The released jitter uses the height for both axes.
        shift = 0.5 / height * uniform / 2
        colours, areas = [], []
        for across in (-1, 1):
            for down in (-1, 1):
                offset = torch.tensor(
                    [across * 0.5 / width + shift, down * 0.5 / height + shift]
                ).to(audio)
                corner = (grid + offset).clamp(0, 1)
                colours.append(self(self.prepare(corner), audio, moment))
                # Local ensemble (LIIF): each query counts by the area of the opposite rectangle.
                areas.append((grid - corner).prod(-1).abs() + 1e-9)
        total = torch.stack(areas).sum(0)
        mixed = torch.stack(
            [
                output * (area / total).unsqueeze(-1)
                for output, area in zip(colours, reversed(areas), strict=True)
            ]
        ).sum(0)
        return mixed.transpose(1, 2).unflatten(2, (height, width))


def double_convolution(before: int, after: int, between: int, normalised: bool) -> nn.Sequential:
    """Convolution, normalisation and rectification, twice."""

    def single(one: int, other: int) -> list[nn.Module]:
        norm = nn.BatchNorm2d(other) if normalised else nn.Identity()
        return [nn.Conv2d(one, other, 3, padding=1, bias=not normalised), norm, nn.ReLU()]

    return nn.Sequential(*single(before, between), *single(between, after))


class BlendNet(nn.Module):
    """The U-net that blends drawn lips into the real face."""

    def __init__(self, config: BlendConfig) -> None:
        super().__init__()
        full, half, quarter = config.widths
        self.config = config
        self.enter = double_convolution(3, full, full, config.normalised)
        self.down = nn.ModuleList(
            [
                double_convolution(full, half, half, config.normalised),
                double_convolution(half, quarter, quarter, config.normalised),
            ]
        )
        joined = half + quarter
        self.up = nn.ModuleList(
            [
                double_convolution(joined, full, joined // 2, config.normalised),
                double_convolution(2 * full, full, full, config.normalised),
            ]
        )
        self.out = nn.Conv2d(full, 3, 1)
        if config.residual:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self, picture: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """The blended picture, not clipped."""
        full = self.enter(picture)
        half = self.down[0](F.max_pool2d(full, 2))
        deep = self.down[1](F.max_pool2d(half, 2))
        deep = self.up[1](beside(full, self.up[0](beside(half, deep))))
        output = self.out(deep)
        return picture + output if self.config.residual else output


def beside(skip: Tensor, deep: Tensor) -> Tensor:
    """Double the size, fill up with zeros at the ends, and concatenate with the skip connection of
    that size.
    """
    deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=True)
    # Odd sizes lose a row or column when halved.
    missing = [skip.shape[-1] - deep.shape[-1], skip.shape[-2] - deep.shape[-2]]
    padding = [part for size in missing for part in (size // 2, size - size // 2)]
    return torch.cat([skip, F.pad(deep, padding)], 1)


def folded(net: nn.Module) -> nn.Module:
    """A copy in which every normalisation has become part of the convolution before it; same
    numbers up to rounding.
    """
    made = copy.deepcopy(net).eval()
    for part in made.modules():
        if isinstance(part, nn.Sequential):
            for place in range(len(part) - 1):
                first, second = part[place], part[place + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    part[place], part[place + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return made


class Speech2LipModel(nn.Module):
    """All networks of a person."""

    def __init__(self, config: Speech2LipConfig) -> None:
        super().__init__()
        self.config = config
        # A prefix in shipped weights.
        self.hearing = AudioNet(config.hearing)
        self.lip = LipModel(config.lip, config.hearing.out)
        self.blend = BlendNet(config.blend)
        self.canonical_depth = (
            nn.Parameter(torch.zeros(config.canonical_depth)) if config.canonical_depth else None
        )
        self.rest: Tensor | None
        self.register_buffer(
            "rest", None if config.official_quirks else torch.zeros(config.hearing.out)
        )
        """The audio code of a mouth at rest: the mean of the quiet frames (`stages.py` fills it
        after training)."""
        self.mean: Tensor | None
        self.register_buffer(
            "mean",
            torch.zeros(3, config.lip.height, config.lip.width) if config.lip.on_mean else None,
        )
        """The mean of the training mouths, in the canonical picture's light (`stages.begun` fills
        it before training)."""

    def lips(
        self,
        positions: PositionInputs,
        codes: Tensor,
        moment: Moment,
        canonical: Float[Tensor, "3 rows columns"],
    ) -> Float[Tensor, "batch 3 rows columns"]:
        """The drawn lip picture, added to the mean or canonical one where the model predicts a
        residual.
        """
        drawn = self.lip.picture(positions, codes, moment)
        if self.mean is not None:
            return self.mean + drawn
        return canonical + drawn if self.config.lip.on_canonical else drawn
