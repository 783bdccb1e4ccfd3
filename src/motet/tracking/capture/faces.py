"""Face landmarks of a person's footage: one face, the same one throughout.

Watching is the slow part (about 25 ms a picture), so it is kept in pieces on disk: a fit that was
killed goes on from the last piece.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from motet.array_files import read_arrays
from motet.atomic_write import appearing
from motet.errors import AssetError, InputError, require
from motet.methods.speech2lip.person.folder import Skip
from motet.tracking.capture.shots import FPS, Shot
from motet.tracking.capture.usable import CUT_CHANGE, face_height, mouth_thumb, usable

POINTS = 478
PIECE = 500
"""Pictures in one piece on disk: 20 s of footage, some 15 s of work."""
SMALLEST_FACE_PX = 60.0
_COUNT_EVERY, _MOST_FACES = 12, 4
"""Pictures between two counts of the faces, and how many are told apart."""
_REMEMBERED = 50
"""Pictures after which a face that was lost may come back elsewhere."""
_UPPER_LIP, _LOWER_LIP, _TOP, _CHIN = 13, 14, 10, 152
_THUMB = 48


@dataclasses.dataclass(frozen=True)
class Faces:
    """The face in all pictures of a person's footage."""

    points: Float[ndarray, "frames 478 2"]
    """Column and row in pixels of the whole picture, whole numbers at the centres of pixels;
    bridged where no face was found."""
    relief: Float[ndarray, "frames 478"]
    """The landmarker's estimate of depth, in pixels, towards the camera negative; rough."""
    rotation: Float[ndarray, "frames 3 3"]
    """The landmarker's estimate of the head's rotation (camera looking along -z, y up); rough."""
    blink: Float[ndarray, " frames"]
    """Closure of the lids, 0..1, mean of both."""
    found: Bool[ndarray, " frames"]
    """False also in the spans that are skipped."""
    cuts: tuple[int, ...]
    """First frames of the shots after the first."""
    skipped: tuple[Skip, ...] = ()
    """Spans that cannot be used, and why."""

    @property
    def height_px(self) -> float:
        """Median height of the face, forehead to chin."""
        return float(
            np.median(np.linalg.norm(self.points[:, _TOP] - self.points[:, _CHIN], axis=1))
        )

    @property
    def opening(self) -> Float[ndarray, " frames"]:
        """Distance of the inner lips over the height of the face."""
        gap = np.linalg.norm(self.points[:, _UPPER_LIP] - self.points[:, _LOWER_LIP], axis=1)
        return gap / np.linalg.norm(self.points[:, _TOP] - self.points[:, _CHIN], axis=1)


def watch(
    shots: Sequence[Shot], model: Path, pieces: Path, progress: Callable[[int], None] | None = None
) -> Faces:
    """Find the face in every picture, and which spans cannot be used.

    Args:
        pieces: folder in which pieces are kept until everything is seen; work found there is not
            done again.
        progress: called with the number of pictures tracked so far.

    Raises:
        InputError: no face in any picture, or one too small.
        MissingDependency: mediapipe is not installed.
        AssetError: the landmarker's model cannot be used.
    """
    pieces.mkdir(parents=True, exist_ok=True)
    rows = [
        _watched(shot, number, model, pieces, progress or (lambda done: None), before)
        for number, shot, before in _numbered(shots)
    ]
    _check_faces(shots, rows)
    skipped, cuts = usable(rows)
    for skip in skipped:
        # Frames of a skipped span count as not found, in every file that it touches.
        for first, row in _starts(rows):
            row["found"][max(0, skip.first - first) : max(0, skip.stop - first)] = False
    joined = {
        name: np.concatenate([row[name] for row in rows])
        for name in ("points", "relief", "rotation", "blink", "found")
    }
    return Faces(
        **{
            name: _bridged(values, rows) if name != "found" else values
            for name, values in joined.items()
        },
        cuts=cuts,
        skipped=skipped,
    )


def _starts(rows: Sequence[dict[str, ndarray]]) -> Iterator[tuple[int, dict[str, ndarray]]]:
    """First frame of each file, and what was seen in it."""
    first = 0
    for row in rows:
        yield first, row
        first += len(row["found"])


