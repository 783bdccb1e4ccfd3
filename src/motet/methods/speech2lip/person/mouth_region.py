"""The fast way of composing: only the surroundings of the mouth are warped, blended and put back;
all other pixels stay real.

Everything that stands still is prepared once for a person (`Mouth`): depth without holes, the soft
mask, the canonical lips, where the region around the mouth lies in every frame, and the map from
that region to the lip picture on a coarse mesh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet.geometry.rotation import axis_angle_from_matrix
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.geometry import (
    filled_depth,
    observed_to_canonical,
    pose,
    relative_pose,
)
from motet.methods.speech2lip.person.folder import Geometry, PersonFacts, Track

ROUNDS = 4
"""Rounds of the search for the canonical position of a pixel (`observed_to_canonical`)."""
TONE_STEP = 3
"""The skin's colour is measured on every third pixel."""
MESH = 4
"""Every fourth pixel's map is computed; the others are interpolated (depth is smooth)."""


class Pictures(Protocol):
    """Frames that can be asked for in any order."""

    def frame(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """One picture."""
        ...


class Likeness(Protocol):
    """What speaking needs of a person, whether it lies in a folder or was made in memory."""

    facts: PersonFacts

    @property
    def track(self) -> Track:
        """Head poses."""
        ...

    @property
    def geometry(self) -> Geometry:
        """Canonical view."""
        ...

    @property
    def crops(self) -> Pictures:
        """Face crops."""
        ...

    @property
    def scene(self) -> Pictures:
        """Whole pictures."""
        ...


@dataclasses.dataclass(frozen=True)
class Region:
    """The surroundings of the mouth in some frames: a rectangle of one size that moves with the
    head.
    """

    left: Int[Tensor, " frames"]
    top: Int[Tensor, " frames"]
    mesh: Float[Tensor, "frames rows columns 2"]
    """For a coarse mesh of its pixels their position in the lip picture, in [-1, 1] over first to
    last pixel edge."""

    def at(self, chosen: Sequence[int] | Int[Tensor, " some"]) -> Region:
        """The same of some of the frames."""
        return Region(self.left[chosen], self.top[chosen], self.mesh[chosen])


class Mouth:
    """One person's prepared mouth.

    Args:
        person: pose, canonical view and facts are read from it.
        config: size of the lip picture and of the border.
    """

    def __init__(self, person: Likeness, config: Speech2LipConfig) -> None:
        self.facts, self.config = person.facts, config
        geometry, track = person.geometry, person.track
        self.depth = filled_depth(geometry.depth)
        poses = pose(track.rotation, track.translation)
        # (frames, 4, 4): canonical head to each frame's head
        self.relative = relative_pose(poses[self.facts.canonical].expand_as(poses), poses)
        self._lip_pixels = self._pixels_of_lips()
        self.canonical = looked_up(
            geometry.picture.movedim(-1, 0)[None].float() / 255, self._lip_pixels[None]
        )[0]
        """The canonical lips at the size of the lip picture, (3, rows, columns)."""
        self.mask = self._soft_mask(geometry.lip_mask)
        """How much of a pixel of the lip picture is drawn, (1, rows, columns)."""
        self.left, self.top, self.size = self._place_regions()
        self.face = looked_up(geometry.face_mask[None, None].float() / 255, self._lip_pixels[None])[
            0, 0
        ]
        """1 on the face in the lip picture, (rows, columns)."""
        self._skin = self._around()
        self._skin_tone = (self._skin * self.canonical[:, ::TONE_STEP, ::TONE_STEP]).mean((1, 2))

    def cut(
        self, picture: UInt8[np.ndarray, "size size 3"], frame: int
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """The region of one frame's crop."""
        width, height = self.size
        left, top = int(self.left[frame]), int(self.top[frame])
        return picture[top : top + height, left : left + width]

    def tone(
        self, pictures: Float[Tensor, "frames 3 size size"], frames: Sequence[int]
    ) -> Float[Tensor, "frames 3"]:
        """How bright each colour of the skin around the drawn part is, over the canonical
        picture's.

        Exposure and white balance of cameras drift, and footage is joined from several takes: drawn
        lips are multiplied by this so that they fit the frame, and what is learnt from is divided
        by it.
        """
        # (frames, 3, rows, columns), coarse grid
        seen = self.lips_seen(pictures, frames, TONE_STEP)
        return ((self._skin * seen).mean((2, 3)) / self._skin_tone.clamp(min=1e-3)).clamp(0.6, 1.6)

    def lips_seen(
        self, pictures: Float[Tensor, "frames 3 size size"], frames: Sequence[int], step: int = 1
    ) -> Float[Tensor, "frames 3 rows columns"]:
        """Observed crops looked up in the canonical view: what the lip model is to draw (canonical
        to observed, from the canonical depth).

        Args:
            step: only every so many pixels.
        """
        size, focal, pixels = self.facts.size, self.facts.focal_px, self._lip_pixels[::step, ::step]
        # canonical depth of each pixel, (rows, columns)
        z = looked_up(self.depth[None, None], pixels[None])[0, 0]
        rays = torch.cat([(pixels - size / 2) / focal, torch.ones_like(z)[..., None]], -1)
        # points in each frame's camera, (frames, rows, columns, 3)
        moved = (rays * z[..., None]) @ self.relative[frames][:, None, :3, :3].transpose(
            -1, -2
        ) + self.relative[frames][:, None, None, :3, 3]
        return looked_up(pictures, focal * moved[..., :2] / moved[..., 2:] + size / 2)

    def _pixels_of_lips(self) -> Float[Tensor, "rows columns 2"]:
        """Column and row in the canonical crop of every pixel of the lip picture."""
        box, lip = self.facts.lip, self.config.lip
        columns = box.left + (torch.arange(lip.width) + 0.5) * box.width / lip.width - 0.5
        rows = box.top + (torch.arange(lip.height) + 0.5) * box.height / lip.height - 0.5
        # pixel centres of the lip picture in the crop
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([column, row], -1)

    def _soft_mask(self, mask: UInt8[Tensor, "size size"]) -> Float[Tensor, "1 rows columns"]:
        """The person's lip mask, forced to 0 at the edges of the box."""
        lip = self.config.lip
        soft = looked_up(mask[None, None].float() / 255, self._lip_pixels[None])[0]
        rows, columns = (
            _ramp(lip.height, max(2, lip.height // 8)),
            _ramp(lip.width, max(2, lip.width // 8)),
        )
        # The mask ends inside the box, or the border of the box would show.
        return soft * (rows[:, None] * columns)[None]

    def _around(self) -> Float[Tensor, "rows columns"]:
        """Where the lip picture shows the skin around the drawn part, on a coarse grid."""
        skin = ((1 - self.mask[0]) * self.face)[::TONE_STEP, ::TONE_STEP]
        return skin if float(skin.sum()) > 1 else torch.ones_like(skin)

    def moment(
        self, frames: Sequence[int] | Int[Tensor, " some"]
    ) -> Int[Tensor, " some"] | Float[Tensor, "some 6"]:
        """Per-frame condition of the lip model: frame numbers, or how the head is turned and
        moved against the canonical view.

        Poses are squeezed into -1..1 (eight degrees, or a tenth of the distance, come out as about
        0.75), so that one that never trained is not far from all that did.
        """
        chosen = torch.as_tensor(frames, dtype=torch.long)
        if self.config.lip.moment == "time":
            return chosen
        relative = self.relative[chosen]
        # Scaled so that usual turns fill -1..1 before tanh: heads beyond the footage saturate.
        turned = axis_angle_from_matrix(relative[:, :3, :3]) / 0.14
        # Where the point that lies on the axis of the canonical view has gone.
        distance = self.depth.median()
        moved = (relative[:, :3, 2] * distance + relative[:, :3, 3]) / distance - torch.tensor(
            [0.0, 0.0, 1.0]
        )
        return torch.cat([turned, 10 * moved], 1).tanh()

    def region(self, frames: Sequence[int] | Int[Tensor, " some"]) -> Region:
        """Positions and maps of some frames; the maps are made here, a millisecond a frame."""
        chosen = torch.as_tensor(frames, dtype=torch.long)
        return Region(
            self.left[chosen],
            self.top[chosen],
            torch.cat([self._meshes(some) for some in chosen.split(256)]),
        )

    def _place_regions(
        self,
    ) -> tuple[Int[Tensor, " frames"], Int[Tensor, " frames"], tuple[int, int]]:
        """Column and row of the region's first pixel in every frame, and its width and height in
        pixels.
        """
        box, size, border = self.facts.lip, self.facts.size, self.config.border
        across, down = (
            torch.linspace(box.left, box.left + box.width - 1, 5),
            torch.linspace(box.top, box.top + box.height - 1, 5),
        )
        row, column = torch.meshgrid(down, across, indexing="ij")
        pixels = torch.stack([column, row], -1)
        z = looked_up(self.depth[None, None], pixels[None])[0, 0]
        rays = (
            torch.cat(
                [(pixels - size / 2) / self.facts.focal_px, torch.ones_like(z)[..., None]], -1
            )
            * z[..., None]
        )
        seen = (
            rays.flatten(0, 1) @ self.relative[:, :3, :3].transpose(-1, -2)
            + self.relative[:, None, :3, 3]
        )
        seen = self.facts.focal_px * seen[..., :2] / seen[..., 2:] + size / 2
        # One size for all frames, so that frames can be stacked.
        low, high = seen.amin(1), seen.amax(1)
        extent = (high - low).amax(0) + 1 + 2 * border
        width, height = (min(size // MESH * MESH, int(-(-float(e) // MESH) * MESH)) for e in extent)
        middle = (low + high) / 2
        left = (middle[:, 0] - width / 2 + 0.5).round().long().clamp(0, size - width)
        top = (middle[:, 1] - height / 2 + 0.5).round().long().clamp(0, size - height)
        return left, top, (width, height)

    def _meshes(self, frames: Int[Tensor, " some"]) -> Float[Tensor, "some rows columns 2"]:
        width, height = self.size
        row, column = torch.meshgrid(
            torch.arange(0, height + 1, MESH), torch.arange(0, width + 1, MESH), indexing="ij"
        )
        pixels = (
            torch.stack([column, row], -1).float()
            + torch.stack([self.left[frames], self.top[frames]], -1)[:, None, None]
        )
        # (some, rows, columns, 2), pixels of the canonical crop
        canonical = observed_to_canonical(
            self.depth, self.relative[frames], self.facts.focal_px, pixels, ROUNDS
        )
        box = self.facts.lip
        return (
            # In [-1, 1] over first to last pixel edge, hence the half pixel.
            2
            * (canonical - torch.tensor([box.left, box.top]) + 0.5)
            / torch.tensor([box.width, box.height])
            - 1
        )


def dense(mesh: Float[Tensor, "frames rows columns 2"]) -> Float[Tensor, "frames height width 2"]:
    """The map of every pixel from that of the coarse mesh."""
    rows, columns = (mesh.shape[1] - 1) * MESH, (mesh.shape[2] - 1) * MESH
    fine = F.interpolate(  # linear between mesh points: depth is smooth
        mesh.movedim(-1, 1), (rows + 1, columns + 1), mode="bilinear", align_corners=True
    )
    return fine[..., :rows, :columns].movedim(1, -1)


def warp_lips(
    lips: Float[Tensor, "frames 3 rows columns"],
    mask: Float[Tensor, "1 rows columns"],
    mesh: Float[Tensor, "frames r c 2"],
    observed: Float[Tensor, "frames 3 height width"],
) -> tuple[Float[Tensor, "frames 3 height width"], Float[Tensor, "frames 1 height width"]]:
    """Drawn lips warped into the observed region: the input of Blend-Net, and how much of each
    pixel is drawn.
    """
    grid = dense(mesh)
    share = F.grid_sample(
        mask.expand(len(lips), -1, -1, -1),
        grid,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    warped = F.grid_sample(lips, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return observed + share * (warped - observed), share


def keep_filmed(
    blended: Float[Tensor, "frames 3 height width"],
    share: Float[Tensor, "frames 1 height width"],
    observed: Tensor,
) -> Tensor:
    """The blended region where lips were drawn, fading without a step to the real pixels where
    none were.
    """
    # 1 - (1 - share)^2 rises faster than the share and leaves 0 without a step.
    return observed + (1 - (1 - share).square()) * (blended - observed)


def _ramp(length: int, over: int) -> Float[Tensor, " length"]:
    """0 at both ends, 1 inside, smooth."""
    # Pixels from the nearer end.
    distance = torch.arange(length).float()
    distance = torch.minimum(distance, distance.flip(0))
    return (distance / over).clamp(0, 1).mul(torch.pi / 2).sin().square()


def looked_up(
    pictures: Float[Tensor, "batch channels height width"],
    pixels: Float[Tensor, "frames rows columns 2"],
) -> Tensor:
    """Bilinear look-up at columns and rows; past the edge the edge goes on."""
    height, width = pictures.shape[-2:]
    grid = 2 * pixels / pixels.new_tensor([width - 1, height - 1]) - 1
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=True)
