"""What a viewer sees of a speaking face, measured on the finished video by the face landmarker.

    python -m recipes.look_report clip1.wav clip2.wav --folder out

Every recording is made a video twice, with the gaze on the camera and with a free one; both are
tracked. Printed are the figures that conversational film gives too (head 4.0/3.5/2.2 degrees,
95 % of its speeds up to 52 degrees/s, 20 % of its power above 1 Hz). A recording may also be a
film (`.mp4`, `.mpg`): then the film itself is measured. Needs the extra `track`.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

import motet
from motet.audio import read_audio, resample, to_mono
from motet.errors import require
from motet.phonetics.phone_source import PhoneOptions, find_phones
from motet.tracking.landmarker import find_model, pictures
from motet.training.mesh_phones import posterior_of

INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
IRIS, CORNERS = (468, 473), ((33, 133), (362, 263))
"""The landmarker's points: inner lips from corner to corner, and both eyes."""
EYE_WIDTH_MM, EYEBALL_MM = 30.0, 12.0
UPPER_LID, LOWER_LID = (159, 386), (145, 374)
TOOTHY = frozenset({"s", "z", "i", "ɪ", "e", "ɛ", "æ"})
"""Phones in which film shows the upper teeth."""
LEAST_TOOTH_PIXELS = 8
"""In a picture of 512 pixels; bright and without colour."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is measured."""

    clips: Annotated[tuple[Path, ...], tyro.conf.Positional]
    folder: Path | None = None
    """Where the videos are kept; nowhere when left out."""
    method: str = "artalk"
    seed: int = 0
    size: int = 512
    model: Path | None = None
    """face_landmarker.task; found inside installed packages when left out."""


@dataclasses.dataclass(frozen=True)
class Track:
    """What the landmarker sees in each picture of a video."""

    fps: float
    head_deg: np.ndarray
    """(frames, 3): pitch, yaw, roll"""
    gaze_deg: np.ndarray
    """(frames, 2): mean turn of both irises in the head"""
    lids: np.ndarray
    """(frames,): opening of the eyes over their width"""
    teeth: np.ndarray
    """(frames,): pixels of teeth in the upper half of the mouth"""


