"""Remarks on a take with the stretch of time that each is about, and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch

from motet.evaluation.take_quality import LIMITS, remarks, silences
from motet.metrics.lip_geometry import LipGeometry
from motet.types import Clip

Stretch = tuple[float, float]
"""Start and end, seconds."""

_REMEDIES = {
    "length_error": "generate the take again from this sound",
    "sync_offset": "shift the mouth by the opposite amount",
    "closure_recall": "close the lips at the marked sounds, or give the transcript",
    "stillness": "scale the mouth down in this region",
    "out_of_range": "scale the region down, or lower the intensity",
}
"""What to do about a score outside its limits."""
_OTHER = "generate the take again with another seed, or edit this region"


@dataclasses.dataclass(frozen=True)
class Remark:
    """Something that a viewer will notice."""

    t0: float
    """Start, seconds."""
    t1: float
    what: str
    remedy: str


def located_remarks(
    clip: Clip, lip_geometry: LipGeometry, scores: dict[str, float]
) -> list[Remark]:
    """The remarks of `motet check` with their place: where a score is worst, or the whole take."""
    assert clip.motion is not None
    located = []
    for line in remarks(scores):
        name = line.partition(" ")[0]
        locate = _PLACES.get(name)
        moments = locate(clip, lip_geometry) if locate is not None else []
        for t0, t1 in moments or [(0.0, clip.motion.seconds)]:
            located.append(Remark(round(t0, 3), round(t1, 3), line, _REMEDIES.get(name, _OTHER)))
    return located


def _moving_silences(clip: Clip, lip_geometry: LipGeometry) -> list[Stretch]:
    """The silence in which the lips move fastest, mm a second on average."""
    assert clip.motion is not None and clip.audio is not None
    fps, opening = clip.motion.space.fps, lip_geometry.measure(clip.motion).opening
    # metres a frame to millimetres a second
    speed = 1000 * torch.diff(opening).abs() * fps
    quiet = silences(clip.audio, clip.motion.frames, fps)
    means = {
        (t0, t1): float(speed[int(t0 * fps) : max(int(t0 * fps) + 1, int(t1 * fps))].mean())
        for t0, t1 in quiet
    }
    return sorted(means, key=lambda stretch: -means[stretch])[:1]


def _outside_range(clip: Clip, lip_geometry: LipGeometry) -> list[Stretch]:
    """Stretches in which a weight lies outside 0..1, at most five."""
    assert clip.motion is not None
    weights, fps = clip.motion["blendshapes"], clip.motion.space.fps
    # 1e-4: float16 on disk rounds a weight of 1
    outside = ((weights < -1e-4) | (weights > 1 + 1e-4)).any(-1)
    return [(first / fps, stop / fps) for first, stop in _runs(outside.tolist())][:5]


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """First and following index of every run of true."""
    edges = torch.diff(torch.tensor([0, *map(int, flags), 0])).nonzero().flatten().tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


_PLACES: dict[str, Callable[[Clip, LipGeometry], list[Stretch]]] = {
    "stillness": _moving_silences,
    "out_of_range": _outside_range,
}
assert set(_REMEDIES) <= set(LIMITS)
