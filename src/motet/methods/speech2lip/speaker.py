"""A person with their model, ready to draw: the mouth region of footage frames from audio codes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.encoders.base import AudioEncoder, load_encoder
from motet.errors import ConfigError
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel, folded
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth, kept_real, laid_in
from motet.nn.device import CPU, on_device

TOGETHER = 8
"""Frames that go through the networks at once."""


class Speaker:
    """A person with their model, ready to draw: everything that does not change from frame to frame
    is made here.
    """

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
        self.blend = folded(model.blend).to(memory_format=torch.channels_last)
        self._crops, self._scene = person.crops, person.scene
        borders = [0, *self.facts.cuts, self.facts.frames]
        self.shots = [range(start, stop) for start, stop in itertools.pairwise(borders)]

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
        self, codes: Float[Tensor, "count out"], shown: Int[Tensor, "count"]
    ) -> UInt8[Tensor, "count height width 3"]:
        """Whole pictures: the footage of the shown frames with mouths drawn from audio codes."""
        width, height = self.facts.scene
        with on_device(CPU):
            made = [
                self._batch(
                    codes[start : start + TOGETHER], shown[start : start + TOGETHER].tolist()
                )
                for start in range(0, len(codes), TOGETHER)
            ]
            nothing = torch.zeros(0, height, width, 3, dtype=torch.uint8)
            return torch.from_numpy(np.concatenate(made)) if made else nothing

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
        mixed, share = laid_in(lips, mouth.mask.to(device), mesh, observed)
        blended = self.blend(mixed.contiguous(memory_format=torch.channels_last))
        return kept_real(blended, share, observed).to(CPU), share.to(CPU)

    def _batch(self, codes: Tensor, shown: list[int]) -> UInt8[np.ndarray, "count height width 3"]:
        crops = [self._crops.frame(frame) for frame in shown]
        filmed = (
            torch.from_numpy(
                np.stack(
                    [self.mouth.cut(crop, frame) for crop, frame in zip(crops, shown, strict=True)]
                )
            )
            .movedim(-1, 1)
            .float()
            / 255
        )
        tone = self.mouth.tone(
            torch.from_numpy(np.stack(crops)).movedim(-1, 1).float() / 255, shown
        )
        drawn, share = self.regions(codes, shown, filmed, tone)
        whole = [self._scene.frame(frame) for frame in shown]
        return np.stack(
            [
                self._back(picture, frame, drawn[k], filmed[k], share[k])
                for k, (picture, frame) in enumerate(zip(whole, shown, strict=True))
            ]
        )

    def _back(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        frame: int,
        drawn: Tensor,
        filmed: Tensor,
        share: Tensor,
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Put a region into the whole picture. Where little is drawn the difference is added, so
        that the picture's own grain and sharpness stay; where all is drawn nothing of the picture
        stays, or the fine edges of the filmed lips, which the crop has lost, would lie as specks
        over the drawn ones.
        """
        # (7, h, w): change, filmed, share
        parts = torch.cat([(drawn - filmed) * 255, filmed * 255, share])
        left, top = int(self.mouth.left[frame]), int(self.mouth.top[frame])
        crop, scale = self.facts.crop, self.facts.crop.width / self.facts.size
        height, width = parts.shape[1:]
        if scale != 1 or crop.height != crop.width:
            x0, y0, x1, y1 = (
                round(v)
                for v in (
                    crop.left + left * scale,
                    crop.top + top * scale,
                    crop.left + (left + width) * scale,
                    crop.top + (top + height) * scale,
                )
            )
            # The change is resized, not the picture: the rest of the frame stays as sharp as it was
            # filmed.
            parts = nn.functional.interpolate(
                parts[None], (y1 - y0, x1 - x0), mode="bicubic", align_corners=False
            )[0]
        else:
            x0, y0, x1, y1 = (
                crop.left + left,
                crop.top + top,
                crop.left + left + width,
                crop.top + top + height,
            )
        result = picture.copy()
        inside = result[max(0, y0) : y1, max(0, x0) : x1]
        parts = parts[
            :,
            max(0, -y0) : max(0, -y0) + inside.shape[0],
            max(0, -x0) : max(0, -x0) + inside.shape[1],
        ]
        change, crop_pixels, weight = (
            part.movedim(0, -1).numpy() for part in parts.split([3, 3, 1])
        )
        # Film grain that the stored crop has lost, kept where little is drawn.
        grain = (1 - weight.clip(0, 1)) * (inside - crop_pixels)
        inside[:] = (crop_pixels + grain + change).clip(0, 255).round().astype(np.uint8)
        return result


def weights_stamp(folder: str) -> int:
    """Changes when the person's weights do."""
    path = Person(folder).weights
    return path.stat().st_mtime_ns if path.exists() else 0


@functools.lru_cache(maxsize=2)
def fitted(folder: Path, stamp: int, device: torch.device = CPU) -> Speaker:
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
    with on_device(device):
        model = Speech2LipModel(settings.from_json(Speech2LipConfig, checkpoint.config))
    load_strict(model, checkpoint.tensors, str(person.weights))
    return Speaker(person, model)
