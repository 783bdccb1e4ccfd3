"""Live Link Face CSV: recorded by the iPhone application, imported by Unreal, Blender and Maya.

Columns as in real recordings: `Timecode,BlendshapeCount`, 52 shapes (right before left for jaw and
mouth, unlike the network packet), then nine angles. Timecode is HH:MM:SS:FF.fff with frames of 1/60
s whatever the frame rate.

Angles are radians in Unreal's left-handed sense: positive yaw looks to the character's right,
positive pitch down. In two published recordings of the application (about sixty frames checked) the
eye angles follow from the shapes, to the third digit, by the formula of `_eye_angles`: each eye's
angles go with the shapes named after the other eye, because the application mirrors names but not
angles. Head angles get the same sense; those recordings have no head rotation to confirm it.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from motet.atomic_write import write_bytes
from motet.errors import AssetError
from motet.export.curves import axis_angle_from_euler, euler_from_axis_angle, face_clip, face_motion
from motet.export.options import ExportOptions
from motet.types import ARKIT_SHAPES, Clip, Motion

_SHAPES = """
    EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft
    EyeWideLeft EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight
    EyeSquintRight EyeWideRight JawForward JawRight JawLeft JawOpen MouthClose MouthFunnel
    MouthPucker MouthRight MouthLeft MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight
    MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower
    MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight
    MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft
    BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft
    CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
"""
SHAPE_COLUMNS: tuple[str, ...] = tuple(_SHAPES.split())
"""The 52 shapes in the order of the file."""
HEAD_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
EYE_COLUMNS = tuple(
    f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll")
)
EYE_REACH = {"side": 0.60, "down": 0.61, "up": 0.46}
"""Rotation of an eyeball for a look shape at full weight, radians, as measured in recordings (34,
35 and 26 degrees)."""
MIRROR = np.array([-1.0, 1.0, -1.0])
"""From rotations about +Y, +X and +Z (right-handed) to the signs of the file, and back."""
MAX_ROWS = 2_000_000


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the face curves of a clip."""
    motion = face_motion(clip, "Live Link Face")
    columns = [
        motion.channel("blendshapes", name[0].lower() + name[1:]).cpu().numpy()
        for name in SHAPE_COLUMNS
    ]
    head = MIRROR * euler_from_axis_angle(motion["head"].double().cpu().numpy())
    table = np.concatenate([np.stack(columns, axis=1), head, _eye_angles(motion)], axis=1)
    text = io.StringIO()
    names = ("Timecode", "BlendshapeCount", *SHAPE_COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS)
    text.write(",".join(names) + "\n")
    for index, row in enumerate(table):
        cells = ",".join(f"{value:.8f}" for value in row)
        text.write(f"{timecode(index / motion.space.fps)},{len(row)},{cells}\n")
    write_bytes(path, text.getvalue().encode())
    options.report(motion.frames)


