"""A person with their model, ready to draw: the mouth region of footage frames from audio codes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.encoders.base import AudioEncoder, load_encoder
from motet.errors import ConfigError
from motet.methods.speech2lip.blend_net import fold_normalisation
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.model import ExemplarModel
from motet.methods.speech2lip.exemplar.shape import SHAPE
from motet.methods.speech2lip.exemplar.speaker import ExemplarSpeaker
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Person, PersonFacts
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth, keep_filmed, warp_lips
from motet.methods.speech2lip.person.put_back import composed, filmed_regions
from motet.nn.device import CPU, on_device

BATCH = 8
"""Frames that go through the networks at once."""


class Drawer(Protocol):
    """A person ready to draw, whatever their mouth is drawn by."""

    facts: PersonFacts
    shots: list[range]
    """Frames of each uninterrupted shot of the footage."""
    steps_per_frame: int
    """Features for each frame."""
    window: int
    """Features around a frame that its code is made from."""
    commit: int
    """Frames that are drawn together; 0: all that are ready."""
    look_ahead: int
    """Frames after these whose codes must be known."""
    rest: Float[Tensor, " out"] | None
    """Code of a mouth at rest."""

    def codes(self, windows: Float[Tensor, "count window channels"]) -> Float[Tensor, "count out"]:
        """What the mouth of each frame is drawn from."""
        ...

    def draw(
        self, codes: Float[Tensor, "known out"], shown: Int[Tensor, " count"], before: object
    ) -> tuple[UInt8[Tensor, "count height width 3"], object]:
        """Pictures of the shown frames, and what the next ones need to know of them.

        Args:
            codes: of these frames and of those looked ahead at.
            before: from the frames before; None at the beginning.
        """
        ...


class Speaker:
    """A person with their model, ready to draw: everything that does not change from frame to frame
    is made here.
    """

    steps_per_frame, commit, look_ahead = 2, 0, 0

    def __init__(self, person: Likeness, model: Speech2LipModel) -> None:
        self.person, self.model, self.facts = (
            person,
            model.eval().requires_grad_(False),
            person.facts,
        )
        self.device = model.lip.out.weight.device
        with on_device(CPU):  # pictures and geometry; the networks are where the weights are
            self.mouth = Mouth(person, model.config)
        self.positions = model.lip.prepare()
        self.blend = fold_normalisation(model.blend).to(memory_format=torch.channels_last)
        self._crops, self._scene = person.crops, person.scene
        self.window, self.rest = model.config.hearing.window, model.rest
        self.shots = self.facts.shots()

    def codes(self, windows: Float[Tensor, "count window channels"]) -> Float[Tensor, "count out"]:
        """What the mouth of each frame is drawn from."""
        return self.model.hearing(windows)

    def draw(
        self, codes: Float[Tensor, "count out"], shown: Int[Tensor, " count"], before: object
    ) -> tuple[UInt8[Tensor, "count height width 3"], object]:
        """Pictures; every frame is drawn for itself."""
        return self.pictures(codes, shown), before

    @functools.cached_property
    def encoder(self) -> AudioEncoder[Any]:
        """The audio encoder that the model was trained on.

        Raises:
            ConfigError: its features only come ready-made.
        """
        config = self.model.config
        return load_encoder(config.front, dim=config.hearing.channels)

    @torch.no_grad()
    def pictures(
        self, codes: Float[Tensor, "count out"], shown: Int[Tensor, " count"]
    ) -> UInt8[Tensor, "count height width 3"]:
        """Whole pictures: the footage of the shown frames with mouths drawn from audio codes."""
        width, height = self.facts.scene
        with on_device(CPU):
            pictures = [
                self._batch(codes[start : start + BATCH], shown[start : start + BATCH].tolist())
                for start in range(0, len(codes), BATCH)
            ]
            nothing = torch.zeros(0, height, width, 3, dtype=torch.uint8)
            return torch.from_numpy(np.concatenate(pictures)) if pictures else nothing

    @torch.no_grad()
    def regions(
        self,
        codes: Float[Tensor, "count out"],
        shown: Sequence[int],
        observed: Float[Tensor, "count 3 h w"],
        tone: Float[Tensor, "count 3"],
    ) -> tuple[Float[Tensor, "count 3 h w"], Float[Tensor, "count 1 h w"]]:
        """The drawn surroundings of the mouth, given the filmed ones and the colour of their skin,
        and how much of each pixel is drawn.
        """
        mouth, device = self.mouth, self.device
        moment, canonical = mouth.moment(shown).to(device), mouth.canonical.to(device)
        lips = self.model.lips(self.positions, codes.to(device), moment, canonical)
        # The model draws in the canonical picture's light; `tone` brings it to the frame's.
        lips = lips * tone.to(device)[..., None, None]
        mesh, observed = mouth.region(shown).mesh.to(device), observed.to(device)
        mixed, share = warp_lips(lips, mouth.mask.to(device), mesh, observed)
        blended = self.blend(mixed.contiguous(memory_format=torch.channels_last))
        return keep_filmed(blended, share, observed).to(CPU), share.to(CPU)

    def _batch(self, codes: Tensor, shown: list[int]) -> UInt8[np.ndarray, "count height width 3"]:
        crops = [self._crops.frame(frame) for frame in shown]
        filmed = filmed_regions(self.mouth, crops, shown)
        tone = self.mouth.tone(
            torch.from_numpy(np.stack(crops)).movedim(-1, 1).float() / 255, shown
        )
        drawn, share = self.regions(codes, shown, filmed, tone)
        return composed(self.mouth, self._scene, shown, drawn, filmed, share)


def weights_stamp(folder: str) -> int:
    """Changes when the person's weights do."""
    path = Person(folder).weights
    return path.stat().st_mtime_ns if path.exists() else 0


