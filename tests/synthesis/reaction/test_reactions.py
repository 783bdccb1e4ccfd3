"""Bodies of reactions: feet that stay, floors that hold, hands on ears, ways in the right
direction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from motet.body.skeleton import ANKLE_HEIGHT_M, BALL_HEIGHT_M, body_motion, pose_body
from motet.reaction_families import FAMILIES, FAMILY_OF
from motet.synthesis.reaction.idle import IdleLibrary, invented_idle
from motet.synthesis.reaction.perform import AT, Performance, perform
from motet.synthesis.reaction.plan import rise, seconds, still_plan
from motet.synthesis.reaction.policies import react
from motet.synthesis.reaction.steps import RATE, Path, take_steps
from motet.synthesis.reaction.stimulus import LATENCY_S, Cue, walk
from motet.synthesis.soundscape.classes import LOUDNESS

FRAMES = 1200


def cue(
    source: tuple[float, float, float],
    genre: int = 2,
    seed: int = 0,
    events: tuple[float, ...] = (0.5,),
) -> Cue:
    return Cue(
        0.5,
        events,
        tuple(np.arange(0.5, 9.9, 0.5)),
        np.array(source),
        genre,
        np.random.default_rng(seed),
    )


def performed(
    sound: str, source: tuple[float, float, float], genre: int = 2, seed: int = 0
) -> tuple[Performance, object]:
    reaction = react(sound, cue(source, genre, seed), FRAMES)
    return perform(reaction.plan, invented_idle(FRAMES, np.random.default_rng(seed))), reaction


def seed_with(sound: str, policy: str) -> int:
    """The first seed that draws a policy."""
    return next(
        seed
        for seed in range(40)
        if react(sound, cue((2.0, 1.5, 2.0), 2, seed), FRAMES).policy == policy
    )


def test_every_class_of_sound_has_a_reaction() -> None:
    assert set(FAMILY_OF) == set(LOUDNESS) and len(FAMILY_OF) == 27 == sum(
        map(len, FAMILIES.values())
    )


@pytest.mark.parametrize("speed", [0.5, 1.2, 2.2])
def test_feet_never_slide_and_never_sink(speed: float) -> None:
    plan = still_plan(FRAMES, np.array([0.0, 1, 4]))
    walk(plan, 1.0, np.array([0.5, 3.0]), speed)
    body = perform(plan, invented_idle(FRAMES, np.random.default_rng(0)))
    for side, stands in zip(("left", "right"), body.feet.stands, strict=True):
        ball, ankle = body.positions[:, AT[f"{side}_foot"]], body.positions[:, AT[f"{side}_ankle"]]
        fixed = (stands[1:] > 0) & (stands[:-1] > 0)
        travel = np.linalg.norm(np.diff(ball[:, [0, 2]], axis=0), axis=1) * RATE
        # Only in the tenth of a second in which a landed foot rolls down does its ball move at all.
        assert np.percentile(travel[fixed], 90) < 0.01 and travel[fixed].mean() < 0.03
        assert (
            ball[:, 1].min() > BALL_HEIGHT_M - 0.012 and ankle[:, 1].min() > ANKLE_HEIGHT_M - 0.012
        )
        assert ankle[:, 1].max() > ANKLE_HEIGHT_M + 0.04
    feet = [step.foot for step in body.feet.steps]
    assert len(feet) >= 5 and all(a != b for a, b in zip(feet, feet[1:], strict=False))
    assert np.abs(body.root[-1, [0, 2]] - [0.5, 3.0]).max() < 0.12


def test_a_turn_on_the_spot_is_stepped() -> None:
    turn = 2.5 * rise(seconds(600), 0.5, 1.4)
    feet = take_steps(Path(np.zeros((600, 2)), turn))
    assert len(feet.steps) >= 4
    assert np.abs(feet.heading[:, -1] - 2.5).max() < 0.35
    assert np.hypot(*feet.ankle[:, -1, [0, 2]].T).max() < 0.25


def test_standing_still_takes_no_step() -> None:
    assert not take_steps(Path(np.zeros((600, 2)), np.zeros(600))).steps


def test_legs_reach_the_feet() -> None:
    body, _ = performed("gunshot", (0.0, 1.5, 2.0), seed=3)
    for foot, side in enumerate(("left", "right")):
        gap = np.linalg.norm(body.positions[:, AT[f"{side}_ankle"]] - body.feet.ankle[foot], axis=1)
        assert gap.max() < 0.004


def test_nothing_jumps() -> None:
    for sound in ("music", "siren", "gunshot", "phone"):
        body, _ = performed(sound, (-2.0, 1.5, -1.0), seed=1)
        speed = np.linalg.norm(np.diff(body.positions, axis=0), axis=2) * RATE
        assert speed.max() < 9, sound
        jerk = np.diff(gaussian_filter1d(body.root, 2, axis=0), 2, axis=0) * RATE**2
        assert np.abs(jerk).max() < 45, sound


def test_the_skeleton_of_the_package_gives_the_same_places() -> None:
    body, _ = performed("phone", (2.0, 1.5, 1.0))
    pose = pose_body(
        body_motion(torch.from_numpy(body.root), torch.from_numpy(body.rotations), RATE)
    )
    np.testing.assert_allclose(pose.positions.numpy(), body.positions, atol=1e-5)


@pytest.mark.parametrize("azimuth", [-150, -60, 30, 100])
def test_what_calls_is_walked_to_and_looked_at(azimuth: float) -> None:
    source = (3.0 * np.sin(np.radians(azimuth)), 1.5, 3.0 * np.cos(np.radians(azimuth)))
    body, reaction = performed("phone", source, seed=seed_with("phone", "attend"))
    gone = body.root[-1, [0, 2]]
    assert np.hypot(*gone) > 1.2 and np.degrees(np.arctan2(*gone)) == pytest.approx(azimuth, abs=12)
    assert reaction.travel_deg == pytest.approx(azimuth, abs=1e-6)
    way = np.array(source)[[0, 2]] - body.positions[-1, AT["head"]][[0, 2]]
    ahead = body.world[-1, AT["head"], [0, 2], 2]
    assert way @ ahead / np.hypot(*way) / np.hypot(*ahead) > 0.94


def test_a_mirrored_source_mirrors_the_way() -> None:
    ends = [
        performed("bark", (side * 1.5, 1.0, 1.5), seed=seed_with("bark", "avoid"))[0].root[-1, 0]
        for side in (1, -1)
    ]
    assert ends[0] * ends[1] < 0 and abs(abs(ends[0]) - abs(ends[1])) < 0.2


def test_a_siren_puts_hands_on_the_ears_and_drives_away() -> None:
    body, reaction = performed("siren", (0.5, 1.5, 2.0), seed=seed_with("siren", "cover"))
    late = slice(480, 720)
    for side, sign in (("left", 1), ("right", -1)):
        ear = body.positions[late, AT["head"]] + body.world[late, AT["head"]] @ np.array(
            [sign * 0.09, 0.0, 0.0]
        )
        assert np.linalg.norm(body.positions[late, AT[f"{side}_wrist"]] - ear, axis=1).mean() < 0.10
    assert body.root[-1, 2] < -1.0 and reaction.covers_ears


def test_a_bang_makes_one_crouch_and_run() -> None:
    body, _ = performed("gunshot", (0.0, 1.5, 2.0), seed=seed_with("gunshot", "flee"))
    assert body.root[60:150, 1].min() < body.root[:50, 1].mean() - 0.03
    assert body.root[-1, 2] < -1.5
    low, _ = performed("thunder", (0.0, 1.5, 2.0), seed=seed_with("thunder", "flee/alternative"))
    assert low.root[:, 1].min() < 0.62 and np.hypot(*low.root[-1, [0, 2]]) < 0.2


def test_dancing_keeps_time() -> None:
    body, _ = performed("music", (0.0, 1.5, 2.0), seed=seed_with("music", "dance"))
    height = body.root[480:1080, 1]
    spectrum = np.abs(np.fft.rfft((height - height.mean()) * np.hanning(len(height))))
    frequency = np.fft.rfftfreq(len(height), 1 / RATE)
    assert frequency[spectrum.argmax()] == pytest.approx(2.0, abs=0.25)


def test_sensitive_people_are_quicker_and_go_further() -> None:
    ends, starts = [], []
    for genre in (1, 2):
        seed = next(
            s
            for s in range(40)
            if react("siren", cue((0.5, 1.5, 2.0), genre, s), FRAMES).policy == "cover"
        )
        body, reaction = performed("siren", (0.5, 1.5, 2.0), genre, seed)
        ends.append(np.hypot(*body.root[-1, [0, 2]]))
        starts.append(reaction.start_s - 0.5)
        assert 0.79 * LATENCY_S[genre] < starts[-1] < 1.21 * LATENCY_S[genre]
    assert ends[1] > ends[0] and starts[1] < starts[0]


def test_without_recordings_people_still_stand_about_and_the_same_each_time() -> None:
    one, two = (IdleLibrary(None).draw(400, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.rotations, two.rotations)
    assert np.abs(np.diff(one.rotations, axis=0)).max() > 0
