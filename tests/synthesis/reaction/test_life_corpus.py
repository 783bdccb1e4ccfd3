"""The corpus of long scenes: balanced, continuous, alive, and read back in excerpts."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
import torch

from motet.body.skeleton import body_motion, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.data.readers.sam import EXCERPT, Sam, spatial_set
from motet.errors import InputError
from motet.metrics import body_continuity
from motet.synthesis.reaction.corpus import CorpusChoice
from motet.synthesis.reaction.idle import IdleLibrary
from motet.synthesis.reaction.life_corpus import (
    MadeScene,
    build_life,
    draw_scenes,
    perform_scene,
    scene_audio,
)
from motet.synthesis.reaction.policy_upper_bound import policy_again
from motet.synthesis.reaction.scene import CorpusScene, PlacedSound, straight
from motet.synthesis.reaction.speaking import prosody


def performed(*sounds: PlacedSound, seconds: float, genre: int = 2) -> MadeScene:
    scene = CorpusScene("x", "train", seconds, sounds, 1)
    return perform_scene(scene, genre, 0, IdleLibrary(None), scene_audio(scene, 0, None))


def test_scenes_are_balanced() -> None:
    scenes = draw_scenes(240, 0)
    splits = Counter(scene.split for scene in scenes)
    assert splits["train"] > 8 * splits["test"] > 0 < splits["sector"] and splits["val"]
    roles = Counter(scene.role for scene in scenes)
    assert roles["speaker"] >= 18
    sides = [
        np.sign(sound.path[0, 1])
        for scene in scenes
        for sound in scene.sounds
        if not sound.is_own_voice and scene.split == "train"
    ]
    assert abs(np.mean(sides)) < 0.15
    assert max(len(scene.sounds) for scene in scenes) == 3
    lengths = [scene.seconds for scene in scenes]
    assert min(lengths) >= 9 and max(lengths) > 36 and max(lengths) <= 41


def test_two_events_have_two_reactions_and_nothing_jumps() -> None:
    made = performed(
        PlacedSound("gunshot", 1, 0.5, 3.5, straight(60, 2, 1.5)),
        PlacedSound("phone", 2, 6.0, 10.0, straight(-120, 3, 1.0)),
        seconds=12.0,
    )
    body = made.performance
    motion = body_motion(
        torch.from_numpy(body.root[::4]).float(), torch.from_numpy(body.rotations[::4]).float()
    )
    pose = pose_body(motion)
    assert body_continuity.largest_step(pose).metres < 0.25
    assert body_continuity.most_conspicuous_step(pose).ratio < 6  # a startle is quick
    torch.testing.assert_close(motion["root"][0], standing_root(), atol=1e-3, rtol=0)
    first = torch.from_numpy(body.rotations[0]).float()
    # The breath may be anywhere in its cycle.
    torch.testing.assert_close(first, standing_rotations(), atol=2e-2, rtol=0)
    events = made.truth["events"]
    assert [event["class"] for event in events] == ["gunshot", "phone"]
    for event in events:
        assert body_continuity.on_right_side(
            pose, 30.0, event["onset_s"], np.array(event["source"])
        )
    attended = made.episode.is_attended
    assert not attended[0] and attended[-1]
    assert made.episode.attended[-1, 0] < 0 < made.episode.attended[0, 0]


def test_dancing_lasts_and_speakers_gesture_on_their_emphasis() -> None:
    dance = performed(PlacedSound("drum", 1, 0.3, 20, straight(20, 2, 1)), seconds=20.5)
    speed = np.linalg.norm(np.diff(dance.performance.positions, axis=0), axis=-1).mean(-1) * 120
    thirds = [part.mean() for part in np.array_split(speed[240:], 3)]
    assert min(thirds) > 0.5 * max(thirds) > 0.05
    voice = PlacedSound("speech", 1, 0.2, 12, straight(0, 1, 1.5), True)
    made = performed(voice, seconds=12.5)
    assert made.truth["role"] == "speaker" and not made.episode.is_attended.any()
    wrist = made.performance.positions[:, 21] - made.performance.positions[:, 9]
    assert np.ptp(wrist[:, 1]) > 0.1, "the hand comes up"
    facing = made.performance.world[:, 0]
    assert np.degrees(np.abs(np.arctan2(facing[:, 0, 2], facing[:, 2, 2]))).max() < 25


def test_prosody_finds_phrases_and_emphasis() -> None:
    rate = 30720
    time = np.arange(3 * rate) / rate
    loud = np.where((time > 0.5) & (time < 1.5), 1.0, 0.0) + np.where(time > 2.0, 1.0, 0.0)
    stress = 1 + 4 * np.exp(-(((time - 1.0) / 0.08) ** 2))
    voice = prosody(loud * stress * np.sin(2 * np.pi * 150 * time) * 0.1, rate)
    assert [round(a, 1) for a, _ in voice.phrases_s] == [0.5, 2.0]
    strongest = voice.emphasis_s[int(np.argmax(voice.strength))]
    assert strongest == pytest.approx(1.0, abs=0.06)


def test_the_files_share_sound_resume_and_are_read_in_excerpts(tmp_path) -> None:
    choice = CorpusChoice(tmp_path, "life", 0, None, 3)
    count, seconds = build_life(choice)
    assert count == 3 and seconds > 27
    lines = [json.loads(line) for line in (tmp_path / "reactions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["s0000g0", "s0000g1", "s0000g2"]
    sounds = [(tmp_path / "audio" / f"s0000g{g}_l.wav").read_bytes() for g in range(3)]
    assert sounds[0] == sounds[1] == sounds[2]
    before = (tmp_path / "motion" / "s0000g1.npz").stat().st_mtime_ns
    (tmp_path / "motion" / ".s0000g2.json").unlink()
    assert build_life(choice)[0] == 3
    assert (tmp_path / "motion" / "s0000g1.npz").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="another corpus"):
        build_life(CorpusChoice(tmp_path, "life", 1, None, 3))
    assert policy_again(tmp_path) is None, "long scenes have no policy run again"
    data = Sam(tmp_path)
    onset = data.reactions()["s0000g0"]["events"][0]["onset_s"]
    assert data.event_frames("s0000g0") == (round(30 * onset),)
    assert data.read("s0000g0").attended is not None and data.role("s0000g0") == 0
    items = spatial_set(tmp_path, "train", "mono").items
    assert len(items) >= 3 and all(len(item.motion) >= 240 for item in items)
    assert all(item.attended is not None and int(item.attended[-1]) == 2 for item in items)
    assert all(len(item.motion) <= 1.2 * EXCERPT + 1 for item in items)