@functools.lru_cache(maxsize=2)
def fitted(folder: Path, stamp: int, device: torch.device = CPU) -> Drawer:
    """A fitted person from a folder, read once for each state of its weights.

    Raises:
        AssetError: not a person's folder.
        ConfigError: it has not been trained yet.
        CheckpointError: its weights are damaged.
    """
    person = Person(folder)
    if not stamp:
        raise ConfigError(
            f"{folder} has no trained model yet; go on with the fit that began it: motet fit VIDEO"
            f" -o {folder}"
        )
    checkpoint = read_checkpoint(person.weights)
    config = settings.from_json(Speech2LipConfig, checkpoint.config)
    return drawer(config, checkpoint.tensors, person, device, str(person.weights))


def drawer(
    config: Speech2LipConfig,
    tensors: Mapping[str, Tensor],
    person: Person,
    device: torch.device = CPU,
    path: str = "",
) -> Drawer:
    """A person with their model of either kind.

    Raises:
        CheckpointError: the tensors do not fit.
        ConfigError: exemplars of an earlier version.
        AssetError: the person's pictures are missing.
    """
    if config.exemplar is not None:
        if "shapes" in tensors and tensors["shapes"].shape[1] != len(SHAPE):
            raise ConfigError(
                f"{person.folder} was fitted by an earlier version; the same 'motet fit' again"
                " takes a minute, for its tracking is kept"
            )
        with on_device(CPU):
            exemplars = ExemplarModel(config.exemplar)
            load_strict(exemplars, tensors, path)
            speaker = ExemplarSpeaker(person, config, exemplars)
            own = read_checkpoint(person.weights).tensors if person.weights.exists() else tensors
            if "frames" in own and torch.equal(own["frames"], tensors["frames"]):
                speaker.read(person.folder)
            else:  # of another fit of the same footage
                speaker.hold(exemplars_of(person, speaker.mouth, tensors["frames"]))
            return speaker
    with on_device(device):
        model = Speech2LipModel(config)
    load_strict(model, tensors, path)
    return Speaker(person, model)


def exemplars_of(
    person: Person, mouth: Mouth, frames: Int[Tensor, " count"]
) -> UInt8[Tensor, "count 3 h w"]:
    """The pictures of exemplars, cut from the footage.

    Raises:
        ConfigError: the footage is shorter: the weights are another person's.
    """
    if int(frames.max()) >= person.facts.frames:
        raise ConfigError(
            f"these weights are not of {person.facts.name}: they ask for frame"
            f" {int(frames.max())} of {person.facts.frames}; leave --weights out for the person's"
            " own"
        )
    crops = person.crops
    cut = [mouth.cut(crops.frame(frame), frame) for frame in frames.tolist()]
    return torch.from_numpy(np.stack(cut)).movedim(-1, 1).contiguous()
