"""One performance of a whole scene: reactions to each event, recoveries, life between them."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from motet.reaction_families import FAMILY_OF
from motet.synthesis.reaction import life
from motet.synthesis.reaction.dancing import dance
from motet.synthesis.reaction.plan import ArmGoal, Plan, held, rise, seconds, still_plan
from motet.synthesis.reaction.policies import Reaction, react
from motet.synthesis.reaction.scene import CorpusScene, PlacedSound
from motet.synthesis.reaction.speaking import prosody, speak
from motet.synthesis.reaction.steps import RATE, Path
from motet.synthesis.reaction.stimulus import GAIN, PACE, Cue, turn
from motet.synthesis.soundscape.tones import RATE as SOUND_RATE

ADDED = ("crouch_m", "bow", "lean", "twist", "nod", "shake", "tilt", "shrug", "sway_m", "bounce_m",
         "hips", "swing", "flex")  # fmt: skip
"""Curves of a plan that add up."""
RELEASE_S = 1.1
"""Time in which a reaction is let go."""
ATTENTION_S = 0.4
"""Time in which the gaze goes from one source to the next."""


@dataclasses.dataclass(frozen=True)
class EventReaction:
    """A reaction to one event, in the world of the performance."""

    sound: PlacedSound
    reaction: Reaction
    onset_s: float
    start_s: float
    travel_deg: float | None
    stop_s: float
    """When it is let go."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """A plan for a whole scene."""

    plan: Plan
    events: tuple[EventReaction, ...]
    attended: Float[np.ndarray, "frames 3"]
    """Position of the newest event's source, metres; before the first event that of the first."""
    is_attended: Bool[np.ndarray, " frames"]
    """False before the first event, and where the figure itself speaks."""


def act(scene: CorpusScene, genre: int, seed: int, random: np.random.Generator) -> Episode:
    """The performance of one person."""
    frames = round(scene.seconds * RATE)
    plan = still_plan(frames, np.array([0.0, 1.45, 3.0]))
    others = [sound for sound in scene.sounds if not sound.is_own_voice]
    events: list[EventReaction] = []
    for number, sound in enumerate(others):
        following = others[number + 1 :]
        limit = scene.seconds
        if following:
            limit = following[0].start_s + following[0].made(seed).onset_s + 0.2
        # Until just after the next onset: attention goes over while the old reaction fades.
        events.append(_react(plan, sound, limit, genre, seed, random))
    for sound in scene.sounds:
        if sound.is_own_voice:
            voice = prosody(sound.made(seed).samples, SOUND_RATE)
            speak(plan, voice, sound.start_s, GAIN[genre], random)
    _live(plan, events, scene, random)
    attended, is_attended = _attended(events, frames)
    return Episode(plan, tuple(events), attended, is_attended)


def _react(
    plan: Plan,
    sound: PlacedSound,
    limit_s: float,
    genre: int,
    seed: int,
    random: np.random.Generator,
) -> EventReaction:
    """Add the reaction to one event to a plan."""
    made, first = sound.made(seed), round(sound.start_s * RATE)
    position, heading = plan.path.position[-1], float(plan.path.heading[-1])
    onset = sound.start_s + made.onset_s
    source = sound.at(np.array([onset]))[0]
    # the source as a figure sees it that stands at its place and looks ahead
    local = _about_vertical(-heading) @ (source - np.array([position[0], 0.0, position[1]]))
    cue = Cue(made.onset_s, made.events_s, made.beats_s, local, genre, random)
    stop = min(sound.stop_s + random.uniform(0.2, 1.2), limit_s)
    # long enough for the reaction's own beginning: 2.5 s after the onset
    length = max(round((stop - sound.start_s) * RATE), round((made.onset_s + 2.5) * RATE))
    reaction = _reaction(sound, cue, length)
    part = _released(reaction.plan, plan.frames - first, stop - sound.start_s)
    _merge(plan, part, first, position, heading)
    start = sound.start_s + reaction.start_s
    _attend(plan, part, sound, first, start)
    if len(sound.path) > 1 and reaction.looks:
        points = sound.at(np.arange(plan.frames) / RATE)
        life.follow(plan, start + 0.3, stop, points, PACE[genre])
    travel = reaction.travel_deg
    return EventReaction(
        sound,
        reaction,
        onset,
        start,
        # from the figure's axes to those of the world
        None if travel is None else travel + float(np.degrees(heading)),
        stop,
    )


def _reaction(sound: PlacedSound, cue: Cue, frames: int) -> Reaction:
    """By policy; music that lasts is danced to with changing figures."""
    long_dance = FAMILY_OF[sound.name] == "dance" and frames > 12 * RATE and cue.gain > 0.3
    if not long_dance or (cue.genre == 0 and cue.random.random() < 0.3):
        return react(sound.name, cue, frames)
    plan = still_plan(frames, cue.source)
    start = cue.onset_s + cue.latency()
    if abs(cue.azimuth) > 0.35:
        turn(plan, start + 0.2, cue.azimuth, cue.pace)
    dance(plan, cue, start, frames / RATE)
    return Reaction(plan, "dance", start, None, True, False)


