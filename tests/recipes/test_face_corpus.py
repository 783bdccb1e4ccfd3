"""The face corpus of the shipped weights: long performances, silence, lawful sources."""

from __future__ import annotations

import numpy as np
import pytest

from motet.errors import ConfigError
from motet.face.lip_shapes import measure
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import perform
from motet.synthesis.performance.style import STYLES
from motet.types import ARKIT_SHAPES
from recipes.face_corpus import FaceCorpus
from recipes.long_performances import Piece, in_lengths, joined_pieces, no_speech
from recipes.performances import quiet_recordings
from recipes.speech.packages import SpeechPackages
from recipes.speech_corpus import build_speech_corpus
from tests.synthesis.test_performance import babble

MODEL = load_model()


def test_long_performances_have_pauses_and_everything_once():
    pieces = [Piece(f"p{k}", *babble(k, 4.0)) for k in range(6)]
    groups = list(in_lengths(pieces, np.random.default_rng(0), 8, 12))
    assert sorted(p.name for g in groups for p in g) == [p.name for p in pieces]
    long = joined_pieces(groups[0], np.random.default_rng(1), "long")
    assert len(long.sound) > sum(len(p.sound) for p in groups[0]) + 0.3 * 16_000 * (
        len(groups[0]) - 1
    )
    assert all(a.start <= b.start for a, b in zip(long.phones, long.phones[1:], strict=False))
    first = next(p for p in long.phones if p.symbol != "sil")
    inside = next(p for p in groups[0][0].phones if p.symbol != "sil")
    shift = first.start - inside.start
    a, b = int(first.start * 16_000), int(inside.start * 16_000)
    assert shift > 0 and np.array_equal(long.sound[a : a + 800], groups[0][0].sound[b : b + 800])


@pytest.mark.parametrize("kind", ["silence", "white", "pink", "hum", "knocks"])
def test_what_is_no_speech_moves_no_lips(kind):
    sound = no_speech(kind, 6.0, np.random.default_rng(0))
    values = perform(MODEL, sound, (), STYLES["energetic"], 0)
    mouth = [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith(("mouth", "jaw"))]
    assert np.ptp(values[:, mouth], axis=0).max() == 0
    assert measure(values[:, :52])[:, 0].max() < 0.01
    assert np.abs(np.diff(values[:, 52:], axis=0)).max() < np.radians(1.0)


def test_quiet_recordings_are_silent_faces_of_own_making():
    made = list(quiet_recordings(MODEL, 0.5, 0))
    assert made and all(r.facts.licence == "CC0-1.0" for r in made)
    assert [r.motion.values.numpy().tobytes() for r in made] == [
        r.motion.values.numpy().tobytes() for r in quiet_recordings(MODEL, 0.5, 0)
    ]


def test_only_lawful_speech_may_enter_the_corpus(tmp_path):
    with pytest.raises(ConfigError, match="may not shape"):
        FaceCorpus(tmp_path, tmp_path, sources=("asterisk_en",))
    with pytest.raises(ConfigError, match="performers"):
        FaceCorpus(tmp_path, tmp_path, performers=0)


def test_an_unknown_speech_source_is_named(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'grid'"):
        build_speech_corpus(["gird"], tmp_path, SpeechPackages(tmp_path, tmp_path))
