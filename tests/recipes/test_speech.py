"""Readers of speech: cutting, alignment, names; on real material where it is at hand."""

import os
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from motet.errors import AssetError
from motet.phonetics.phones import SYMBOLS
from motet.training.phonetic import LAST_WEIGHTS, WEIGHTS
from recipes.speech import facegood, grid, held_out, kokoro54
from recipes.speech.packages import SpeechPackages
from recipes.speech.pauses import cut_at_pauses
from recipes.speech_corpus import EVALUATION_ONLY, SOURCES

DATA = Path(os.environ.get("MOTET_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
real = pytest.mark.skipif(
    not (DATA / "grid_s1" / "words.json").exists(), reason="no recordings at MOTET_DATA"
)


def test_pieces_cover_everything_and_end_in_pauses() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 16000 * 40).astype(np.float32)
    sound[16000 * 9 : 16000 * 10] = 0
    pieces = cut_at_pauses(sound)
    assert pieces[0][0] == 0 and pieces[-1][1] == len(sound)
    assert all(a[1] == b[0] for a, b in zip(pieces, pieces[1:], strict=False))
    assert 9.0 <= pieces[0][1] / 16000 <= 10.0 and all(b - a <= 12.0 * 16000 for a, b in pieces)


def test_split_is_the_agreed_one() -> None:
    assert [grid.split_of(i) for i in (0, 1, 2, 19, 20, 21)] == [
        "test",
        "validation",
        "train",
        "train",
        "test",
        "validation",
    ]


def test_share_alike_sound_is_never_a_training_source() -> None:
    assert (
        not set(SOURCES) & set(EVALUATION_ONLY)
        and not set(WEIGHTS) & set(EVALUATION_ONLY)
        and set(WEIGHTS) == set(LAST_WEIGHTS) == set(SOURCES)
    )


def test_grid_names_spell_their_words() -> None:
    assert held_out.grid_sentence("brbk7n") == "bin red by k seven now"
    assert held_out.grid_sentence("swiz3n") == "set white in z three now"


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssetError, match="apt-get is not installed"):
        SpeechPackages(tmp_path, tmp_path).debian("festvox-ru")


def test_an_unpacked_package_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "some-package").mkdir()
    assert SpeechPackages(tmp_path, tmp_path).debian("some-package") == tmp_path / "some-package"


def test_speech_of_kokoro_must_have_been_made(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="speech_kokoro.generate"):
        next(kokoro54.utterances(SpeechPackages(tmp_path, tmp_path)))


@real
def test_real_grid_clips_carry_their_phones() -> None:
    pytest.importorskip("pocketsphinx")
    clip = next(islice(grid.utterances(SpeechPackages(DATA, DATA)), 2, None))
    assert (
        clip.split == "train"
        and clip.seconds == pytest.approx(3, abs=0.05)
        and {p.symbol for p in clip.phones} <= set(SYMBOLS)
    )
    assert all(0 <= p.start < p.end <= clip.seconds for p in clip.phones) and len(clip.phones) > 10


@real
def test_real_mandarin_is_cut() -> None:
    pieces = list(islice(facegood.utterances(SpeechPackages(DATA, DATA)), 3))
    assert all(4 < p.seconds <= 12 and p.language == "zh" for p in pieces)


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_phone_times_fit_its_sound(tmp_path: Path) -> None:
    from recipes.speech import flite

    made = flite._speak("Mama made a map.", "slt", 1.0, tmp_path / "x.wav", 0)
    assert [p.symbol for p in made.phones if p.symbol != "sil"][:4] == ["m", "ɑ", "m", "ə"]
    assert made.phones[-1].end == pytest.approx(made.seconds, abs=0.05)
