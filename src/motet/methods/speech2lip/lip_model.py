"""Implicit lip model: position, audio code and frame to colour.

Everything that does not change from frame to frame (position codes and their first linear layers)
is computed once and cached by the caller (`LipModel.prepare`); a frame then costs its hidden layers
only. The numbers stay those of the plain form.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.methods.speech2lip.config import LipConfig

Moment = Int[Tensor, "batch"] | Float[Tensor, "batch numbers"]
"""Conditioning of the lip model on a frame besides the audio: its number, or its pose."""


class LipModel(nn.Module):
    """Implicit function: position in the canonical lip picture, audio code and frame to colour.

    The names of the layers are keys of shipped weights.
    """

    def __init__(self, config: LipConfig, audio: int) -> None:
        super().__init__()
        self.config = config
        # A position: two coordinates, and sine and cosine of each at every octave.
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
        """Colours at prepared positions, 0..1 or a residual (`Speech2LipModel.lips`). With patches
        each position gives the colours of all pixels of its patch.

        Args:
            moment: numbers of frames, or, for models conditioned on the pose, its six numbers
                (`Mouth.moment`).
        """
        time = (
            moment
            if moment.is_floating_point()
            else time_code(moment, self.config.moment_channels).to(audio)
        )
        # (batch, positions, hidden). The input layer is linear: the parts of position, audio and
        # time are summed, and that of the positions is cached.
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
            return overlap_add(
                output, self.config.height, self.config.width, side, self.config.overlap
            )
        # (batch, 3 * side * side, rows, columns) -> (batch, 3, rows * side, columns * side)
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
        # (height * width, 2)
        grid = pixel_grid(width, height).to(audio)
        # The released jitter uses the height for both axes.
        shift = 0.5 / height * uniform / 2
        colours, areas = [], []
        for across in (-1, 1):
            for down in (-1, 1):
                offset = torch.tensor(
                    [across * 0.5 / width + shift, down * 0.5 / height + shift]
                ).to(audio)
                # Half a pixel to one of the four sides.
                corner = (grid + offset).clamp(0, 1)
                colours.append(self(self.prepare(corner), audio, moment))
                # Local ensemble (LIIF): each query counts by the area of the opposite rectangle.
                areas.append((grid - corner).prod(-1).abs() + 1e-9)
        total = torch.stack(areas).sum(0)  # (positions)
        # `reversed` pairs each corner with the opposite one: (batch, positions, 3).
        mixed = torch.stack(
            [
                output * (area / total).unsqueeze(-1)
                for output, area in zip(colours, reversed(areas), strict=True)
            ]
        ).sum(0)
        return mixed.transpose(1, 2).unflatten(2, (height, width))


@dataclasses.dataclass(frozen=True)
class PositionInputs:
    """Outputs of the two input layers at fixed positions; valid as long as the weights do not
    change.
    """

    first: Float[Tensor, "positions hidden"]
    skip: Float[Tensor, "positions hidden"]


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


def overlap_add(
    squares: Float[Tensor, "batch colours positions"],
    height: int,
    width: int,
    side: int,
    overlap: int,
) -> Float[Tensor, "batch 3 height width"]:
    """A picture from overlapping squares, one for each position: each fades out over its
    neighbours, and the weights add up to 1 everywhere.

    Args:
        side: pixels from one square to the next.
        overlap: pixels by which a square reaches beyond these on each side.
    """
    wide = side + 2 * overlap
    # sin^2 and its mirror image add up to 1 over the overlap.
    ramp = ((torch.arange(2 * overlap) + 0.5) / (2 * overlap) * (math.pi / 2)).sin().square()
    fade = torch.cat([ramp, torch.ones(wide - 4 * overlap), ramp.flip(0)]).to(squares)
    # (1, 3 * wide * wide, 1)
    weights = (fade[:, None] * fade).flatten().repeat(3)[None, :, None]

    def summed(values: Tensor) -> Tensor:
        return F.fold(values, (height, width), wide, padding=overlap, stride=side)

    # At the border of the picture there is no neighbour: the sum of weights normalises.
    return summed(squares * weights) / summed(weights.expand(1, -1, squares.shape[-1]))[:, :1]
