"""Videos of a speaking face: lip sync, stillness in silence, content credentials.

Lips are measured with the face landmarker (extra `track`); where it is not installed only the
credentials are reported.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.errors import AssetError, InputError, MissingDependency
from motet.export.credentials import read_credentials
from motet.tracking.audio_lag import loudness_course, measure_lag

ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".m4v")
QUIET_DB = -45.0
FPS = 25.0


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What was found in a video."""

    scores: dict[str, float]
    """`found` share of pictures with a face; `lag_s` of the lips behind the sound, where it can be
    told; `opening` usual range of the lips in heights of the face; `still` their movement in
    silence over that in speech."""
    remarks: tuple[str, ...]


def check_video(path: Path) -> VideoReport:
    """Measure a video of one speaking face.

    Raises:
        InputError: not a video, or no face in it.
    """
    _expect_video(path)
    scores, remarks = _credentials(path)
    try:
        result, more = _lips(path)
    except (MissingDependency, AssetError) as error:
        return VideoReport(scores, (*remarks, f"lips were not measured: {error}"))
    except InputError as error:
        if "no face" not in str(error):
            raise
        return VideoReport({**scores, "found": 0.0}, (*remarks, "no face was found in any picture"))
    return VideoReport({**scores, **result}, (*remarks, *more))


def _expect_video(path: Path) -> None:
    """Refuse what is no video before a missing extra could hide that."""
    try:
        with av.open(str(path)) as file:
            pictures = bool(file.streams.video)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be opened as a video: {error}") from error
    if not pictures:
        raise InputError(f"{path} has no pictures in it; name a video")


def _credentials(path: Path) -> tuple[dict[str, float], list[str]]:
    try:
        credentials = read_credentials(path)
    except (MissingDependency, AssetError) as error:
        return {}, [f"content credentials were not read: {error}"]
    if credentials is None:
        return {"credentials": 0.0}, [
            "no content credentials: nothing in the file says how it was made"
        ]
    kind = {
        "trainedAlgorithmicMedia": "made by an algorithm",
        "compositeWithTrainedAlgorithmicMedia": "real footage, parts made by an algorithm",
    }
    whose = (
        f", {credentials.facts['person']}; consent: {credentials.facts['consent']}"
        if credentials.facts.get("person")
        else ""
    )
    # A broken signature is not a missing one: the file was edited.
    state = "unchanged since it was signed" if credentials.intact else "CHANGED after it was signed"
    return {"credentials": 1.0, "intact": float(credentials.intact)}, [
        f"says of itself: {kind.get(credentials.source_type, credentials.source_type)}"
        f" ({credentials.generator}){whose};"
        f" {state}"
    ]


def _lips(path: Path) -> tuple[dict[str, float], list[str]]:
    from motet.audio import read_audio, resample, to_mono
    from motet.errors import AudioError
    from motet.tracking.landmarker import find_model, sight

    seen = sight(path, find_model())
    count = max(1, round((seen.time[-1] + 1 / FPS) * FPS))
    # Frames without a face are bridged linearly.
    opening = np.interp(np.arange(count) / FPS, seen.time[seen.found], seen.lip[seen.found, 0])
    low, high = np.percentile(opening, [5, 95])
    scores = {"found": float(seen.found.mean()), "opening": float(high - low)}
    try:
        sound = resample(to_mono(read_audio(path)), 16_000).samples[0].numpy()
    except AudioError as error:
        return scores, [f"no sound to compare with: {error}"]
    lag = measure_lag(opening, loudness_course(sound, 16_000, count, FPS), FPS, "loudness")
    if lag.certain:
        scores["lag_s"] = lag.seconds
    quiet = _quiet(sound, count)
    speed = np.abs(np.gradient(opening))
    if quiet.sum() >= 5 and (~quiet).sum() >= 5:
        # movement in silence over movement in speech
        scores["still"] = float(speed[quiet].mean() / max(float(speed[~quiet].mean()), 1e-9))
    return scores, _remarks(scores)


def _quiet(sound: Float[ndarray, " time"], frames: int) -> ndarray:
    """Frames in which, and around which, nobody speaks."""
    # (frames, 640): 640 samples of 16 kHz a frame of 25 Hz
    padded = np.pad(sound, (0, max(0, frames * 640 - len(sound))))[: frames * 640].reshape(
        frames, 640
    )
    silent = 10 * np.log10((padded**2).mean(axis=1) + 1e-10) < QUIET_DB
    # Nine silent frames in a row: the four before and after too.
    return np.convolve(silent, np.ones(9), mode="same") >= 9


def _remarks(scores: dict[str, float]) -> list[str]:
    remarks = []
    if scores["found"] < 0.98:
        remarks.append(f"no face in {100 * (1 - scores['found']):.0f} % of the pictures")
    if abs(scores.get("lag_s", 0.0)) > 0.08:
        remarks.append(
            f"the lips are {1000 * abs(scores['lag_s']):.0f} ms"
            f" {'behind' if scores['lag_s'] > 0 else 'before'} the sound"
        )
    if scores["opening"] < 0.01:
        remarks.append("the lips hardly open")
    if scores.get("still", 0.0) > 0.5:
        remarks.append("the lips move in silence")
    return remarks
