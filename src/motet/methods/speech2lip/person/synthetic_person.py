"""A person drawn in code: a face of coloured discs whose mouth opens with the sound. For tests and
for methods without weights.

No file is needed. Truth is known: the head's pose, its depth and the opening of the mouth.
"""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.person.folder import (
    Box,
    Geometry,
    PersonFacts,
    Track,
    write_facts,
    write_features,
    write_geometry,
    write_track,
)
from motet.types import Audio

DISTANCE_M, PIXEL_M = 1.0, 0.004
"""Distance of the face, and the size of a pixel there."""


@dataclasses.dataclass(frozen=True)
class SyntheticPerson:
    """A drawn person of some frames.

    Args:
        config: size of the lip picture; the crop is three times as wide.
        frames: length of the footage.
    """

    config: Speech2LipConfig
    frames: int = 40

    @cached_property
    def facts(self) -> PersonFacts:
        """Sizes that fit the configuration."""
        lip = self.config.lip
        size = 3 * max(lip.width, lip.height) // 4 * 4
        box = Box((size - lip.width) // 2, size // 2, lip.width, lip.height)
        return PersonFacts(
            "stand-in",
            "drawn in code",
            self.frames,
            size,
            (size, size),
            Box(0, 0, size, size),
            1 / PIXEL_M,
            0,
            box,
            max(1, self.frames * 4 // 5),
        )

    @cached_property
    def opening(self) -> Float[Tensor, "frames"]:
        """How far the mouth is open, 0..1."""
        frame = torch.arange(self.frames).float()
        return ((frame * 2 * math.pi / 9).sin() * (frame * 2 * math.pi / 31).cos()).abs()

    @cached_property
    def track(self) -> Track:
        """The head sways: a few degrees and pixels."""
        frame = torch.arange(self.frames).float()
        angle = 0.06 * (frame * 2 * math.pi / 40).sin()
        zero, one = torch.zeros_like(angle), torch.ones_like(angle)
        rotation = torch.stack(
            [angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero, zero, zero, one], -1
        ).unflatten(-1, (3, 3))
        sway = torch.stack(
            [
                2 * PIXEL_M * (frame / 7).sin(),
                PIXEL_M * (frame / 11).sin(),
                torch.full_like(frame, DISTANCE_M),
            ],
            -1,
        )
        return Track(
            rotation,
            sway,
            torch.zeros(self.frames, 0, 2),
            torch.ones(self.frames, dtype=torch.bool),
        )

    @cached_property
    def geometry(self) -> Geometry:
        """A flat face that looks at the camera."""
        size, box = self.facts.size, self.facts.lip
        mask = torch.zeros(size, size, dtype=torch.uint8)
        mask[box.top : box.top + box.height, box.left : box.left + box.width] = 255
        whole = torch.full((size, size), 255, dtype=torch.uint8)
        corners = (
            torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size / 2 * PIXEL_M
        )
        depth = torch.full((size, size), DISTANCE_M)
        return Geometry(
            torch.from_numpy(self.frame(0)),
            depth,
            mask,
            whole,
            whole,
            corners,
            torch.tensor([[0, 1, 2], [0, 2, 3]]),
        )

    @property
    def crops(self) -> SyntheticPerson:
        """The person is its own footage."""
        return self

    @property
    def scene(self) -> SyntheticPerson:
        """The crop is the whole picture."""
        return self

    def frame(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        """One picture: background, face, and a mouth whose height follows the opening."""
        size, box = self.facts.size, self.facts.lip
        row, column = np.meshgrid(
            np.arange(size, dtype=np.float64), np.arange(size, dtype=np.float64), indexing="ij"
        )
        turn, shift = (
            self.track.rotation[index].double().numpy(),
            self.track.translation[index].double().numpy(),
        )
        # (rows, columns, 2): pixels on the head, with its turn and shift taken out
        point = (
            np.stack(
                [(column - size / 2) * PIXEL_M - shift[0], (row - size / 2) * PIXEL_M - shift[1]],
                -1,
            )
            @ turn[:2, :2]
            / PIXEL_M
        )
        x, y = point[..., 0], point[..., 1] + size / 2 - (box.top + box.height / 2)
        picture = np.stack(
            [60 + 90 * row / size, 80 + 40 * column / size, np.full_like(row, 120)], -1
        )
        picture = _disc(
            picture, np.hypot(point[..., 0], point[..., 1]) / (0.48 * size), (215, 170, 140)
        )
        wide, high = (
            0.3 * box.width,
            0.06 * box.height + 0.25 * box.height * float(self.opening[index]),
        )
        picture = _disc(picture, np.hypot(x / (wide + 2), y / (high + 2)), (170, 70, 75))
        picture = _disc(picture, np.hypot(x / wide, y / high), (60, 20, 25))
        return picture.round().astype(np.uint8)

    @cached_property
    def audio(self) -> Audio:
        """Noise as loud as the mouth is open."""
        loud = self.opening.repeat_interleave(640)
        return Audio.mono(
            0.3 * loud * torch.randn(len(loud), generator=torch.Generator().manual_seed(0)), 16_000
        )

    @cached_property
    def features(self) -> Float[Tensor, "steps channels"]:
        """Fifty rows a second, as wide as the configuration's audio features, that follow the
        opening.
        """
        steps = torch.nn.functional.interpolate(
            self.opening[None, None], 2 * self.frames, mode="linear"
        )[0, 0]
        powers = torch.arange(1, self.config.hearing.channels + 1).float()
        return (steps[:, None] * powers * 1.3).sin()

    def write(self, folder: Path) -> Path:
        """The same as a person's folder, for everything that reads files."""
        from motet.audio import write_audio
        from motet.methods.speech2lip.person.folder import CROPS, SOUND
        from motet.methods.speech2lip.person.footage import write_footage

        folder.mkdir(parents=True, exist_ok=True)
        write_footage(
            folder / CROPS, (self.frame(index) for index in range(self.frames)), quality=2
        )
        write_audio(self.audio, folder / SOUND)
        write_track(folder, self.track)
        write_geometry(folder, self.geometry)
        write_features(folder, self.features)
        write_facts(folder, self.facts)
        return folder


def _disc(picture: np.ndarray, radius: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Paint where the radius is below 1, with a soft edge."""
    share = np.clip((1 - radius) * 12 + 0.5, 0, 1)[..., None]
    return picture * (1 - share) + np.array(colour, dtype=np.float64) * share
