"""Training data of a person: everything cut to the mouth and held in memory, so that a step
touches no video and no geometry.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motet.errors import InputError
from motet.methods.speech2lip.config import HearingConfig, Speech2LipConfig
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth, Region
from motet.methods.speech2lip.sync.model import FRAMES, sync_mel
from motet.types import Audio

FRAME_SAMPLES = 640
QUIET_DB = -45.0
"""Below this loudness a frame is silent."""


class Teacher(Likeness, Protocol):
    """A person that can also be trained on."""

    @property
    def features(self) -> Float[Tensor, "steps channels"]:
        """Acoustic features of the footage."""
        ...

    @property
    def audio(self) -> Audio:
        """The footage's audio."""
        ...


@dataclasses.dataclass(frozen=True)
class MouthSet:
    """The mouth of some frames of footage. Row k of everything per frame belongs to frame
    `frames[k]`.
    """

    frames: Int[Tensor, " count"]
    moment: Int[Tensor, " count"] | Float[Tensor, "count 6"]
    """Per-frame condition of the lip model (`Mouth.moment`)."""
    lips: UInt8[Tensor, "count 3 rows columns"]
    """The observed mouth in the canonical view: what the lip model is to draw."""
    observed: UInt8[Tensor, "count 3 height width"]
    """The region around the mouth as filmed."""
    tone: Float[Tensor, "count 3"]
    """Colour of the skin over the canonical picture's (`Mouth.tone`)."""
    region: Region
    canonical: Float[Tensor, "3 rows columns"]
    mask: Float[Tensor, "1 rows columns"]
    features: Float[Tensor, "steps channels"]
    """Of the whole footage."""
    level_db: Float[Tensor, " count"]
    """Loudness of each frame, decibels below full scale."""
    runs: Int[Tensor, " starts"]
    """Rows from which on five frames follow one another without a cut."""
    mel: Float[Tensor, "80 windows"]
    """Mel energies of the whole footage, for the sync expert."""
    lip_width: int
    """Width of the lip box in pixels of the crop, which the sync expert's view is measured by."""

    def windows(
        self, rows: Sequence[int] | Tensor, hearing: HearingConfig
    ) -> Float[Tensor, "some rows channels"]:
        """Windows of features around the frames of some rows."""
        return feature_windows(self.features, self.frames[rows], hearing.window)

    def runs_of(self, length: int) -> Int[Tensor, " starts"]:
        """Rows from which on so many frames follow one another without a cut."""
        # Two runs of FRAMES whose starts lie `more` apart overlap to one run of `length`.
        more = length - FRAMES
        first, last = self.runs[: max(0, len(self.runs) - more)], self.runs[more:]
        return first[last - first == more]


def feature_windows(
    features: Float[Tensor, "steps channels"], frames: Int[Tensor, " some"], size: int
) -> Float[Tensor, "some size channels"]:
    """Rows 2 i - size / 2 .. 2 i + size / 2 - 1 for each frame i; zeros past the ends."""
    steps = 2 * frames.unsqueeze(1) + torch.arange(-(size // 2), size - size // 2)
    inside = (steps >= 0) & (steps < len(features))
    return features[steps.clamp(0, len(features) - 1)] * inside.unsqueeze(-1)


def loudness_db(samples: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch frames"]:
    """Level of each whole frame of sound (1/25 s), decibels below full scale."""
    count = samples.shape[-1] // FRAME_SAMPLES
    power = (
        samples[..., : count * FRAME_SAMPLES]
        .unflatten(-1, (count, FRAME_SAMPLES))
        .square()
        .mean(-1)
        if count
        else samples[..., :0]
    )
    return 10 * (power + 1e-10).log10()


def mouth_set(
    person: Teacher,
    config: Speech2LipConfig,
    part: str = "train",
    mouth: Mouth | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MouthSet:
    """Cut a person's footage to the mouth.

    Args:
        part: `train` (frames where the face was seen), or `held_out` (all of the tail).
        progress: called with (frames done, frames in all).

    Raises:
        InputError: no frame is left.
    """
    facts, track, mouth = person.facts, person.track, mouth or Mouth(person, config)
    rows = range(facts.train_frames) if part == "train" else range(facts.train_frames, facts.frames)
    # Frames without a tracked face do not train; the held-out tail is scored as it is.
    frames = [row for row in rows if part != "train" or bool(track.seen[row])]
    if not frames:
        raise InputError(
            f"{facts.name} has no frames to {'learn from' if part == 'train' else 'be tested on'}"
        )
    lips, observed, tone, crops = [], [], [], person.crops
    for start in range(0, len(frames), 32):
        some = frames[start : start + 32]
        pictures = [crops.frame(frame) for frame in some]
        whole = torch.from_numpy(np.stack(pictures)).movedim(-1, 1)
        whole = whole.float()
        # As bytes: minutes of footage have to stay in memory.
        lips.append(mouth.lips_seen(whole, some).round().to(torch.uint8))
        tone.append(mouth.tone(whole / 255, some))
        observed.append(
            torch.from_numpy(
                np.stack([mouth.cut(p, f) for p, f in zip(pictures, some, strict=True)])
            ).movedim(-1, 1)
        )
        if progress is not None:
            progress(min(start + 32, len(frames)), len(frames))
    numbers = torch.tensor(frames)
    samples = person.audio.expect(16_000, "mono").samples[0]
    level = loudness_db(
        torch.nn.functional.pad(samples, (0, max(0, facts.frames * FRAME_SAMPLES - len(samples))))
    )
    return MouthSet(
        numbers, mouth.moment(numbers), torch.cat(lips), torch.cat(observed).contiguous(), torch.cat(tone), mouth.region(numbers), mouth.canonical, mouth.mask,
        person.features, level[numbers], _runs(frames, facts.cuts), sync_mel(samples), facts.lip.width,
    )  # fmt: skip


def _runs(frames: Sequence[int], cuts: Sequence[int]) -> Int[Tensor, " starts"]:
    borders = set(cuts)
    return torch.tensor(
        [
            row
            for row in range(len(frames) - FRAMES + 1)
            if frames[row + FRAMES - 1] == frames[row] + FRAMES - 1
            and not borders & set(range(frames[row] + 1, frames[row] + FRAMES))
        ],
        dtype=torch.long,
    )
