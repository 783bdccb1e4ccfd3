"""What a capture found, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.methods.speech2lip.person.folder import Person, PersonFacts, Skip
from motet.tracking.capture.shots import FPS, clock

_ENOUGH_S = 30.0
"""Footage that covers what a mouth does."""


def skipped_in_words(skipped: Sequence[Skip]) -> str:
    """Spans and reasons: 0:14.2-0:16.1 (no face), ..."""
    return ", ".join(
        f"{clock(skip.first / FPS)}-{clock(skip.stop / FPS)} ({skip.reason})" for skip in skipped
    )


def describe(person: Person) -> list[str]:
    """What was found, for people."""
    facts = person.facts
    # range of each axis, degrees
    degrees = np.degrees(np.ptp(_angles(person.track.rotation.numpy()), axis=0))
    pitch, yaw, roll = degrees
    held_out, crop, lip = facts.frames - facts.train_frames, facts.crop, facts.lip
    skipped = [f"skipped: {skipped_in_words(facts.skipped)}"] if facts.skipped else []
    return [
        (
            f"{facts.frames / FPS:.1f} s of footage in {len(facts.cuts) + 1} shot(s),"
            f" {facts.train_frames} frames to learn from, {held_out} held out"
        ),
        (
            f"face crop {crop.width} px at ({crop.left}, {crop.top}), stored as {facts.size}; lips"
            f" {lip.width}x{lip.height}"
        ),
        (
            f"head turns over {pitch:.0f}/{yaw:.0f}/{roll:.0f} degrees (pitch/yaw/roll); camera"
            f" {facts.focal_px:.0f} px; canonical frame {facts.canonical}"
        ),
        "residuals: " + ", ".join(f"{name} {value:g}" for name, value in facts.residuals.items()),
        *skipped,
        *_warning(facts),
    ]


def _warning(facts: PersonFacts) -> list[str]:
    """What to expect of little footage."""
    usable = sum(not facts.is_skipped(frame) for frame in range(facts.train_frames)) / FPS
    if usable >= _ENOUGH_S:
        return []
    return [
        f"{usable:.0f} s to learn from are little: openings and teeth that are not in them cannot"
        " be shown; a minute gives good lips"
    ]


def _angles(rotation: Float[ndarray, "frames 3 3"]) -> Float[ndarray, "frames 3"]:
    from scipy.spatial.transform import Rotation

    result = Rotation.from_matrix(rotation)
    # relative to the mean pose
    return (result * result.mean().inv()).as_rotvec()
