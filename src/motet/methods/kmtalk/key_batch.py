"""Key frames of a batch of recordings: where they lie, with edited ones among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from motet.methods.kmtalk.key_edits import KeyEdits
from motet.methods.kmtalk.key_timing import Keys, pad_keys
from motet.methods.kmtalk.keys import KeyFrames, key_frames, spoken_frames
from motet.phonetics.phones import PhoneSpan


@dataclasses.dataclass(frozen=True)
class KeyRule:
    """How the key frames of a recording follow from its phones; see `key_frames`."""

    frames: int
    fps: float
    anchor: str
    closures: bool

    def of(self, spans: Sequence[PhoneSpan]) -> KeyFrames:
        """Key frames of one recording."""
        return key_frames(spans, self.frames, self.fps, self.anchor, closures=self.closures)


def batch_keys(
    spans: Sequence[Sequence[PhoneSpan]], rule: KeyRule, edits: KeyEdits | None = None
) -> Keys:
    """Key frames of each item with the phone of every frame, padded to one length.

    Args:
        spans: phones of each item.
        edits: keys that a user edited; they are keys too.
    """
    rows = [rule.of(row) for row in spans]
    rows = [edits.merge(row) for row in rows] if edits is not None else rows
    spoken = [spoken_frames(row, rule.frames, rule.fps) for row in spans]
    return pad_keys([list(row.frames) for row in rows], [list(row.phones) for row in rows], spoken)


def shifted(spans: Sequence[PhoneSpan], seconds: float) -> Sequence[PhoneSpan]:
    """The phones later by so many seconds; none begins before 0."""
    if not seconds:
        return spans
    return [
        PhoneSpan(max(0.0, span.start + seconds), max(0.0, span.end + seconds), span.symbol)
        for span in spans
    ]
