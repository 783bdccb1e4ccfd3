"""What one window is generated from: its sound, its axes, its events, its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import ROOT, encode_body, turned, vector_rotations
from motet.body.skeleton import STANDING_HEIGHT_M, heading
from motet.encoders.binaural import RATE_HZ, ear_features, loudest_mel
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.item_progress import ItemProgress, WindowPlan, held_before, plan_window
from motet.methods.mospa.sound_events import find_events, smooth_switches
from motet.methods.mospa.source_position import SourcePath, estimated_position, position_at
from motet.methods.mospa.windows import SourceView, world_view
from motet.types import Audio


@dataclasses.dataclass(frozen=True)
class WindowTask:
    """A window of those items of a batch that are equally far."""

    indices: tuple[int, ...]
    """Items of the batch."""
    seeds: tuple[int, ...]
    number: int
    """Windows before it."""
    first_frame: int
    known: Float[Tensor, "batch known dim"] | None
    """First frames that are given, in the axes of the start."""
    is_first: bool
    """Nothing was emitted yet; the known frame, if any, is the start pose."""
    samples: Float[Tensor, "batch time 2"]
    plans: tuple[WindowPlan, ...]
    loudest: tuple[float, ...]

    @property
    def known_frames(self) -> int:
        """Number of frames that are given."""
        return 0 if self.known is None else self.known.shape[1]

    def axes(self) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, " batch"]]:
        """Shift of the world and angle of the window's axes in it."""
        if self.is_first or self.known is None:
            return torch.zeros(len(self.seeds), 3), torch.zeros(len(self.seeds))
        first = self.known[:, 0]
        shift = first[:, ROOT] * torch.tensor([-1.0, 0.0, -1.0])
        return shift, heading(vector_rotations(first)[:, 0])


def plans_of(
    items: Sequence[ItemProgress],
    samples: Float[Tensor, "batch time 2"],
    config: MospaConfig,
    stop: int,
    fps: float,
    *,
    attends: bool,
) -> tuple[WindowPlan, ...]:
    """What the next window of each item attends to, and where it ends.

    Published models see one source a window and go on to its end; so does whoever attends to no
    sound.
    """
    events = []
    for item, ears in zip(items, _ears(samples), strict=True):
        continues = item.first_frame > 0
        follows = config.guessing and attends
        events.append(find_events(ears, item.attended, continues=continues) if follows else ())
    return tuple(
        plan_window(found, item, config.window, stop, fps)
        for found, item in zip(events, items, strict=True)
    )


def audio_features(
    samples: Float[Tensor, "batch time 2"],
    items: Sequence[ItemProgress],
    plans: Sequence[WindowPlan],
    frames: int,
) -> tuple[Float[Tensor, "batch frames columns"], tuple[float, ...]]:
    """Features of the mean of both ears, and the loudest moment of each item so far.

    What begins to sound where the window ends is not seen yet: nobody moves before the sound.
    """
    rows, loudest = [], []
    for ears, item, plan in zip(samples, items, plans, strict=True):
        mono = ears.mean(1)
        loudest.append(max(item.loudest, loudest_mel(mono)))
        features = ear_features(mono, rhythm=False, loudest=loudest[-1])[:frames]
        rows.append(features if plan.event is None else held_before(features, plan.event))
    return torch.stack(rows), tuple(loudest)


def world_source(
    task: WindowTask, config: MospaConfig, path: SourcePath | None, fps: float, *, attends: bool
) -> Float[Tensor, "batch frames 3"]:
    """Positions of the source in the axes of the start, or rows of an oracle; NaN where there is
    none.
    """
    frames = config.window
    if path is not None:
        rows = path.at((task.first_frame + np.arange(frames)) / fps)
        return rows.expand(len(task.seeds), -1, -1)
    if config.events and not attends:
        return torch.full((len(task.seeds), frames, 3), torch.nan)
    sources = np.stack([plan.rows for plan in task.plans])
    if not config.events:
        for rows, plan, ears in zip(sources, task.plans, _ears(task.samples), strict=True):
            # One source for the whole window: that of its newest event, or the first audible.
            seen = rows[~np.isnan(rows).any(1)]
            if len(seen):
                rows[:] = seen[-1]
            else:
                rows[:] = estimated_position(ears) if plan.event is None else position_at(0.0)
    return torch.from_numpy(sources).float()


def source_view(
    task: WindowTask,
    world: Float[Tensor, "batch frames 3"],
    config: MospaConfig,
    mode: str,
    *,
    local: bool,
) -> tuple[SourceView, bool]:
    """Source-position encoding of a window.

    Args:
        local: the rows are seen from the true pelvis (`oracle`).
    """
    if local:
        rows = F.normalize(world, dim=-1) if config.source.unit else world
        return (lambda estimate: rows), False
    shift, angle = task.axes()
    up = torch.stack([torch.zeros_like(angle), -angle, torch.zeros_like(angle)], -1)
    own = _turn(world + shift.unsqueeze(1), up)
    if task.known is None:
        first = standing_vector(len(task.seeds))
    else:
        first = turned(task.known[:, :1], -angle, shift)[:, 0]
    if config.events:
        # Positions from the pelvis at the window's start; zeros where there is no source.
        seen = smooth_switches(torch.nan_to_num(own - first[:, None, ROOT]))
        seen = F.normalize(seen, dim=-1) if config.source.unit else seen
        return (lambda estimate: seen), False
    mode = "selfconsistent" if mode == "default" else mode
    return world_view(own, first, config.source, mode)


def standing_vector(batch: int) -> Float[Tensor, "batch dim"]:
    """The house skeleton at rest at the origin: where a published model sees the source from before
    its first window.
    """
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).expand(batch, 1, 3)
    return encode_body(root, torch.eye(3).expand(batch, 1, 25, 3, 3))[:, 0]


def _turn(
    places: Float[Tensor, "batch frames 3"], axis_angle: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch frames 3"]:
    return places @ matrix_from_axis_angle(axis_angle).transpose(-1, -2)


def _ears(samples: Float[Tensor, "batch time 2"]) -> list[Audio]:
    return [Audio(item, RATE_HZ, "binaural") for item in samples.transpose(1, 2).contiguous()]
