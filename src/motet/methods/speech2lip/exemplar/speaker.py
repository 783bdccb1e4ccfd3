"""A person whose mouth is drawn from exemplars, ready to draw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet.errors import ConfigError
from motet.geometry.rotation import axis_angle_from_matrix
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.draw import (
    REACH,
    bent,
    canonical_positions,
    faded,
    relit,
    sampled,
    seen_by,
    sharpened,
)
from motet.methods.speech2lip.exemplar.model import ExemplarModel
from motet.methods.speech2lip.exemplar.path import NONE, Paths
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth, dense
from motet.methods.speech2lip.person.put_back import composed, filmed_regions
from motet.nn.device import CPU, on_device

MOUTHS = "mouths.mp4"
"""File of a person's folder: the surroundings of the mouth in every exemplar, as filmed."""
FADE = (0.5, 0.2)
"""Share of the exemplar left behind in the first frames after a change of run."""
_SKIN = 0.6
"""Where less than this is drawn, skin shows the frame's light."""
_CHIN_DROP = 0.03
"""How far beyond the resting face something is drawn, in widths of the lip box."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """What the frame before was drawn from."""

    exemplar: int = NONE
    fading: int = NONE
    """Exemplar that is being left."""
    age: int = len(FADE)
    """Frames since the run changed."""


class ExemplarSpeaker:
    """A person with exemplars: pictures from shapes of the mouth.

    Args:
        motion: whose curves drive the person: one of `ExemplarConfig.motions`; the first when left
            out.
    """

    steps_per_frame = 1

    def __init__(
        self, person: Likeness, config: Speech2LipConfig, model: ExemplarModel, motion: str = ""
    ) -> None:
        self.person, self.config, self.model = person, config, model.eval().requires_grad_(False)
        self.facts, own = person.facts, model.config
        self.window, self.commit, self.look_ahead = own.window, own.commit, own.look_ahead
        self.rest, self.motion = model.rest, motion or own.motions[0]
        with on_device(CPU):
            self.mouth = Mouth(person, config)
            self._mask = self.mouth.mask * near_face(self.mouth)
            self._skin = (self.mouth.mask < _SKIN) * self.mouth.face[None]
        self._trust = model.retarget[self.motion].trust.square()
        self._turns = axis_angle_from_matrix(self.mouth.relative[:, :3, :3])
        turns = self._turns[model.frames.long()]
        self._paths = Paths(model, self._trust.clamp(min=0.05), turns)
        self._crops, self._scene = person.crops, person.scene
        self._mouths = torch.zeros(0, 3, *reversed(self.mouth.size), dtype=torch.uint8)
        self.shots = self.facts.shots()

    def driven_by(self, motion: str) -> ExemplarSpeaker:
        """The same person driven by another method for curves.

        Raises:
            ConfigError: the person was not fitted for it.
        """
        if motion == self.motion:
            return self
        if motion not in self.model.config.motions:
            raise ConfigError(
                f"{self.facts.name} was fitted for {', '.join(self.model.config.motions)}, not for"
                f" {motion}; fit the person again, or choose one of them with --option motion=NAME"
            )
        other = ExemplarSpeaker(self.person, self.config, self.model, motion)
        other._mouths = self._mouths
        return other

    def read(self, folder: Path) -> None:
        """Take the pictures of the exemplars from a person's folder.

        Raises:
            AssetError: they are missing or damaged.
        """
        self._mouths = read_mouths(folder, self.model.config.count, self.mouth.size)

    def hold(self, pictures: UInt8[Tensor, "count 3 h w"]) -> None:
        """Take the pictures of the exemplars from memory."""
        self._mouths = pictures

    def codes(self, windows: Float[Tensor, "count window dim"]) -> Float[Tensor, "count shape"]:
        """Shapes of the mouth from curves."""
        return self.model.retarget[self.motion](windows)

    def draw(
        self, codes: Float[Tensor, "known shape"], shown: Int[Tensor, " count"], before: object
    ) -> tuple[UInt8[Tensor, "count height width 3"], object]:
        """Pictures of the shown frames, and from what the last was drawn."""
        with on_device(CPU):
            return self.pictures(codes, shown, before if isinstance(before, Shown) else Shown())

    @torch.no_grad()
    def pictures(
        self,
        shapes: Float[Tensor, "known shape"],
        shown: Int[Tensor, " count"],
        before: Shown,
    ) -> tuple[UInt8[Tensor, "count height width 3"], Shown]:
        """Whole pictures of the shown frames, and what the next ones need to know.

        Args:
            shapes: of these frames and of those that are looked ahead at.
        """
        chosen = self._paths.choose(shapes, before.exemplar, self._turns[shown])
        crops = [self._crops.frame(frame) for frame in shown.tolist()]
        frames = shown.tolist()
        filmed = filmed_regions(self.mouth, crops, frames)
        drawn, share, after = self.regions(shapes[: len(shown)], chosen, shown, filmed, before)
        made = composed(self.mouth, self._scene, frames, drawn, filmed, share)
        return torch.from_numpy(made), after

    @torch.no_grad()
    def regions(
        self,
        shapes: Float[Tensor, "count shape"],
        chosen: list[int],
        shown: Int[Tensor, " count"],
        filmed: Float[Tensor, "count 3 h w"],
        before: Shown,
    ) -> tuple[Float[Tensor, "count 3 h w"], Float[Tensor, "count 1 h w"], Shown]:
        """The drawn surroundings of the mouth, and how much of each pixel is drawn."""
        mesh, share = self.placed(shown)
        positions = canonical_positions(self.mouth, mesh)
        drawn = self.warped(shapes, torch.tensor(chosen), positions)
        # Frames after a change of run: what was left fades out over them.
        fading: list[tuple[int, int, float]] = []
        now = before
        for index, exemplar in enumerate(chosen):
            now = self._next(now, exemplar)
            if now.age < len(FADE) and now.fading != NONE:
                fading.append((index, now.fading, FADE[now.age]))
        if fading:
            rows = torch.tensor([index for index, _, _ in fading])
            left = torch.tensor([exemplar for _, exemplar, _ in fading])
            amount = torch.tensor([part for _, _, part in fading])
            old = self.warped(shapes[rows], left, positions[rows])
            drawn[rows] = faded(drawn[rows], old, amount)
        drawn = sharpened(relit(drawn, filmed, self.skin(mesh)), float(self.model.sharpen))
        return filmed + share * (drawn - filmed), share, now

    def placed(
        self, frames: Int[Tensor, " some"]
    ) -> tuple[Float[Tensor, "some rows columns 2"], Float[Tensor, "some 1 h w"]]:
        """Where the pixels of the frames' regions lie in the lip picture, and how much of each is
        drawn.
        """
        mesh = self.mouth.region(frames).mesh
        mask = self._mask.expand(len(mesh), -1, -1, -1)
        share = F.grid_sample(mask, dense(mesh), padding_mode="zeros", align_corners=False)
        return mesh, share

    def skin(self, mesh: Float[Tensor, "some rows columns 2"]) -> Float[Tensor, "some 1 h w"]:
        """1 on the skin around the mouth, which filmed and drawn regions both show."""
        around = self._skin.expand(len(mesh), -1, -1, -1)
        return F.grid_sample(around, dense(mesh), padding_mode="zeros", align_corners=False)

    def filmed_mouths(self, exemplars: Int[Tensor, " some"]) -> Float[Tensor, "some 3 h w"]:
        """Exemplars as filmed."""
        return self._mouths[exemplars].float() / 255

    def _next(self, before: Shown, exemplar: int) -> Shown:
        follows = int(self._paths.successor[before.exemplar]) if before.exemplar != NONE else NONE
        if before.exemplar == NONE or follows == exemplar:
            old = before.fading
            fading = int(self._paths.successor[old]) if old != NONE else NONE
            return Shown(exemplar, fading, before.age + 1)
        return Shown(exemplar, follows, 0)

    def warped(
        self,
        shapes: Float[Tensor, "some shape"],
        exemplars: Int[Tensor, " some"],
        positions: Float[Tensor, "some rows columns 2"],
    ) -> Float[Tensor, "some 3 h w"]:
        """Exemplars bent to shapes and moved into frames whose mesh lies at canonical positions."""
        model = self.model
        change = (shapes - model.shapes[exemplars]) * self._trust.sqrt()
        # No further than a deviation: beyond it a bent mouth looks bent.
        change = torch.minimum(torch.maximum(change, -model.scale), model.scale)
        moved = torch.einsum("sk,kpc->spc", change, model.bend)
        landmarks = model.landmarks[exemplars].float()
        positions = bent(positions, landmarks, moved, REACH * self.facts.lip.width)
        frames = model.frames[exemplars].long()
        return sampled(self.filmed_mouths(exemplars), seen_by(self.mouth, positions, frames))


def near_face(mouth: Mouth) -> Float[Tensor, "1 rows columns"]:
    """1 on the face in the lip picture, falling to 0 a little beyond it: a chin may drop, but the
    collar and the background beside a jaw are those of the frame.
    """
    reach = max(1, round(_CHIN_DROP * mouth.face.shape[-1]))
    grown = F.max_pool2d(mouth.face[None, None], 2 * reach + 1, 1, reach)
    return F.avg_pool2d(grown, 2 * reach + 1, 1, reach, count_include_pad=False)[0]


def read_mouths(folder: Path, count: int, size: tuple[int, int]) -> UInt8[Tensor, "count 3 h w"]:
    """The pictures of all exemplars of a person's folder.

    Raises:
        AssetError: the file is missing or damaged.
    """
    from motet.methods.speech2lip.person.footage import Footage

    width, height = size
    footage = Footage(folder / MOUTHS, count, (height, width))
    pictures = torch.empty(count, 3, height, width, dtype=torch.uint8)
    for index, picture in enumerate(footage):
        pictures[index] = torch.from_numpy(picture).movedim(-1, 0)
    return pictures
