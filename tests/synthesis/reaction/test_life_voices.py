"""Scenes in which voices of a speech corpus talk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motet.data.speech.corpus import write_source
from motet.data.speech.utterance import Utterance
from motet.errors import InputError
from motet.synthesis.reaction.life_voices import KINDS, draw_voice_scenes
from motet.synthesis.soundscape.classes import make_sound
from motet.synthesis.soundscape.voices import VoiceLibrary


def utterance(name: str, speaker: str, split: str, hz: float) -> Utterance:
    samples = 0.3 * np.sin(np.arange(16_000) * (2 * np.pi * hz / 16_000))
    return Utterance(name, "own", samples, "en", speaker, "CC0", split=split)


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    made = [utterance("a", "ann", "train", 220.0), utterance("b", "bob", "validation", 110.0)]
    write_source(tmp_path, "own", made)
    return VoiceLibrary(tmp_path)


def test_only_speakers_to_train_on_talk(library: VoiceLibrary, tmp_path: Path) -> None:
    assert library.speakers == ("own/ann",)
    made = make_sound("speech", 3.0, (0, 1), library)
    spectrum = np.abs(np.fft.rfft(made.samples[round(made.onset_s * 30_720) :][:30_720]))
    assert abs(int(spectrum.argmax()) - 220) < 25
    with pytest.raises(InputError, match="no speech"):
        VoiceLibrary(tmp_path / "nothing")


def test_scenes_have_all_kinds_and_do_not_depend_on_their_number(library: VoiceLibrary) -> None:
    scenes, again = draw_voice_scenes(8, 0, library), draw_voice_scenes(4, 0, library)[3]
    assert len(scenes) == len(KINDS) and scenes[3].seconds == again.seconds
    for scene, kind in zip(scenes, KINDS, strict=True):
        assert scene.role == ("speaker" if kind == "own" else "listener")
        assert len(scene.sounds) == (2 if kind in ("jumps", "follows") else 1)
        assert scene.sounds[-1].name == "speech" and scene.seconds >= scene.sounds[-1].stop_s
