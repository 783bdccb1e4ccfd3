"""Face landmarks of a person's footage, and what makes footage unusable.

Watching is the slow part (about 25 ms a picture), so it is kept in pieces on disk: a fit that was
killed goes on from the last piece.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from motet.array_files import read_arrays
from motet.atomic_write import appearing
from motet.errors import AssetError, InputError, require
from motet.tracking.capture.shots import FPS, Shot, clock

POINTS = 478
PIECE = 500
"""Pictures in one piece on disk: 20 s of footage, some 15 s of work."""
LONGEST_GAP_S = 0.4
"""The longest time without a face that is bridged; looking away or a hand before the face for
longer is an error."""
MOST_TURNED_DEG = 50.0
SMALLEST_FACE_PX = 60.0
_SECOND_FACE_EVERY = 12
_CUT_CHANGE, _CUT_RATIO, _CUT_JUMP = 0.07, 6.0, 0.25
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
    cuts: tuple[int, ...]
    """First frames of the shots after the first."""

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
    """Find the face in every picture, then judge the footage.

    Args:
        pieces: folder in which pieces are kept until everything is seen; work found there is not
            done again.
        progress: called with the number of pictures tracked so far.

    Raises:
        InputError: no face, two faces, a face turned away or too small, a cut inside a file: says
            where.
        MissingDependency: mediapipe is not installed.
        AssetError: the landmarker's model cannot be used.
    """
    pieces.mkdir(parents=True, exist_ok=True)
    rows = [
        _watched(shot, number, model, pieces, progress or (lambda done: None), before)
        for number, shot, before in _numbered(shots)
    ]
    for shot, row in zip(shots, rows, strict=True):
        _judge(shot, row)
    joined = {
        name: np.concatenate([row[name] for row in rows])
        for name in ("points", "relief", "rotation", "blink", "found")
    }
    borders = np.cumsum([shot.frames for shot in shots])[:-1]
    return Faces(
        **{
            name: _bridged(values, rows) if name != "found" else values
            for name, values in joined.items()
        },
        cuts=tuple(map(int, borders)),
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
        if len(missing):
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
        done.append(_read_piece(path))
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
    """MediaPipe's landmarker over one shot, with occasional checks for a second face."""

    def __init__(self, model: Path) -> None:
        self._mediapipe = require("mediapipe", "track")
        self._vision = require("mediapipe.tasks.python.vision", "track")
        base = require("mediapipe.tasks.python", "track").BaseOptions
        content = model.read_bytes()
        modes = self._vision.RunningMode
        try:
            self._tracker = self._landmarker(base(model_asset_buffer=content), modes.VIDEO, 1)
            self._counter = self._landmarker(base(model_asset_buffer=content), modes.IMAGE, 2)
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"{model} is no face landmarker model ({str(error).strip().splitlines()[0][:100]});"
                " fetch it again"
            ) from error
        self._before: ndarray | None = None

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
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=picture)
        result = self._tracker.detect_for_video(image, index * 1000 // FPS)
        height, width = picture.shape[:2]
        faces = len(result.face_landmarks)
        if index % _SECOND_FACE_EVERY == 0:
            faces = max(faces, len(self._counter.detect(image).face_landmarks))
        thumb = _thumbnail(picture)
        change = 0.0 if self._before is None else float(np.abs(thumb - self._before).mean())
        self._before = thumb
        row = {
            "change": np.float32(change),
            "faces": np.int16(faces),
            "found": np.bool_(bool(result.face_landmarks)),
        }
        return row | (_face(result, width, height) if row["found"] else _no_face())


def _face(result: Any, width: int, height: int) -> dict[str, Any]:
    marks = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float32)
    scores = {c.category_name: c.score for c in result.face_blendshapes[0]}
    return {
        # The landmarker counts from the picture's edge; pixels are counted from their centres here.
        "points": marks[:, :2] * np.array([width, height], np.float32) - np.float32(0.5),
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


def _judge(shot: Shot, row: dict[str, ndarray]) -> None:
    """Say what makes this shot unusable, and where.

    Raises:
        InputError: in the order in which people can do something about it.
    """
    result, faces = row["found"], row["faces"]
    if not result.any():
        raise InputError(
            f"no face was found in any of the {shot.frames} pictures of {shot.path}; film one"
            f" frontal face at least {SMALLEST_FACE_PX:.0f} pixels high"
        )
    several = np.flatnonzero(faces > 1)
    if len(several) > 1 or (len(several) and len(faces) < 4 * _SECOND_FACE_EVERY):
        raise InputError(
            f"{shot.path} shows two faces at {clock(several[0] / FPS)}; only one person may be in"
            " the picture, crop or cut the others away"
        )
    _judge_gaps(shot, result)
    _judge_cuts(shot, row)
    height = float(
        np.median(
            np.linalg.norm(row["points"][result][:, _TOP] - row["points"][result][:, _CHIN], axis=1)
        )
    )
    if height < SMALLEST_FACE_PX:
        raise InputError(
            f"the face in {shot.path} is {height:.0f} pixels high; at least {SMALLEST_FACE_PX:.0f}"
            " are needed, better 200: film closer or in higher resolution"
        )
    turned = np.degrees(np.arccos(np.clip(row["rotation"][:, 2, 2], -1, 1))) * result
    if (turned > MOST_TURNED_DEG).sum() > LONGEST_GAP_S * FPS:
        first = int(np.argmax(turned > MOST_TURNED_DEG))
        raise InputError(
            f"the face in {shot.path} is turned away by {turned.max():.0f} degrees from"
            f" {clock(first / FPS)} on; up to {MOST_TURNED_DEG:.0f} can be used, cut such parts out"
            " and give the rest as separate files"
        )


def _judge_gaps(shot: Shot, found: ndarray) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~found).astype(int), [0]])))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start > LONGEST_GAP_S * FPS:
            raise InputError(
                f"no face is seen in {shot.path} from {clock(start / FPS)} to {clock(stop / FPS)}; "
                "cut this part out and give what lies before and after as separate files"
            )


def _judge_cuts(shot: Shot, row: dict[str, ndarray]) -> None:
    """Refuse cuts: a picture that differs too much, with a jump of the face or of everything."""
    change = row["change"]
    if len(change) < 3:
        return
    usual = max(float(np.median(change[1:])), 1e-3)
    sudden = 1 + np.flatnonzero((change[1:] > _CUT_CHANGE) & (change[1:] > _CUT_RATIO * usual))
    if len(sudden) > 0.1 * len(change):  # flashing light or a shaking camera, not cuts
        return
    for frame in sudden:
        before, after = row["points"][frame - 1], row["points"][frame]
        jump = float(np.abs(after.mean(axis=0) - before.mean(axis=0)).max()) / max(
            float(np.ptp(before[:, 1])), 1.0
        )
        if jump > _CUT_JUMP or change[frame] > 2 * _CUT_CHANGE:
            raise InputError(
                f"{shot.path} has a cut at {clock(frame / FPS)}; give the shots before and after as"
                " separate files"
            )
