"""Training set of the sync expert: tracked clips (many minutes, no pictures) and filmed mouths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from motet.errors import InputError
from motet.methods.speech2lip.person.dataset import MouthSet
from motet.methods.speech2lip.sync.expert import LipExpertConfig
from motet.methods.speech2lip.sync.lip_outline import ShapeSpace, lip_outline
from motet.methods.speech2lip.sync.model import mouth_view

RUN = 40
"""Frames of a run of filmed mouths."""


@dataclasses.dataclass(frozen=True)
class Watched:
    """Mouths of one person as inputs of the expert, with lip outlines and acoustic features."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    outlines: Float[Tensor, "count 80"]
    frames: Int[Tensor, " count"]
    features: Float[Tensor, "steps channels"]
    examples: MouthSet

    def runs(
        self, length: int, without: Bool[Tensor, " footage"] | None = None
    ) -> Int[Tensor, " starts"]:
        """Rows from which on so many frames follow one another, none of them among those left
        out.
        """
        starts = self.examples.runs_of(length)
        if without is None:
            return starts
        return torch.tensor(
            [
                row
                for row in starts.tolist()
                if not bool(without[self.frames[row : row + length]].any())
            ],
            dtype=torch.long,
        )


def watched(
    examples: MouthSet, landmarks: Float[Tensor, "footage points 2"], border: int
) -> Watched:
    """The footage of a person as inputs of the expert."""
    views = torch.cat(
        [
            mouth_view(some.float(), border).round().to(torch.uint8)
            for some in examples.observed.split(256)
        ]
    )
    outlines = lip_outline(landmarks[examples.frames].float(), list(range(landmarks.shape[1])))
    return Watched(views, outlines, examples.frames, examples.features, examples)


@dataclasses.dataclass(frozen=True)
class FilmedRuns:
    """Mouths that train, with their targets."""

    mouths: UInt8[Tensor, "count 3 48 96"]
    shapes: Float[Tensor, "count shape"]
    frames: Int[Tensor, " count"]
    features: Float[Tensor, "steps channels"]
    starts: Int[Tensor, " runs"]


@dataclasses.dataclass(frozen=True)
class SyncExamples:
    """The training set of the expert."""

    shapes: Float[Tensor, "clips frames shape"]
    features: Float[Tensor, "clips steps channels"]
    filmed: list[FilmedRuns]
    space: ShapeSpace
    held_out: Mapping[str, Watched]
    """Tails of the people who train, to measure on."""
    unseen: Mapping[str, Watched]
    """People who do not train, to measure on."""


def sync_examples(
    config: LipExpertConfig,
    outlines: Float[Tensor, "clips frames 80"],
    features: Float[Tensor, "clips steps channels"],
    people: list[tuple[Watched, Bool[Tensor, " footage"] | None]],
    held_out: Mapping[str, Watched] | None = None,
    unseen: Mapping[str, Watched] | None = None,
    space: ShapeSpace | None = None,
) -> SyncExamples:
    """Tracked clips and filmed people in one space of lip shapes.

    Args:
        outlines: of the lips of tracked clips (`lip_outline`).
        features: acoustic features of those clips, two for each frame.
        people: each with the frames that must not train.
        held_out, unseen: people to measure on, by name.
        space: lip shapes of another set, so that both agree; fitted to the clips when left out.

    Raises:
        InputError: a person has no run of frames that is long enough.
    """
    # Relative to each clip's mean mouth: faces differ more than lips move.
    centred = outlines - outlines.mean(1, keepdim=True)
    space = space or ShapeSpace.of(centred.flatten(0, 1)[::5], config.shape)
    filmed = [
        FilmedRuns(w.mouths, space.shapes(w.outlines), w.frames, w.features, w.runs(RUN, without))
        for w, without in people
    ]
    if not all(len(person.starts) for person in filmed):
        raise InputError(
            f"a person has no {RUN} frames in a row that may train; film a longer shot"
        )
    shapes = centred @ space.basis
    return SyncExamples(shapes, features, filmed, space, held_out or {}, unseen or {})
