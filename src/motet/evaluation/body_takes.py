"""Whole takes of a body method, 12 to 40 s long, measured as a viewer sees them.

The sounds are of the kinds that users bring (bursts, siren, music, speech, passing vehicles, film
tracks) with seeds that no corpus uses. Nothing but the take is looked at: continuity, start,
balance, life to the end, and the reaction to each event.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from motet.audio.spatial.spatialise import spatialise
from motet.body.skeleton import BodyPose, pose_body
from motet.metrics import body_continuity, body_reaction
from motet.synthesis.soundscape.classes import make_sound
from motet.synthesis.soundscape.tones import RATE, banded, noise
from motet.types import Audio, Motion

if TYPE_CHECKING:
    from rich.table import Table

UNSEEN = 90_000
"""Seeds of the sounds; corpora use small ones."""
EAR_HEIGHT_M = 1.51
PEAK = 0.4


@dataclasses.dataclass(frozen=True)
class SoundEvent:
    """A sound of a scene and where it comes from."""

    sound: str
    """A class of `motet.synthesis.soundscape`, or `burst` (a short burst of noise)."""
    start_s: float
    seconds: float
    azimuth_deg: tuple[float, ...]
    """One direction, or several that the source passes at a steady rate."""
    distance_m: float = 2.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """A sound as a user would bring it, and the options that it is run with."""

    name: str
    seconds: float
    events: tuple[SoundEvent, ...]
    told: bool = False
    """The position is given (`--source`) instead of estimated."""
    panned: bool = False
    """Stereo by level alone, like a film track."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


SCENES: tuple[Scene, ...] = (
    Scene("bursts ahead", 12, (SoundEvent("burst", 0.8, 10, (0,)),), told=True),
    Scene("bursts left", 12, (SoundEvent("burst", 0.8, 10, (90,)),)),
    Scene("siren behind", 12, (SoundEvent("siren", 0.5, 11, (180,)),), told=True),
    Scene("siren left", 12, (SoundEvent("siren", 0.5, 11, (90,)),)),
    Scene("phone, behind right", 12, (SoundEvent("phone", 0.5, 11, (-120,)),), told=True),
    Scene("music ahead", 20, (SoundEvent("music", 0.3, 19.5, (0,)),), told=True),
    Scene("music, behind right", 20, (SoundEvent("music", 0.3, 19.5, (-120,)),)),
    Scene("drums, 40 s", 40, (SoundEvent("drum", 0.3, 39.5, (30,)),), told=True),
    Scene("speech ahead", 20, (SoundEvent("speech", 0.3, 19.5, (0,)),), told=True),
    Scene("speech right", 20, (SoundEvent("speech", 0.3, 19.5, (-90,)),)),
    Scene("vehicle passing", 16, (SoundEvent("vehicle", 0.3, 15.5, (-80, 0, 80), 3.0),), told=True),
    Scene("engine circling", 20, (SoundEvent("engine", 0.3, 19.5, (0, 180, 360), 2.5),), told=True),
    Scene(
        "bark, then phone",
        18,
        (SoundEvent("bark", 1.5, 3.5, (-90,)), SoundEvent("phone", 9.0, 8.5, (120,))),
    ),
    Scene(
        "bell, then bang",
        18,
        (SoundEvent("bicycle_bell", 2.0, 4.0, (60,)), SoundEvent("gunshot", 10.0, 2.0, (-60,))),
    ),
    Scene("film: rain, then a bang", 16, (SoundEvent("explosion", 6.0, 4.0, (-50,)),), panned=True),
)


@dataclasses.dataclass(frozen=True)
class MadeScene:
    """What a method is given, and what is known of the sound."""

    audio: Audio
    onsets_s: tuple[float, ...]
    """First audible moment of each event."""
    sources: tuple[Float[np.ndarray, "3"], ...]
    """Position of each event at its onset, metres."""
    beats_s: tuple[float, ...]
    path: Float[np.ndarray, "points 4"]
    """Seconds and position of the source that is told."""


