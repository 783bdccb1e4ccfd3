"""Which spans of a person's footage can be used: cuts, looking away, hands before the mouth and
other pictures in between are skipped, and it is told where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from scipy.ndimage import maximum_filter

from motet.methods.speech2lip.person.folder import Skip
from motet.tracking.capture.shots import FPS

LONGEST_GAP_S = 0.4
"""The longest time without a face that is bridged."""
MOST_TURNED_DEG = 35.0
"""The landmarker's rotation is rough, so a little more than the 30 degrees that can be drawn."""
CUT_CHANGE = 0.07
"""Mean change of a small picture (0..1) that may be a cut."""
_CUT_RATIO, _CUT_JUMP = 6.0, 0.25
_NEIGHBOURS, _CHANGE_RATIO, _STEP_RATIO = 8, 4.0, 2.5
_LEAST_CHANGE, _LEAST_STEP = 0.02, 0.01
"""A cut without a change of framing (a pause cut out): picture and rigid landmarks change so many
times more than in any of the neighbouring frames, and at least so much (0..1; heights of the
face). At 21 joints of one man's clips the ratios are 7.1 and 3.7 at least, in 1,600 other frames
2.3 and 2.2 at most, and in 1,300 frames of a nodding figure without a cut 2.3 and 1.7."""
_RIGID = (2, 4, 6, 33, 133, 168, 195, 197, 263, 362)
"""Landmarks of the nose and the corners of the eyes, which speech does not move."""
_LARGER, _APART = 1.35, 0.6
"""Faces of another framing: larger by this factor, or apart by so many heights of the face."""
_MARGIN, _BRIEF, _SHORTEST = 3, 3, 12
"""Frames left out around what is skipped; that a turn or a hand lasts at least; of a usable
span."""
_MOUTH_PX, _LIKENESS = 12, 0.45
"""Side of the picture of the mouth that is kept for every frame, and the correlation with the
usual mouths below which something covers it."""
_NOSE, _TOP, _CHIN, _CORNERS, _LIPS = 2, 10, 152, (61, 291), (13, 14)
Row = dict[str, ndarray]
"""What was seen in one file, by name: a value for each frame."""


def usable(rows: Sequence[Row]) -> tuple[tuple[Skip, ...], tuple[int, ...]]:
    """Spans to skip, and first frames of all shots but the first, over all files."""
    reasons = [_reasons(row) for row in rows]
    _skip_covered(rows, reasons)
    _skip_other_framings(rows, reasons)
    skipped: list[Skip] = []
    cuts: set[int] = set()
    first = 0
    for row, reason in zip(rows, reasons, strict=True):
        _skip_short(reason, cuts_of(row))
        spans = [Skip(first + a, first + b, str(reason[a])) for a, b in _runs_of(reason)]
        skipped += [span for span in spans if span.reason]
        cuts |= {first, *(first + cut for cut in cuts_of(row)), *(span.first for span in spans)}
        first += len(reason)
    return tuple(skipped), tuple(sorted(cuts - {0}))


def cuts_of(row: Row) -> list[int]:
    """First pictures after a cut: to another framing, or in the same one."""
    if len(row["change"]) < 3:
        return []
    return sorted({*_scene_cuts(row), *_jump_cuts(row)})


def _scene_cuts(row: Row) -> list[int]:
    """Pictures that differ much, with a jump of the face or of everything."""
    change = row["change"]
    # the usual change of this camera and light
    usual = max(float(np.median(change[1:])), 1e-3)
    sudden = 1 + np.flatnonzero((change[1:] > CUT_CHANGE) & (change[1:] > _CUT_RATIO * usual))
    if len(sudden) > 0.1 * len(change):  # flashing light or a shaking camera, not cuts
        return []
    cuts = []
    for frame in sudden:
        before, after = row["points"][frame - 1], row["points"][frame]
        # jump of the face's middle, in face heights
        jump = float(np.abs(after.mean(axis=0) - before.mean(axis=0)).max()) / max(
            float(np.ptp(before[:, 1])), 1.0
        )
        if jump > _CUT_JUMP or change[frame] > 2 * CUT_CHANGE:
            cuts.append(int(frame))
    return cuts


