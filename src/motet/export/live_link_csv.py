"""Live Link Face CSV: recorded by the iPhone application, imported by Unreal, Blender and Maya.

Columns as in real recordings: `Timecode,BlendshapeCount`, 52 shapes (right before left for jaw and
mouth, unlike the network packet), then nine angles. Files are written with 60 rows a second, as the
application records; their timecode is HH:MM:SS:FF.fff with frames of 1/60 s at any frame rate.
`timecode` reads the timecodes of other programs too.

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
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.errors import AssetError
from motet.export.curves import (
    axis_angle_from_euler,
    euler_from_axis_angle,
    face_clip,
    face_motion,
    note_skipped,
)
from motet.export.options import ExportOptions
from motet.export.timecode import even_frames, parse_timecode, seconds_of, timecode
from motet.export.viseme_curves import set_of, write_visemes
from motet.types import ARKIT_SHAPES, EYE_FULL_RAD, Clip, Motion

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
MIRROR = np.array([-1.0, 1.0, -1.0])
"""From rotations about +Y, +X and +Z (right-handed) to the signs of the file, and back."""
MAX_ROWS = 2_000_000
ROWS_PER_SECOND = 60.0
"""Of a written file, unless another rate is asked for."""
_NO_SHAPES = ("Timecode", "BlendshapeCount", *EYE_COLUMNS)


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the face curves of a clip at the frame rate of the options, else 60 rows a second;
    viseme weights where the path names a set of them.
    """
    if visemes := set_of(path):
        write_visemes(clip, path, visemes, options)
        return
    motion = face_motion(clip, "Live Link Face")
    rate = options.fps or ROWS_PER_SECOND
    motion = motion if motion.space.fps == rate else motion.at(rate)
    table = curve_table(motion)
    text = io.StringIO()
    names = ("Timecode", "BlendshapeCount", *SHAPE_COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS)
    text.write(",".join(names) + "\n")
    for index, row in enumerate(table):
        cells = ",".join(f"{value:.8f}" for value in row)
        # Eight digits: reading back is exact to a float32.
        text.write(f"{timecode(index / motion.space.fps)},{len(row)},{cells}\n")
    write_bytes(path, text.getvalue().encode())
    options.report(motion.frames)


def curve_table(motion: Motion) -> Float[np.ndarray, "frames 61"]:
    """Shapes in the order of the file, then the angles of head and eyes."""
    columns = [
        motion.channel("blendshapes", name[0].lower() + name[1:]).cpu().numpy()
        for name in SHAPE_COLUMNS
    ]
    head = MIRROR * euler_from_axis_angle(motion["head"].double().cpu().numpy())
    return np.concatenate([np.stack(columns, axis=1), head, _eye_angles(motion)], axis=1)


def read(path: Path) -> Clip:
    """Face curves by the names of the columns, in any order and case.

    TongueOut and the head may be absent; other columns are skipped with a note. Timecodes count
    frames at any usual rate, drop-frame (`;`) and over midnight too. The frame rate follows from
    them; missing frames are interpolated.

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
    known = (*SHAPE_COLUMNS, *HEAD_COLUMNS)
    expected = {name.lower() for name in (*known, *_NO_SHAPES)}
    note_skipped(path, [name for name in rows[0] if name.strip().lower() not in expected])
    codes = [parse_timecode(_cell(row, columns["timecode"], path), path) for row in body]
    names = [name for name in known if name.lower() in columns]
    indices = [columns[name.lower()] for name in names]
    table = np.array([[_number(_cell(row, k, path), path) for k in indices] for row in body])
    # The phone drops frames: rows are brought to an even grid.
    fps, table = even_frames(seconds_of(codes), table, path)
    return _clip(dict(zip(names, table.T, strict=True)), fps, path)


def _clip(curves: dict[str, np.ndarray], fps: float, path: Path) -> Clip:
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
    # The file's left eye follows the shapes of the right one, as in recordings of the application.
    for other, inwards in (("Right", -1.0), ("Left", 1.0)):
        turned_in = weight(f"eyeLookIn{other}") * EYE_FULL_RAD["In"]
        yaw = inwards * (turned_in - weight(f"eyeLookOut{other}") * EYE_FULL_RAD["Out"])
        down = weight(f"eyeLookDown{other}") * EYE_FULL_RAD["Down"]
        pitch = down - weight(f"eyeLookUp{other}") * EYE_FULL_RAD["Up"]
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