def _check_faces(shots: Sequence[Shot], rows: Sequence[dict[str, ndarray]]) -> None:
    """Refuse footage that shows no face at all, or too small a one.

    Raises:
        InputError: says so.
    """
    heights = np.concatenate([face_height(row["points"])[row["found"]] for row in rows])
    names = str(shots[0].path) if len(shots) == 1 else f"the {len(shots)} videos"
    if not len(heights):
        raise InputError(
            f"no face was found in any of the {sum(len(row['found']) for row in rows)} pictures of"
            f" {names}; film one frontal face at least {SMALLEST_FACE_PX:.0f} pixels high"
        )
    if np.median(heights) < SMALLEST_FACE_PX:
        raise InputError(
            f"the face in {names} is {np.median(heights):.0f} pixels high; at least"
            f" {SMALLEST_FACE_PX:.0f} are needed, better 200: film closer or in higher resolution"
        )


def _numbered(shots: Sequence[Shot]) -> Iterator[tuple[int, Shot, int]]:
    before = 0
    for number, shot in enumerate(shots):
        yield number, shot, before
        before += shot.frames


def _bridged(values: ndarray, rows: Sequence[dict[str, ndarray]]) -> ndarray:
    """Linear in time over pictures without a face; every shot by itself."""
    result, start = values.astype(np.float64), 0
    for row in rows:
        stop = start + len(row["found"])
        known = np.flatnonzero(row["found"])
        missing = np.flatnonzero(~row["found"])
        if len(missing) and not len(known):  # a whole file that is skipped
            any_found = np.concatenate([other["found"] for other in rows])
            # any pose at all: these frames are never used
            result[start:stop] = values[np.flatnonzero(any_found)[0]]
        elif len(missing):
            flat = result[start:stop].reshape(stop - start, -1)
            for column in range(flat.shape[1]):
                flat[missing, column] = np.interp(missing, known, flat[known, column])
        start = stop
    return result


def _watched(
    shot: Shot, number: int, model: Path, pieces: Path, progress: Callable[[int], None], before: int
) -> dict[str, ndarray]:
    """One shot, from the pieces that are there and the rest of its pictures."""
    done: list[dict[str, ndarray]] = []
    while (path := pieces / f"{number:03d}-{len(done):03d}-{shot.digest}.npz").exists():
        if "mouth" not in (piece := _read_piece(path)):
            # The name holds the file's digest: pieces of another video are not taken.
            break  # from a version that did not keep it
        done.append(piece)
    seen = sum(len(piece["found"]) for piece in done)
    progress(before + seen)
    if seen < shot.frames:
        with _Watcher(model) as watcher:
            rows: list[dict[str, Any]] = []
            for index, picture in enumerate(shot.pictures()):
                if index < seen:
                    continue
                rows.append(watcher.look(picture, index))
                progress(before + index + 1)
                if len(rows) == PIECE or index == shot.frames - 1:
                    done.append({name: np.stack([row[name] for row in rows]) for name in rows[0]})
                    with appearing(
                        pieces / f"{number:03d}-{len(done) - 1:03d}-{shot.digest}.npz"
                    ) as beside:
                        np.savez(beside, **done[-1])
                    rows = []
    return {name: np.concatenate([piece[name] for piece in done]) for name in done[0]}


def _read_piece(path: Path) -> dict[str, ndarray]:
    try:
        return read_arrays(path)
    except AssetError as error:
        raise AssetError(f"{path} is damaged; remove it and run the fit again") from error