def _jump_cuts(row: Row) -> list[int]:
    """Cuts in one framing: for one picture both the picture and the skull move far more than in
    the pictures around it. A light that is switched moves no skull; a head that is thrown
    round takes several pictures.
    """
    change, found = row["change"].astype(np.float64), row["found"]
    rigid = row["points"][:, list(_RIGID)].astype(np.float64)
    # (frames - 1,): median way of the rigid landmarks, in heights of the face
    way = np.median(np.linalg.norm(np.diff(rigid, axis=0), axis=-1), axis=1)
    step = way / face_height(row["points"])[1:].clip(1.0)
    step[~(found[1:] & found[:-1])] = 0.0
    is_cut = (change[1:] > _LEAST_CHANGE) & (step > _LEAST_STEP)
    is_cut &= change[1:] > _CHANGE_RATIO * _largest_around(change[1:])
    is_cut &= step > _STEP_RATIO * _largest_around(step)
    return (1 + np.flatnonzero(is_cut)).tolist()


def _largest_around(values: Float[ndarray, " steps"]) -> Float[ndarray, " steps"]:
    """The largest of the neighbours of each value, itself left out."""
    around = np.ones(2 * _NEIGHBOURS + 1, bool)
    around[_NEIGHBOURS] = False
    return maximum_filter(values, footprint=around, mode="constant")


def face_height(points: Float[ndarray, "frames points 2"]) -> Float[ndarray, " frames"]:
    """Forehead to chin in pixels."""
    return np.linalg.norm(points[:, _TOP] - points[:, _CHIN], axis=1)


def mouth_thumb(
    picture: UInt8[ndarray, "height width 3"], points: Float[ndarray, "points 2"]
) -> UInt8[ndarray, "side side 3"]:
    """The mouth, small, upright with the face: nose to chin, a little wider than the corners."""
    base, chin = points[_NOSE], points[_CHIN]
    down = chin - base
    across = points[_CORNERS[1]] - points[_CORNERS[0]]
    share = (np.arange(_MOUTH_PX) + 0.5) / _MOUTH_PX
    # a grid in the face's own axes: (side, side, 2)
    grid = base + share[:, None, None] * down + 1.3 * (share[None, :, None] - 0.5) * across
    column = np.clip(grid[..., 0].round().astype(int), 0, picture.shape[1] - 1)
    row = np.clip(grid[..., 1].round().astype(int), 0, picture.shape[0] - 1)
    return picture[row, column]


def _reasons(row: Row) -> ndarray:
    """Why each frame cannot be used; empty where it can."""
    found, reason = row["found"], np.full(len(row["found"]), "", dtype="U32")
    for start, stop in _runs_of(found):
        if not found[start] and stop - start > LONGEST_GAP_S * FPS:
            reason[start:stop] = "no face"
    # cosine of the angle between the face's normal and the camera's axis
    turned = np.degrees(np.arccos(np.clip(row["rotation"][:, 2, 2], -1, 1))) * found
    _mark(reason, turned > MOST_TURNED_DEG, "face turned away")
    return reason


def _skip_covered(rows: Sequence[Row], reasons: Sequence[ndarray]) -> None:
    """Mark frames whose mouth looks like no usual one: the median of all, and those over quarters
    of the opening that are like it (something that lasts may fill a quarter).
    """
    good = [row["found"] & (reason == "") for row, reason in zip(rows, reasons, strict=True)]
    pictures = [_plain(row["mouth"]) for row in rows]
    gaps = [_gap(row["points"])[use] for row, use in zip(rows, good, strict=True)]
    opening = np.concatenate(gaps)
    seen = np.concatenate([p[use] for p, use in zip(pictures, good, strict=True)])
    if len(seen) < 4:
        # fewer frames have no usual mouth
        return
    order = np.argsort(opening)
    # all frames, and quarters by opening
    parts = [order, *np.array_split(order, 4)]
    usual = np.stack([np.median(seen[part], axis=0) for part in parts])
    usual /= np.linalg.norm(usual, axis=1, keepdims=True).clip(1e-6)
    # a quarter that is unlike all the others is covered throughout
    usual = usual[usual @ usual[0] >= _LIKENESS]
    for row, picture, reason in zip(rows, pictures, reasons, strict=True):
        # largest correlation with any usual mouth: (frames,)
        alike = (picture @ usual.T).max(axis=1)
        _mark(reason, (alike < _LIKENESS) & row["found"], "mouth covered")