def main(arguments: Arguments) -> None:
    """Make, track and print."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        tracks = {"camera": [], "free": []}
        shown: list[tuple[int, int]] = []
        for clip in arguments.clips:
            film = clip.suffix.lower() in (".mp4", ".mpg", ".mov")
            for gaze in ("film",) if film else ("camera", "free"):
                video = clip if film else _video(clip, folder, gaze, arguments)
                track = tracked(video, find_model(arguments.model))
                tracks.setdefault(gaze, []).append(track)
                if gaze == "camera":
                    shown.append(_teeth_shown(clip, track))
        for gaze, group in tracks.items():
            if group:
                sys.stdout.write(f"gaze {gaze}: {summary(group)}\n")
        frames = sum(count for _, count in shown)
        if frames:
            share = sum(seen for seen, _ in shown) / frames
            sys.stdout.write(f"upper teeth seen in {share:.0%} of {frames} frames of s, i, e, ae\n")


def _video(clip: Path, folder: Path, gaze: str, arguments: Arguments) -> Path:
    path = folder / f"{clip.stem}_{gaze}.mp4"
    settings = motet.Postprocess(gaze=gaze)
    take = motet.run(clip, arguments.method, seed=arguments.seed, postprocess=settings)
    take.save(path, size=arguments.size)
    return path


def tracked(video: Path, model: Path) -> Track:
    """Run the landmarker over a video."""
    vision = require("mediapipe.tasks.python.vision", "track")
    base = require("mediapipe.tasks.python", "track").BaseOptions(
        model_asset_buffer=model.read_bytes()
    )
    options = vision.FaceLandmarkerOptions(
        base_options=base,
        running_mode=vision.RunningMode.VIDEO,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        rows = list(_rows(video, landmarker))
    seconds, head, gaze, lids, teeth = (np.array(column) for column in zip(*rows, strict=True))
    fps = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    return Track(fps, head, gaze, lids, teeth)


def _rows(video: Path, landmarker: Any) -> Iterator[tuple[float, Any, Any, float, int]]:
    mediapipe = require("mediapipe", "track")
    for seconds, picture in pictures(video):
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
        found: Any = landmarker.detect_for_video(image, round(seconds * 1000))
        if not found.face_landmarks:
            continue
        height, width = picture.shape[:2]
        points = np.array([(p.x * width, p.y * height) for p in found.face_landmarks[0]])
        matrix = np.asarray(found.facial_transformation_matrixes[0])[:3, :3]
        turn = Rotation.from_matrix(matrix / np.linalg.norm(matrix, axis=0)).as_rotvec(True)
        yield seconds, turn, _gaze(points), _lids(points), _tooth_pixels(picture, points)


def _gaze(points: np.ndarray) -> np.ndarray:
    """Turn of the irises from the middle of their eyes, degrees, mean of both."""
    turns = []
    for iris, (one, other) in zip(IRIS, CORNERS, strict=True):
        across = points[other] - points[one]
        width = np.linalg.norm(across)
        right, down = across / width, np.array([-across[1], across[0]]) / width
        offset = points[iris] - (points[one] + points[other]) / 2
        mm = np.array([offset @ right, offset @ down]) * EYE_WIDTH_MM / width
        turns.append(np.degrees(np.arcsin(np.clip(mm / EYEBALL_MM, -0.9, 0.9))))
    return np.mean(turns, axis=0)


def _lids(points: np.ndarray) -> float:
    openings = [
        np.linalg.norm(points[upper] - points[lower]) / np.linalg.norm(points[b] - points[a])
        for upper, lower, (a, b) in zip(UPPER_LID, LOWER_LID, CORNERS, strict=True)
    ]
    return float(np.mean(openings))


def _tooth_pixels(picture: np.ndarray, points: np.ndarray) -> int:
    """Pixels of teeth between the inner lips, in the upper half of the opening."""
    upper, lower = points[list(INNER_UPPER)], points[list(INNER_LOWER)]
    count = 0
    for column in range(int(upper[0, 0]) + 1, int(upper[-1, 0])):
        top = np.interp(column, upper[:, 0], upper[:, 1])
        bottom = np.interp(column, lower[:, 0], lower[:, 1])
        if bottom - top < 1:
            continue
        rows = picture[int(top) : int((top + bottom) / 2) + 1, column].astype(int)
        bright, colour = rows.max(1), rows.max(1) - rows.min(1)
        count += int(((bright > 95) & (colour < 0.32 * bright)).sum())
    return count


def _teeth_shown(clip: Path, track: Track) -> tuple[int, int]:
    """In how many frames of toothy phones upper teeth are seen, and how many there are."""
    audio = resample(to_mono(read_audio(clip)), 16_000)
    options = PhoneOptions(recogniser="encoder")
    spans = find_phones(audio.samples.reshape(-1), options, posterior_of(audio)).spans
    time = np.arange(len(track.teeth)) / track.fps
    inside = np.zeros(len(time), bool)
    for span in spans:
        if span.symbol in TOOTHY:
            inside |= (time >= span.start + 0.02) & (time <= span.end)
    return int((track.teeth[inside] >= LEAST_TOOTH_PIXELS).sum()), int(inside.sum())


def summary(group: list[Track]) -> str:
    """One line of figures of several videos."""
    seconds = sum(len(track.lids) / track.fps for track in group)
    deviation = np.mean([track.head_deg.std(0) for track in group], axis=0)
    speed = np.concatenate(
        [np.linalg.norm(np.diff(t.head_deg, axis=0), axis=1) * t.fps for t in group]
    )
    saccades = sum(_rises(_gaze_speed(track) > 100) for track in group)
    blinks = [length for track in group for length in _blinks(track)]
    return (
        f"{seconds:.0f} s, head SD {deviation[1]:.1f}/{deviation[0]:.1f}/{deviation[2]:.1f}"
        f" (yaw/pitch/roll), p95 {np.percentile(speed, 95):.0f} degrees/s,"
        f" {np.mean([_quick_share(t) for t in group]):.0%} of the power above 1 Hz,"
        f" {saccades / seconds:.1f} saccades a second above 100 degrees/s,"
        f" {60 * len(blinks) / seconds:.0f} blinks a minute of"
        f" {60 * np.median(blinks or [0]):.1f} frames at 60/s"
    )


def _quick_share(track: Track) -> float:
    head = track.head_deg - track.head_deg.mean(0)
    power = (np.abs(np.fft.rfft(head * np.hanning(len(head))[:, None], axis=0)) ** 2).sum(1)
    frequency = np.fft.rfftfreq(len(head), 1 / track.fps)
    return float(power[frequency > 1].sum() / power[frequency > 0].sum())


def _gaze_speed(track: Track) -> np.ndarray:
    """Degrees/s; pictures with half closed lids have none, for their irises are guessed."""
    speed = np.linalg.norm(np.diff(track.gaze_deg, axis=0), axis=1) * track.fps
    open_eyes = track.lids > 0.7 * np.median(track.lids)
    return np.where(open_eyes[1:] & open_eyes[:-1], speed, 0)


def _rises(over: np.ndarray) -> int:
    return int((over & ~np.concatenate([[False], over[:-1]])).sum())


def _blinks(track: Track) -> list[float]:
    """Seconds that the lids of each blink are more than half closed, between pictures too."""
    fine = np.arange(0, len(track.lids) - 1, 0.05)
    lids = np.interp(fine, np.arange(len(track.lids)), track.lids)
    shut = lids < 0.5 * np.median(track.lids) + 0.5 * np.percentile(track.lids, 1)
    edges = np.diff(np.concatenate([[0], shut.astype(int), [0]]))
    lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    return [float(length) * 0.05 / track.fps for length in lengths]


if __name__ == "__main__":
    main(tyro.cli(Arguments))