def make_scene(scene: Scene, number: int) -> MadeScene:
    """The sound of a scene for two ears in the open, at the synthesis rate."""
    random = np.random.default_rng([UNSEEN, number])
    count = round(scene.seconds * RATE)
    ears = 2e-4 * banded(noise(random, 2 * count), 60, 8000).reshape(2, count)
    if scene.panned:
        ears += 0.03 * make_sound("rain", scene.seconds, (UNSEEN, number)).samples[:count]
    onsets, sources, beats, paths = [], [], [], []
    for place, event in enumerate(scene.events):
        samples, onset, own_beats = _event_samples(event, (UNSEEN, number, place))
        start = round(event.start_s * RATE)
        mono = np.zeros(count, np.float32)
        mono[start : start + len(samples)] = samples[: count - start]
        azimuth = np.interp(
            np.arange(round(scene.seconds * 30) + 1) / 30,
            event.start_s + np.linspace(0, event.seconds, len(event.azimuth_deg)),
            event.azimuth_deg,
        )
        ears = ears + _two_channels(mono, azimuth, event.distance_m, panned=scene.panned)
        path = _path(azimuth, event.distance_m)
        onsets.append(event.start_s + onset)
        sources.append(path[round(onsets[-1] * 30), 1:])
        beats += [event.start_s + beat for beat in own_beats]
        paths.append(path)
    ears *= PEAK / np.abs(ears).max()
    layout = "stereo" if scene.panned else "binaural"
    return MadeScene(
        Audio(torch.from_numpy(ears.astype(np.float32)), RATE, layout),
        tuple(onsets),
        tuple(sources),
        tuple(beats),
        paths[0],
    )


def _event_samples(
    event: SoundEvent, seed: tuple[int, ...]
) -> tuple[Float[np.ndarray, " time"], float, tuple[float, ...]]:
    """Samples, onset and beats of one event, seconds from its start."""
    if event.sound != "burst":
        made = make_sound(event.sound, event.seconds, seed)
        return made.samples, made.onset_s, made.beats_s
    random = np.random.default_rng(seed)
    count = round(event.seconds * RATE)
    time = np.arange(count) / RATE
    # A burst of 80 ms every 1.3 s.
    envelope = np.exp(-(((time % 1.3) / 0.08) ** 2))
    return (0.5 * envelope * banded(noise(random, count), 200, 9000)).astype(np.float32), 0.0, ()


def _two_channels(
    mono: Float[np.ndarray, " time"],
    azimuth_deg: Float[np.ndarray, " times"],
    distance_m: float,
    *,
    panned: bool,
) -> Float[np.ndarray, "2 time"]:
    if panned:
        angle = np.pi / 4 * (1 + np.sin(np.radians(azimuth_deg[0])))
        return np.stack([np.sin(angle) * mono, np.cos(angle) * mono])
    audio = Audio.mono(torch.from_numpy(mono), RATE)
    return spatialise(audio, azimuth_deg, 0.0, distance_m).samples.numpy()


def _path(
    azimuth_deg: Float[np.ndarray, " times"], distance_m: float
) -> Float[np.ndarray, "times 4"]:
    """Rows of seconds, x, y, z."""
    angle, time = np.radians(azimuth_deg), np.arange(len(azimuth_deg)) / 30
    x, z = distance_m * np.sin(angle), distance_m * np.cos(angle)
    return np.stack([time, x, np.full_like(x, EAR_HEIGHT_M), z], 1)


@dataclasses.dataclass(frozen=True)
class TakeScores:
    """One take, measured."""

    scene: str
    largest_step: body_continuity.Step
    conspicuous_step: body_continuity.Step
    start_heading_deg: float
    start_offset_m: float
    lean_deg: float
    """95th percentile, as the next."""
    pelvis_off_feet_m: float
    skate_cm_s: float
    energy_m_s: tuple[float, float, float]
    """In each third."""
    beats: tuple[float | None, float | None, float | None]
    """Beat alignment in each third."""
    latency_s: tuple[float | None, ...]
    """Of each event."""
    right_side: tuple[bool, ...]