def _plain(mouths: UInt8[ndarray, "frames side side 3"]) -> Float[ndarray, "frames numbers"]:
    """Pictures without their mean colour, of length one: light does not matter."""
    values = mouths.astype(np.float64)
    values = (values - values.mean(axis=(1, 2), keepdims=True)).reshape(len(values), -1)
    return values / np.linalg.norm(values, axis=1, keepdims=True).clip(1e-6)


def _gap(points: Float[ndarray, "frames points 2"]) -> Float[ndarray, " frames"]:
    gap = np.linalg.norm(points[:, _LIPS[0]] - points[:, _LIPS[1]], axis=1)
    return gap / face_height(points).clip(1e-6)


def _skip_other_framings(rows: Sequence[Row], reasons: Sequence[ndarray]) -> None:
    """Mark shots whose face is larger, smaller or elsewhere than in most of the footage: one crop
    holds the person.
    """
    shots: list[tuple[ndarray, ndarray]] = []  # (reasons of the shot, its face: x, y, height)
    for row, reason in zip(rows, reasons, strict=True):
        borders = [0, *cuts_of(row), len(reason)]
        for start, stop in zip(borders, borders[1:], strict=False):
            use = row["found"][start:stop] & (reason[start:stop] == "")
            if use.any():
                points = row["points"][start:stop][use]
                middle = np.median(points.mean(axis=1), axis=0)
                face = np.array([*middle, np.median(face_height(points))])
                shots.append((reason[start:stop], face))
    if not shots:
        return
    faces = np.stack([face for _, face in shots])
    # another size: the logarithm makes larger and smaller alike
    larger = np.abs(np.log(faces[:, None, 2] / faces[None, :, 2])) > np.log(_LARGER)
    apart = np.linalg.norm(faces[:, None, :2] - faces[None, :, :2], axis=-1)
    alike = ~larger & (apart < _APART * faces[None, :, 2])
    frames = np.array([(reason == "").sum() for reason, _ in shots])
    # the framing that is like most of the frames
    chosen = alike[int((alike @ frames).argmax())]
    for (reason, _), same in zip(shots, chosen, strict=True):
        if not same:
            reason[reason == ""] = "another framing"


def _skip_short(reason: ndarray, cuts: Sequence[int]) -> None:
    """Mark what is left between two skipped spans or cuts and too short to speak with."""
    used = reason == ""
    borders = sorted({0, len(reason), *cuts, *(a for a, _ in _runs_of(used))})
    for start, stop in zip(borders, borders[1:], strict=False):
        if used[start] and stop - start < _SHORTEST and stop - start < len(reason):
            reason[start:stop] = "too short"


def _mark(reason: ndarray, bad: Bool[ndarray, " frames"], words: str) -> None:
    """Mark runs of bad frames that are no single errors, with a margin."""
    for start, stop in _runs_of(bad):
        # fewer frames are single errors of the tracker
        if bad[start] and stop - start >= _BRIEF:
            span = reason[max(0, start - _MARGIN) : stop + _MARGIN]
            span[span == ""] = words


def _runs_of(values: ndarray) -> Iterator[tuple[int, int]]:
    """Starts and stops of runs of equal values."""
    borders = [0, *(1 + np.flatnonzero(values[1:] != values[:-1])).tolist(), len(values)]
    yield from zip(borders, borders[1:], strict=False)
