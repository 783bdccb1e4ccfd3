"""Dancing for as long as there is a beat: another figure every eight beats."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.synthesis.reaction import gestures
from motet.synthesis.reaction.plan import ArmGoal, Plan, held, rise, seconds
from motet.synthesis.reaction.stimulus import Cue, look, on_floor

SECTION = 8
"""Beats of one figure."""
FIGURES = ("groove", "step", "clap", "arms", "twist", "step")


def dance(plan: Plan, cue: Cue, start_s: float, stop_s: float) -> None:
    """Dance from a moment to another, with the beats of the cue."""
    beats = np.array(cue.beats_s)
    gestures.groove(plan, start_s, stop_s - 0.6, beats, cue.gain, cue.random)
    inside = beats[(beats > start_s + 0.5) & (beats < stop_s - 1.0)]
    previous = ""
    for first in range(0, len(inside) - 2, SECTION):
        section = inside[first : first + SECTION]
        figure = str(cue.random.choice([name for name in FIGURES if name != previous]))
        previous = figure
        if figure == "step" and cue.gain > 0.4:
            _side_steps(plan, cue, section)
        elif figure == "clap":
            gestures.clap(plan, section[0] - 0.2, section[-1] + 0.2, section[::2], cue.gain)
        elif figure == "arms" and cue.gain > 0.4:
            _arms_up(plan, cue, section)
        elif figure == "twist":
            _twist(plan, cue, section)
    moment = start_s + cue.random.uniform(4, 8)
    while moment + 3 < stop_s:  # the gaze leaves the source and returns
        plan.looks *= 1 - 0.7 * held(seconds(plan.frames), moment, 0.6, moment + 2.0, 0.7)
        moment += cue.random.uniform(5, 9)
    look(plan, start_s, 0.5 * cue.gain, stop_s)


def _side_steps(plan: Plan, cue: Cue, beats: Float[np.ndarray, " beats"]) -> None:
    """A step aside on every second beat, to and fro, so that the place is kept."""
    # heading of the figure at the first beat; rows are 120 a second
    heading = plan.path.heading[min(plan.frames - 1, int(beats[0] * 120))]
    side = on_floor(heading + np.pi / 2) * (0.14 + 0.14 * cue.gain)
    position = plan.path.position.copy()
    # pairs of steps: whole groups of four beats return to the start
    for count, beat in enumerate(beats[: len(beats) // 4 * 4 : 2]):
        # The weight arrives with the beat: the step begins before it.
        # 0.55 s long, begun 0.3 s early
        share = rise(seconds(plan.frames), beat - 0.30, 0.55)[:, None]
        position = position + share * side * (1 if count % 2 == 0 else -1)
    hurry = np.full(plan.frames, 1.25)
    plan.path = dataclasses.replace(plan.path, position=position, hurry=hurry)


def _arms_up(plan: Plan, cue: Cue, beats: Float[np.ndarray, " beats"]) -> None:
    """Both hands beside the head, swaying with the beat."""
    time = seconds(plan.frames)
    # phase in beats: whole numbers are beats
    phase = np.interp(time, beats, np.arange(len(beats)))
    sway = 0.07 * np.sin(np.pi * (phase + 0.5))
    bounce = 0.03 * np.cos(2 * np.pi * phase)
    weight = held(time, beats[0] - 0.3, 0.7, beats[-1], 0.8)
    for side in range(2):
        sign = 1 - 2 * side
        position = np.stack([0.26 + sign * sway, 0.22 + bounce, np.full_like(time, 0.20)], 1)
        plan.arms[side].append(
            # direction of fingers, of the palm, and of the elbow, in the axes of the chest
            ArmGoal(
                (0.6 + 0.4 * cue.gain) * weight,
                "chest",
                position,
                (0.05, 0.95, 0.25),
                (-0.1, -0.25, 0.95),
                (0.75, -0.70, 0.0),
            )
        )


def _twist(plan: Plan, cue: Cue, beats: Float[np.ndarray, " beats"]) -> None:
    """Hips and chest turn against each other on every beat."""
    time = seconds(plan.frames)
    phase = np.interp(time, beats, np.arange(len(beats)))
    on = held(time, beats[0], 0.6, beats[-1], 0.6) * cue.gain
    plan.hips[:, 0] += 0.14 * on * np.sin(np.pi * phase)
    plan.twist -= 0.30 * on * np.sin(np.pi * phase)
    plan.crouch_m += 0.05 * on