def timecode(seconds: float) -> str:
    """HH:MM:SS:FF.fff with frames of 1/60 s."""
    thousandths = round(seconds * 60_000)
    whole, rest = divmod(thousandths, 60_000)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{clock}:{rest // 1000:02d}.{rest % 1000:03d}"


def read(path: Path) -> Clip:
    """Face curves by the names of the columns, in any order and case.

    TongueOut and the head may be absent. The frame rate follows from the timecodes; dropped frames
    are interpolated.

    Raises:
        AssetError: not such a file, shapes are missing, or a cell is not a number.
    """
    rows = _rows(path)
    columns = {name.strip().lower(): index for index, name in enumerate(rows[0])}
    required = (name for name in SHAPE_COLUMNS if name != "TongueOut")
    missing = [name for name in required if name.lower() not in columns]
    if "timecode" not in columns or missing:
        lacking = f"column {', '.join(missing[:3])}" if missing else "timecodes"
        raise AssetError(f"{path} is not a Live Link Face recording: it has no {lacking}")
    body = [row for row in rows[1:] if row]
    if not body:
        raise AssetError(f"{path} holds no frames")
    times = np.array([_seconds(_cell(row, columns["timecode"], path), path) for row in body])
    names = [name for name in (*SHAPE_COLUMNS, *HEAD_COLUMNS) if name.lower() in columns]
    indices = [columns[name.lower()] for name in names]
    table = np.array([[_number(_cell(row, k, path), path) for k in indices] for row in body])
    fps, table = _resample_evenly(times, table, path)
    curves = dict(zip(names, table.T, strict=True))
    head = None
    if all(name in curves for name in HEAD_COLUMNS):
        angles = MIRROR * np.stack([curves[name] for name in HEAD_COLUMNS], axis=1)
        head = axis_angle_from_euler(angles)
    column_of = {name: name[0].upper() + name[1:] for name in ARKIT_SHAPES}
    shapes = {name: curves[column] for name, column in column_of.items() if column in curves}
    return face_clip(shapes, head, fps, {"source": path.name}, path)


def _eye_angles(motion: Motion) -> np.ndarray:
    """Yaw, pitch and roll of both eyes, left first; see the module's docstring for the sides."""

    def weight(name: str) -> np.ndarray:
        return motion.channel("blendshapes", name).cpu().numpy()

    angles = []
    for other, inwards in (("Right", -1.0), ("Left", 1.0)):
        side = weight(f"eyeLookIn{other}") - weight(f"eyeLookOut{other}")
        yaw = inwards * side * EYE_REACH["side"]
        down = weight(f"eyeLookDown{other}") * EYE_REACH["down"]
        pitch = down - weight(f"eyeLookUp{other}") * EYE_REACH["up"]
        angles += [yaw, pitch, np.zeros_like(yaw)]
    return np.stack(angles, axis=1)


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row, _ in zip(csv.reader(file), range(MAX_ROWS + 2), strict=False)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise AssetError(f"{path} is not a text table: {error}") from error
    if not rows:
        raise AssetError(f"{path} is empty")
    if len(rows) > MAX_ROWS + 1:
        raise AssetError(f"{path} has more than {MAX_ROWS} frames; cut it into parts")
    return rows


def _cell(row: list[str], column: int, path: Path) -> str:
    if column >= len(row):
        raise AssetError(
            f"{path} has a row with {len(row)} cells, the header names more; the file is cut off or"
            " damaged"
        )
    return row[column]


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise AssetError(f"{path} has the cell {cell[:20]!r} where a number belongs") from error


def _seconds(cell: str, path: Path) -> float:
    parts = cell.strip().split(":")
    if len(parts) != 4:
        raise AssetError(f"{path} has the timecode {cell[:20]!r}; HH:MM:SS:FF.fff is expected")
    hours, minutes, seconds, sixtieths = (_number(part, path) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + sixtieths / 60


_NTSC_FPS = np.array([24, 30, 60]) / 1.001
_COMMON_FPS = np.array(
    [*_NTSC_FPS, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240], np.float64
)


def _resample_evenly(times: np.ndarray, table: np.ndarray, path: Path) -> tuple[float, np.ndarray]:
    """Frame rate and the table on an even grid."""
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise AssetError(f"{path} has timecodes that run backwards; export it again")
    if len(times) == 1:
        return 60.0, table
    step = float(np.median(np.diff(times)))
    if step < 1e-3:
        raise AssetError(f"{path} has timecodes that do not advance; export it again")
    fps = _rate(times, step)
    count = round((times[-1] - times[0]) * fps) + 1
    if count > 2 * len(times) + 600:
        raise AssetError(
            f"{path} has gaps of {times[-1] - times[0]:.0f} s in only {len(times)} frames; cut it"
            " into its takes"
        )
    grid = times[0] + np.arange(count) / fps
    if count == len(times) and np.abs(grid - times).max() < 0.25 / fps:
        return fps, table
    return fps, np.stack([np.interp(grid, times, column) for column in table.T], axis=1)


def _rate(times: np.ndarray, step: float) -> float:
    """Mean frame rate, rounded to a common one that the timecodes cannot distinguish from it."""
    duration = times[-1] - times[0]
    mean = np.round(np.diff(times) / step).sum() / duration
    nearest = _COMMON_FPS[np.abs(_COMMON_FPS - mean).argmin()]
    # Timecodes are rounded to 1/60000 s.
    is_same = abs(nearest / mean - 1) < max(2e-4, 4e-5 / duration)
    return float(nearest if is_same else mean)