def score_take(scene: Scene, made: MadeScene, motion: Motion) -> TakeScores:
    """All measurements of a take (without a batch axis)."""
    pose, fps = pose_body(motion), motion.space.fps
    return TakeScores(
        scene.name,
        body_continuity.largest_step(pose),
        body_continuity.most_conspicuous_step(pose),
        body_continuity.start_heading(pose),
        body_continuity.start_offset(pose),
        float(np.quantile(body_continuity.lean(pose), 0.95)),
        float(np.quantile(body_continuity.pelvis_off_feet(pose), 0.95)),
        body_reaction.foot_skate(pose, fps),
        body_continuity.energy_thirds(pose, fps),
        _beats_in_thirds(pose, fps, made.beats_s),
        tuple(body_continuity.latency(pose, fps, onset) for onset in made.onsets_s),
        tuple(
            body_continuity.on_right_side(pose, fps, onset, source)
            for onset, source in zip(made.onsets_s, made.sources, strict=True)
        ),
    )


def _beats_in_thirds(
    pose: BodyPose, fps: float, beats_s: Sequence[float]
) -> tuple[float | None, float | None, float | None]:
    if not beats_s:
        return (None, None, None)
    frames, result = len(pose.positions), []
    for third in range(3):
        start, stop = third * frames // 3, (third + 1) * frames // 3
        part = BodyPose(pose.rotations[start:stop], pose.positions[start:stop])
        inside = [beat - start / fps for beat in beats_s if start / fps <= beat < stop / fps]
        result.append(body_reaction.beat_alignment(part, fps, inside))
    return (result[0], result[1], result[2])


Run = Callable[[Audio, Mapping[str, Any]], Motion]
"""(sound, options, the path that is told under `source`) -> a take without a batch axis."""


def evaluate_takes(
    run: Run,
    scenes: Sequence[Scene] = SCENES,
    report: Callable[[str, int, int], None] | None = None,
) -> list[TakeScores]:
    """Run each scene and measure its take.

    Args:
        run: options hold `source` as rows of seconds, x, y, z where a scene tells it.
    """
    scores = []
    for number, scene in enumerate(scenes):
        made = make_scene(scene, number)
        told = {"source": made.path} if scene.told else {}
        scores.append(score_take(scene, made, run(made.audio, {**scene.options, **told})))
        if report is not None:
            report(scene.name, number + 1, len(scenes))
    return scores


def takes_table(scores: Sequence[TakeScores]) -> Table:
    """One line for each take, and the worst of each column."""
    from rich.table import Table

    table = Table(title="whole takes: a frame number in parentheses, thirds and events in a row")
    table.add_column("scene", no_wrap=True)
    for name in ("step, m", "ratio", "start", "lean", "off feet", "skate", "energy, m/s", "beats"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("latency, s", no_wrap=True)
    table.add_column("side", no_wrap=True)
    for score in scores:
        step, other = score.largest_step, score.conspicuous_step
        table.add_row(
            score.scene,
            f"{step.metres:.2f} ({step.frame})",
            f"{other.ratio:.1f} ({other.frame})",
            f"{score.start_heading_deg:.0f} deg {score.start_offset_m:.2f} m",
            f"{score.lean_deg:.0f} deg",
            f"{score.pelvis_off_feet_m:.2f} m",
            f"{score.skate_cm_s:.2f}",
            _listed(score.energy_m_s),
            _listed(score.beats) if any(beat is not None for beat in score.beats) else "",
            _listed(score.latency_s),
            " ".join("yes" if right else "no" for right in score.right_side),
        )
    sides = [right for score in scores for right in score.right_side]
    table.add_section()
    table.add_row(
        "worst; right sides",
        f"{max(score.largest_step.metres for score in scores):.2f}",
        f"{max(score.conspicuous_step.ratio for score in scores):.1f}",
        f"{max(score.start_heading_deg for score in scores):.0f} deg"
        f" {max(score.start_offset_m for score in scores):.2f} m",
        f"{max(score.lean_deg for score in scores):.0f} deg",
        f"{max(score.pelvis_off_feet_m for score in scores):.2f} m",
        f"{max(score.skate_cm_s for score in scores):.2f}",
        *[""] * 3,
        f"{sum(sides)} of {len(sides)}",
    )
    return table


def _listed(values: Sequence[float | None]) -> str:
    return " ".join("-" if value is None else f"{value:.2f}" for value in values)