def _released(plan: Plan, frames: int, stop_s: float) -> Plan:
    """The same for so many frames; everything but the path is let go from `stop_s` on."""

    def longer(values: np.ndarray) -> np.ndarray:
        # the last value stays
        missing = frames - len(values)
        widths = ((0, max(0, missing)), *[(0, 0)] * (values.ndim - 1))
        return np.pad(values[:frames], widths, mode="edge")

    # 1 until the release, 0 after RELEASE_S
    keep = 1 - rise(seconds(frames), stop_s, RELEASE_S)
    curves = {}
    for name in ADDED:
        values = longer(getattr(plan, name))
        curves[name] = values * (keep if values.ndim == 1 else keep[:, None])
    arms = tuple(
        [
            dataclasses.replace(
                goal, weight=longer(goal.weight) * keep, position=longer(goal.position)
            )
            for goal in side
        ]
        for side in plan.arms
    )
    path = plan.path
    hurry = np.ones(len(path.heading)) if path.hurry is None else path.hurry
    # The gaze stays a little longer than the body.
    keep_gaze = 1 - rise(seconds(frames), stop_s + 0.6, 0.9)
    return dataclasses.replace(
        plan,
        path=Path(longer(path.position), longer(path.heading), longer(hurry)),
        gaze=longer(plan.gaze),
        looks=longer(plan.looks) * keep_gaze,
        arms=(arms[0], arms[1]),
        **curves,
    )


def _merge(
    plan: Plan, part: Plan, first: int, position: Float[np.ndarray, "2"], heading: float
) -> None:
    """Add a part that was planned for a figure at the origin to a plan, from a frame on."""
    for name in ADDED:
        getattr(plan, name)[first:] += getattr(part, name)
    for side in range(2):
        for goal in part.arms[side]:
            plan.arms[side].append(_later(goal, first))
    cosine, sine = np.cos(heading), np.sin(heading)
    # local path in the world: turned by the figure's heading
    x, z = part.path.position.T
    way = np.stack([cosine * x + sine * z, cosine * z - sine * x], 1)
    path = plan.path
    hurry = np.ones(plan.frames) if path.hurry is None else path.hurry.copy()
    hurry[first:] = np.maximum(hurry[first:], part.path.hurry)
    moved, turned = path.position.copy(), path.heading.copy()
    moved[first:] += way
    turned[first:] += part.path.heading
    plan.path = Path(moved, turned, hurry)


def _later(goal: ArmGoal, first: int) -> ArmGoal:
    weight = np.concatenate([np.zeros(first), goal.weight])
    position = np.concatenate([np.repeat(goal.position[:1], first, 0), goal.position])
    return dataclasses.replace(goal, weight=weight, position=position)


def _attend(plan: Plan, part: Plan, sound: PlacedSound, first: int, start_s: float) -> None:
    """The gaze goes over to this sound."""
    time = seconds(plan.frames)
    over = rise(time, start_s, ATTENTION_S)
    looks = np.concatenate([np.zeros(first), part.looks])
    points = sound.at(time)
    was_looking = plan.looks > 0.05
    # From nowhere the gaze jumps to the source: nothing was looked at before.
    share = np.where(was_looking, over, 1.0)[:, None]
    before = time < start_s
    plan.gaze[~before] = (plan.gaze + share * (points - plan.gaze))[~before]
    # The gaze that was elsewhere lets go while the new one takes over.
    plan.looks[:] = np.maximum(plan.looks * (1 - over), looks)


def _live(
    plan: Plan, events: list[EventReaction], scene: CorpusScene, random: np.random.Generator
) -> None:
    """Breath and weight shifts throughout, waiting in the gaps, wandering gaze in long events."""
    life.breathe(plan, random.uniform(0.8, 1.4))
    life.shift_weight(plan, 1.0, scene.seconds - 0.5, random)
    free = 0.8
    for event in events:
        life.stand_about(plan, free, event.onset_s, random)
        if event.stop_s - event.start_s > 6 and event.reaction.policy[:5] != "dance":
            life.look_aside(plan, event.start_s + 1.0, event.stop_s, random)
        free = event.stop_s + 1.2
    if scene.role == "listener":
        life.stand_about(plan, free, scene.seconds, random)
    if events and random.random() < 0.3:
        # A quick look round once it is over.
        around = held(seconds(plan.frames), free, 0.5, free + random.uniform(0.6, 1.6), 0.6)
        plan.shake += random.choice([-1, 1]) * random.uniform(0.3, 0.7) * around


def _attended(
    events: list[EventReaction], frames: int
) -> tuple[Float[np.ndarray, "frames 3"], Bool[np.ndarray, " frames"]]:
    time = seconds(frames)
    attended, is_attended = np.zeros((frames, 3)), np.zeros(frames, bool)
    for number, event in enumerate(events):
        since = time >= event.onset_s if number else np.ones(frames, bool)
        attended[since] = event.sound.at(time)[since]
        is_attended |= time >= event.onset_s
    return attended, is_attended


def _about_vertical(angle: float) -> Float[np.ndarray, "3 3"]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
