"""Where key frames lie: the rule that turns timed phones into frames of the animation, and the
phones around each key.

Source: Xu et al. 2024: the boundaries of phones become the key frames; 33 % uniform frames are
their ablation. Rounding, long silences, closures and the other anchors are ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from motet.methods.kmtalk.config import check_anchor
from motet.phonetics.phones import INDEX, PHONES, SILENCE, PhoneSpan

UNIFORM_RATIO = 0.33
GAP_S = 0.30
"""Silence longer than this gets a key every this many seconds."""
UNKNOWN_PHONE = len(INDEX)

Pair = tuple[int, int]
"""Numbers of the phones before and after a key."""


@dataclasses.dataclass(frozen=True)
class KeyFrames:
    """Key frames with the phones around them."""

    frames: tuple[int, ...]
    """Rising, each once; the first and the last frame are always among them."""
    phones: tuple[Pair, ...]


def key_frames(
    spans: Sequence[PhoneSpan],
    frames: int,
    fps: float,
    anchor: str = "boundary",
    *,
    gaps: bool = True,
    closures: bool = False,
) -> KeyFrames:
    """Key frames of a recording.

    Args:
        frames: frames of the animation; frame t lies at t / fps seconds.
        anchor: boundary (starts and ends of phones), midpoint, both, uniform:RATIO, file (starts
            alone).
        gaps: further keys in long silences, so that the completion never spans much.
        closures: a further key in the middle of every p, b and m.

    Without any phone, or with an anchor that is uniform, keys lie at even distances.
    """
    ratio = check_anchor(anchor)
    spoken = [span for span in spans if span.symbol != SILENCE]
    if ratio is not None or not spoken:
        pairs: dict[int, Pair | None] = dict.fromkeys(_uniform(frames, ratio or UNIFORM_RATIO))
    else:
        pairs = dict(_marks(spans, fps, anchor, gaps, closures))
    pairs = {frame: pair for frame, pair in pairs.items() if 0 <= frame < frames} | {
        f: p for f, p in _clipped(pairs, frames).items() if f not in pairs
    }
    # Interpolation needs a key at both ends.
    for edge in (0, frames - 1):
        pairs.setdefault(edge, None)
    order = tuple(sorted(pairs))
    return KeyFrames(
        order, tuple(pairs[frame] or around(spans, frame / fps, 0.5 / fps) for frame in order)
    )


def _clipped(pairs: dict[int, Pair | None], frames: int) -> dict[int, Pair | None]:
    return {
        min(max(frame, 0), frames - 1): pair
        for frame, pair in pairs.items()
        if not 0 <= frame < frames
    }


def _uniform(frames: int, ratio: float) -> list[int]:
    count = max(2, round(frames * ratio)) if frames > 1 else 1
    return [round(i * (frames - 1) / max(1, count - 1)) for i in range(count)]


def _marks(
    spans: Sequence[PhoneSpan], fps: float, anchor: str, gaps: bool, closures: bool
) -> Iterable[tuple[int, Pair]]:
    """Frames with the phones around them; later ones win: silence, then borders and middles, then
    closures.
    """
    if gaps:
        for span in _silences(spans):
            # One key every GAP_S inside the silence; its borders are keys already.
            count = int((span.end - span.start) / GAP_S - 1e-9)
            yield from (
                (round((span.start + (n + 1) * GAP_S) * fps), _pair(span, span))
                for n in range(count)
            )
    if anchor in ("boundary", "both", "file"):
        for index, span in enumerate(spans):
            if span.symbol == SILENCE:
                continue
            before = (
                spans[index - 1] if index and spans[index - 1].end > span.start - 0.02 else None
            )
            after = (
                spans[index + 1]
                if index + 1 < len(spans) and spans[index + 1].start < span.end + 0.02
                else None
            )
            yield round(span.start * fps), _pair(before, span)
            # The end is a key of its own only where no next phone begins at the same frame.
            if anchor != "file" and (
                after is None
                or after.symbol == SILENCE
                or round(after.start * fps) != round(span.end * fps)
            ):
                yield round(span.end * fps), _pair(span, after)
    for span in spans:
        closed = span.symbol in PHONES and PHONES[span.symbol].is_closure
        if span.symbol != SILENCE and (anchor in ("midpoint", "both") or (closures and closed)):
            yield round((span.start + span.end) / 2 * fps), _pair(span, span)


def _silences(spans: Sequence[PhoneSpan]) -> Iterable[PhoneSpan]:
    """Stretches of silence, neighbours joined."""
    start: float | None = None
    end = 0.0
    for span in spans:
        if span.symbol == SILENCE:
            start, end = (span.start if start is None else start), span.end
        elif start is not None:
            yield PhoneSpan(start, end, SILENCE)
            start = None
    if start is not None:
        yield PhoneSpan(start, end, SILENCE)


def _pair(before: PhoneSpan | None, after: PhoneSpan | None) -> Pair:
    return _number(before), _number(after)


def _number(span: PhoneSpan | None) -> int:
    return INDEX[SILENCE] if span is None else INDEX.get(span.symbol, UNKNOWN_PHONE)


def around(spans: Sequence[PhoneSpan], time: float, half: float) -> Pair:
    """Phones shortly before and after a time; without a name where nothing is known."""

    def at(moment: float) -> int:
        return next(
            (_number(span) for span in spans if span.start <= moment < span.end), UNKNOWN_PHONE
        )

    return at(time - half), at(time + half)


def spoken_frames(spans: Iterable[PhoneSpan], frames: int, fps: float) -> list[int]:
    """Number of the phone at each frame; without a name where nothing is known."""
    phones = [UNKNOWN_PHONE] * frames
    for span in spans:
        first, last = max(0, math.ceil(span.start * fps)), min(frames, math.ceil(span.end * fps))
        if last <= first:  # between two frames: the nearer one shows it
            first = min(max(round((span.start + span.end) / 2 * fps), 0), frames - 1)
            last = first + 1
        phones[first:last] = [_number(span)] * (last - first)
    return phones


def closures(spans: Iterable[PhoneSpan]) -> tuple[tuple[float, float], ...]:
    """Start and end of every p, b and m, seconds."""
    return tuple(
        (span.start, span.end)
        for span in spans
        if span.symbol in PHONES and PHONES[span.symbol].is_closure
    )
