"""Scenes: sounds placed around a figure, mixed for two ears, with the path of the newest one."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.audio import read_audio, resample, to_mono
from motet.audio.io.write import encode_flac
from motet.audio.spatial.spatialise import Ray, SpatialStream, position_from_angles
from motet.errors import ConfigError
from motet.serve.folder import DataFolder, digest_of_bytes
from motet.serve.tasks.task import Arguments, Json, Report, number
from motet.types import Audio

RATE = 48_000
PATH_FPS = 30.0
"""Rows a second of the path."""
LONGEST_S = 600.0
PEAK = 0.98
"""Largest sample of a scene that would be louder than full scale."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """A sound of a scene."""

    audio: Audio
    start_s: float
    path: Float[np.ndarray, "times 3"]
    """Position at `PATH_FPS` from the sound's start on, metres in the figure's axes (+X left)."""


def make_scene(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Render the `events` for two ears; the sound becomes a sound of the server, its path a file
    beside it.

    Raises:
        ConfigError: no events, or a scene that is too long.
    """
    events = arguments.get("events")
    if not isinstance(events, list) or not events:
        raise ConfigError("a scene needs at least one sound; place one")
    placed = []
    for done, event in enumerate(events):
        report("placing the sounds", done, len(events))
        assert isinstance(event, dict)
        placed.append(_placed(event, folder))
    length_s = max(one.start_s + one.audio.seconds for one in placed)
    if length_s > LONGEST_S:
        raise ConfigError(f"a scene lasts at most {LONGEST_S:g} s, this {length_s:.0f} s")
    samples = mixed(placed, length_s)
    peak = float(samples.abs().max())
    if peak > PEAK:
        samples *= PEAK / peak
    data = encode_flac(samples, RATE, 16)
    identity = digest_of_bytes(data)
    write_bytes(folder.sound(identity), data)
    write_bytes(folder.path("sounds", identity, ".csv"), path_csv(placed, length_s).encode())
    return {
        "id": identity,
        "seconds": round(samples.shape[1] / RATE, 6),
        "rate": RATE,
        "channels": 2,
        "layout": "binaural",
        "mime": "audio/flac",
        "bytes": len(data),
    }


def _placed(event: Json, folder: DataFolder) -> Placed:
    sound = folder.sound(str(event["sound"]))
    audio = resample(to_mono(read_audio(sound)), RATE)
    points = event["points"]
    assert isinstance(points, list)
    rows = np.array([[float(str(p[k])) for k in ("t", "azimuth", "distance")] for p in points])  # type: ignore[index, call-overload]  # objects of numbers
    times = np.arange(max(2, round(audio.seconds * PATH_FPS) + 1)) / PATH_FPS
    # Straight between points in space: an angle would jump where it passes behind the figure.
    corners = position_from_angles(rows[:, 1], 0.0, rows[:, 2])
    path = np.stack([np.interp(times, rows[:, 0], axis) for axis in corners.T], axis=1)
    return Placed(audio, number(event, "start_s") or 0.0, path)


def mixed(placed: list[Placed], length_s: float) -> Float[torch.Tensor, "2 time"]:
    """All sounds at two ears."""
    total = torch.zeros(2, round(length_s * RATE))
    for one in placed:
        stream = SpatialStream([Ray(one.path, PATH_FPS)], RATE)
        ears = torch.cat([stream.push(one.audio.samples[0]), stream.finish()], 1)
        start = round(one.start_s * RATE)
        ears = ears[:, : total.shape[1] - start]
        total[:, start : start + ears.shape[1]] += ears
    return total


def path_csv(placed: list[Placed], length_s: float) -> str:
    """Seconds and position of the sound that began last, in each moment."""
    rows = ["seconds,x,y,z"]
    for moment in np.arange(max(2, round(length_s * PATH_FPS))) / PATH_FPS:
        begun = [one for one in placed if one.start_s <= moment + 1e-9]
        newest = max(begun or placed, key=lambda one: one.start_s if begun else -one.start_s)
        at = min(max(0, round((moment - newest.start_s) * PATH_FPS)), len(newest.path) - 1)
        x, y, z = newest.path[at]
        rows.append(f"{moment:.4f},{x:.4f},{y:.4f},{z:.4f}")
    return "\n".join(rows) + "\n"