class _Watcher:
    """MediaPipe's landmarker over one shot. Where it counts several faces, all but the person's
    are painted over before the tracker sees the picture.
    """

    def __init__(self, model: Path) -> None:
        self._mediapipe = require("mediapipe", "track")
        self._vision = require("mediapipe.tasks.python.vision", "track")
        base = require("mediapipe.tasks.python", "track").BaseOptions
        content = model.read_bytes()
        modes = self._vision.RunningMode
        try:
            self._tracker = self._landmarker(base(model_asset_buffer=content), modes.VIDEO, 1)
            self._counter = self._landmarker(
                base(model_asset_buffer=content), modes.IMAGE, _MOST_FACES
            )
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"{model} is no face landmarker model ({str(error).strip().splitlines()[0][:100]});"
                " fetch it again"
            ) from error
        self._before: ndarray | None = None
        self._own: ndarray | None = None  # the person's face where it was seen last: a box
        self._lost = 0
        self._others: list[ndarray] = []

    def _landmarker(self, base: Any, mode: Any, faces: int) -> Any:
        options = self._vision.FaceLandmarkerOptions(
            base_options=base,
            running_mode=mode,
            num_faces=faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        return self._vision.FaceLandmarker.create_from_options(options)

    def __enter__(self) -> _Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.close()
        self._counter.close()

    def look(self, picture: ndarray, index: int) -> dict[str, Any]:
        """Everything about one picture."""
        thumb = _thumbnail(picture)
        change = 0.0 if self._before is None else float(np.abs(thumb - self._before).mean())
        self._before = thumb
        # Counting is slow: now and then, and after a cut.
        if self._own is None or index % _COUNT_EVERY == 0 or change > CUT_CHANGE:
            self._count(picture, anew=change > CUT_CHANGE)
        image = self._image(painted_over(picture, self._others, self._own))
        # milliseconds, which must rise
        result = self._tracker.detect_for_video(image, index * 1000 // FPS)
        height, width = picture.shape[:2]
        is_found = bool(result.face_landmarks)
        row: dict[str, Any] = {"change": np.float32(change), "found": np.bool_(is_found)}
        row |= _face(result, width, height) if is_found else _no_face()
        self._own = box_of(row["points"]) if is_found else self._own
        self._lost = 0 if is_found else self._lost + 1
        return row | {"mouth": mouth_thumb(picture, row["points"])}

    def _count(self, picture: ndarray, anew: bool) -> None:
        """Find the person among all faces: nearest to where they were, or the largest."""
        marks = self._counter.detect(self._image(picture)).face_landmarks
        size = np.array(picture.shape[1::-1], np.float32)
        boxes = [box_of(np.array([(p.x, p.y) for p in face], np.float32) * size) for face in marks]
        # After a cut or a long absence the largest face is the person's.
        before = None if anew or self._lost > _REMEMBERED else self._own
        chosen = own_face(boxes, before)
        self._others = [box for k, box in enumerate(boxes) if k != chosen]
        self._own = before if chosen is None else boxes[chosen]

    def _image(self, picture: ndarray) -> Any:
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=picture)


def box_of(points: Float[ndarray, "points 2"]) -> Float[ndarray, "4"]:
    """Left, top, right and bottom of landmarks."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def own_face(boxes: Sequence[ndarray], before: ndarray | None) -> int | None:
    """Which face is the person's: the nearest to the one before, no farther than its height; the
    largest where nothing came before.
    """
    if not boxes:
        return None
    if before is None:
        return int(np.argmax([box[3] - box[1] for box in boxes]))
    far = [float(np.abs(box - before).max()) / float(before[3] - before[1]) for box in boxes]
    # farther than a face's height is somebody else
    return int(np.argmin(far)) if min(far) < 1 else None


def painted_over(
    picture: UInt8[ndarray, "height width 3"], others: Sequence[ndarray], own: ndarray | None
) -> UInt8[ndarray, "height width 3"]:
    """A picture without the other faces; what is near the person's own face stays."""
    if not others:
        return picture
    result = picture.copy()
    for box in others:
        left, top, right, bottom = _grown(box, 0.25, picture.shape)
        # mid grey, in which no face is found
        result[top:bottom, left:right] = 128
    if own is not None:
        left, top, right, bottom = _grown(own, 0.15, picture.shape)
        result[top:bottom, left:right] = picture[top:bottom, left:right]
    return result


def _grown(box: ndarray, share: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A box wider and higher by a share of its height on every side, inside the picture."""
    more = share * (box[3] - box[1])
    left, top = np.maximum(box[:2] - more, 0).astype(int)
    right, bottom = np.minimum(box[2:] + more, shape[1::-1]).astype(int)
    return int(left), int(top), max(int(left), int(right)), max(int(top), int(bottom))


def _face(result: Any, width: int, height: int) -> dict[str, Any]:
    marks = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float32)
    scores = {c.category_name: c.score for c in result.face_blendshapes[0]}
    return {
        # The landmarker counts from the picture's edge; pixels are counted from their centres here.
        "points": marks[:, :2] * np.array([width, height], np.float32) - np.float32(0.5),
        # relief in units of the picture's width
        "relief": marks[:, 2] * np.float32(width),
        "rotation": np.asarray(result.facial_transformation_matrixes[0], np.float32)[:3, :3],
        "blink": np.float32((scores["eyeBlinkLeft"] + scores["eyeBlinkRight"]) / 2),
    }


def _no_face() -> dict[str, Any]:
    return {
        "points": np.zeros((POINTS, 2), np.float32),
        "relief": np.zeros(POINTS, np.float32),
        "rotation": np.eye(3, dtype=np.float32),
        "blink": np.float32(0),
    }


def _thumbnail(picture: ndarray) -> ndarray:
    """A small grey picture, 0..1, for finding cuts."""
    rows = np.linspace(0, picture.shape[0] - 1, _THUMB).astype(int)
    columns = np.linspace(0, picture.shape[1] - 1, _THUMB).astype(int)
    return picture[rows][:, columns].astype(np.float32).mean(axis=2) / 255
