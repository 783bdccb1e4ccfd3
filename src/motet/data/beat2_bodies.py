"""BEAT2 as downloaded to SAM's layout: bodies that speak themselves, for training mospa.

Source: Liu et al. 2024 (EMAGE) and their released layout. No real download was seen here: names of
files and arrays are those that the authors' loader reads.

    FOLDER/smplxflame_30/CLIP.npz       poses (frames, 165) axis-angle, trans (frames, 3), 30 fps
    FOLDER/wave16k/CLIP.wav
    FOLDER/train_test_split.csv         columns id, type (train, val, test, additional)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from motet.array_files import read_arrays
from motet.atomic_write import appearing, make_folder, write_bytes
from motet.audio import write_audio
from motet.audio.io.read import read_audio
from motet.body.skeleton import body_motion, heading, pose_body
from motet.data.readers.sam import MOTION_FPS
from motet.errors import AssetError, InputError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS

FPS, JOINTS, NUMBERS = 30, 55, 165
GENRE = 1
"""Neutral: SAM's ids end in a genre, BEAT2 has none."""
SPLITS = ("train", "val", "test", "additional")
Report = Callable[[str, int], None]


def import_beat2(folder: Path, out: Path, report: Report | None = None) -> dict[str, float]:
    """Convert the download; sequences that are written already are left as they are.

    Returns:
        Seconds by split.

    Raises:
        AssetError: the download is incomplete or damaged.
        InputError: it lists no clip, or `out` is the download itself.
    """
    if out.resolve() == folder.resolve():
        raise InputError(f"{out} is the download itself; write the copy into another folder")
    listed = read_splits(folder)
    for part in ("audio", "motion", "splits"):
        make_folder(out / part)
    seconds, done = dict.fromkeys(listed, 0.0), 0
    for split, clips in listed.items():
        for clip in clips:
            # Frames count at the download's 30 a second.
            frames = _convert(folder, out, clip)
            seconds[split] += frames / FPS
            done += 1
            if report is not None:
                report(clip, done)
        names = "".join(f"{clip}_{GENRE}\n" for clip in clips)
        write_bytes(out / "splits" / f"crossmodal_{split}.txt", names.encode())
    # The figure speaks itself: the denoiser has a condition for that.
    lines = [
        json.dumps({"id": f"{clip}_{GENRE}", "role": "speaker", "events": []})
        for clips in listed.values()
        for clip in clips
    ]
    write_bytes(out / "reactions.jsonl", ("\n".join(lines) + "\n").encode())
    return seconds


def read_splits(folder: Path) -> dict[str, list[str]]:
    """Clips by split, of those whose motion is there.

    Raises:
        AssetError: no list, or without its columns.
        InputError: no listed clip is there.
    """
    path = folder / "train_test_split.csv"
    try:
        # Excel writes a byte-order mark
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        pairs = [(row["type"], row["id"]) for row in rows]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise AssetError(
            f"{path} with the columns id and type cannot be read; give the folder of one language,"
            " such as beat_english_v2.0.0"
        ) from error
    splits: dict[str, list[str]] = {}
    for split, clip in pairs:
        if split in SPLITS and (folder / "smplxflame_30" / f"{clip}.npz").is_file():
            splits.setdefault(split, []).append(clip)
    if not splits:
        raise InputError(f"{folder}/smplxflame_30 holds none of the clips that {path.name} lists")
    return splits


def _convert(folder: Path, out: Path, clip: str) -> int:
    """One clip; returns its frames."""
    path = folder / "smplxflame_30" / f"{clip}.npz"
    stored = read_arrays(path, ("poses", "trans"))
    poses, trans = (np.asarray(stored.get(k, np.zeros(0)), np.float64) for k in ("poses", "trans"))
    if poses.shape != (len(trans), NUMBERS) or trans.shape[1:] != (3,) or len(trans) < 2:
        raise AssetError(
            f"{path}: poses {poses.shape} and trans {trans.shape} are not (frames, {NUMBERS}) and"
            " (frames, 3)"
        )
    name = f"{clip}_{GENRE}"
    if (out / "audio" / f"{name}_r.wav").is_file():  # written last
        return len(trans)
    arrays = spread(*facing_ahead(poses.reshape(-1, JOINTS, 3), trans))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(out / "motion" / f"{name}.npz", buffer.getvalue())
    # One microphone at the speaker himself: both ears get the same sound.
    audio = read_audio(folder / "wave16k" / f"{clip}.wav")
    for side in "lr":
        with appearing(out / "audio" / f"{name}_{side}.wav") as beside:
            write_audio(audio, beside, subtype="PCM_16")
    return len(trans)


def facing_ahead(
    poses: Float[np.ndarray, "frames joints 3"], trans: Float[np.ndarray, "frames 3"]
) -> tuple[Float[np.ndarray, "frames joints 3"], Float[np.ndarray, "frames 3"]]:
    """Turned and moved so that the first frame stands at the origin and looks to +Z, as in SAM."""
    root = Rotation.from_rotvec(poses[:, 0])
    yaw = float(heading(torch.from_numpy(root[0].as_matrix())))
    # The inverse of the first frame's heading, about the vertical axis only.
    turn = Rotation.from_euler("y", -yaw)
    # The height stays: feet keep their distance to the ground.
    origin = np.array([trans[0, 0], 0.0, trans[0, 2]])
    turned = poses.copy()
    turned[:, 0] = (turn * root).as_rotvec()
    return turned, turn.apply(trans - origin)


def spread(
    poses: Float[np.ndarray, "frames joints 3"], trans: Float[np.ndarray, "frames 3"]
) -> dict[str, np.ndarray]:
    """Rows at 120 fps (SAM's rate), and the own head as source, seen from the pelvis."""
    times = np.arange(len(trans)) / FPS
    fine = np.arange(len(trans) * MOTION_FPS // FPS) / MOTION_FPS
    fine = np.minimum(fine, times[-1])  # the last frame rests
    rotations = [
        # Rotations on the arc, positions on a straight line between the frames.
        Slerp(times, Rotation.from_rotvec(poses[:, joint]))(fine)
        for joint in range(JOINTS)
    ]
    rows = np.stack([rotation.as_rotvec() for rotation in rotations], 1)  # (rows, joints, 3)
    root = np.stack([np.interp(fine, times, trans[:, axis]) for axis in range(3)], 1)
    local = matrix_from_axis_angle(torch.from_numpy(rows[:, :25]))
    pose = pose_body(body_motion(torch.from_numpy(root), local, float(MOTION_FPS)))
    head = pose.positions[:, SMPLX25_JOINTS.index("head")].numpy() - root
    # world offset to the axes of the pelvis: (rows, 3)
    source = rotations[0].inv().apply(head)
    return {"poses": rows, "trans": root, "sound_source": source}
