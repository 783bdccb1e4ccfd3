"""From sound to phones by whatever is at hand, and what is told about it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.encoders.phonetic.encoder import load_phonetic
from motet.errors import AssetError, MissingDependency
from motet.evaluation.held_out import load_held_out
from motet.face.lip_closure import amount_from_timing, closed_by
from motet.phonetics import phone_source as acquisition
from motet.phonetics.phone_source import PhoneOptions, PhonePosterior, find_phones, in_pieces
from motet.phonetics.phones import SYMBOLS, PhoneSpan
from motet.phonetics.recognition import agreement, recognise
from motet.phonetics.transcription import (
    NotEnglish,
    phones_of_english,
    phones_of_loop,
    phones_of_text,
)
from motet.types import Audio, arkit_space

pytest.importorskip("pocketsphinx")
pytest.importorskip("hama")
CLIP = next(clip for clip in load_held_out().clips if clip.name == "0880")


@pytest.fixture(scope="module")
def posterior() -> PhonePosterior:
    listener = load_phonetic()
    return PhonePosterior(
        listener.phones(listener.features(CLIP.audio)).numpy(), listener.phone_names
    )


def speech() -> torch.Tensor:
    return CLIP.audio.samples.reshape(-1)


def test_a_text_comes_first(posterior: PhonePosterior) -> None:
    found = find_phones(speech(), PhoneOptions(text=CLIP.text), posterior)
    assert found.source == "text"
    assert 0.3 < found.confidence <= 1
    assert "".join(span.symbol for span in found.spans if span.symbol != "sil").startswith("hiw")


def test_without_text_english_is_recognised(posterior: PhonePosterior) -> None:
    found = find_phones(speech(), PhoneOptions(), posterior)
    known = phones_of_text(CLIP.audio, CLIP.text)[0]
    assert found.source == "english"
    starts = np.array([span.start for span in found.spans])
    near = [np.abs(starts - span.start).min() <= 0.04 for span in known if span.symbol != "sil"]
    assert np.mean(near) > 0.8, "most borders lie where the text has them"


def test_a_wrong_text_is_told_and_replaced(
    posterior: PhonePosterior, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = (
        "the quick brown fox jumps over the lazy dog and runs away into the deep dark forest where"
        " nobody lives any more at all"
    )
    with caplog.at_level(logging.WARNING, "motet.phonetics"):
        found = find_phones(speech(), PhoneOptions(text=wrong), posterior)
    assert found.source != "text" or found.notes
    assert "text" in caplog.text


def test_words_that_no_dictionary_has_are_said_by_their_letters() -> None:
    spans, guessed = phones_of_text(CLIP.audio, CLIP.text.replace("disposed", "disspozd"))
    assert guessed == ("disspozd",)
    assert any(span.symbol == "z" for span in spans)


def test_speech_of_another_language_goes_to_the_encoder(
    posterior: PhonePosterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    def foreign(sound: object, way: object) -> None:
        raise NotEnglish("the sound is probably not English")

    monkeypatch.setattr(acquisition, "in_pieces", foreign)
    found = find_phones(speech(), PhoneOptions(), posterior)
    assert found.source == "encoder"
    assert "not English" in found.notes[0]
    assert found.confidence > 0.5


def test_noise_is_not_english() -> None:
    noise = Audio.mono(0.05 * torch.randn(32000, generator=torch.Generator().manual_seed(0)), 16000)
    with pytest.raises(Exception, match="English|phones|fit"):
        phones_of_english(noise)


def test_without_optional_packages_the_encoder_answers(
    posterior: PhonePosterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*given: object) -> None:
        raise MissingDependency("this needs the package 'hama'")

    monkeypatch.setattr(acquisition, "in_pieces", missing)
    monkeypatch.setattr(acquisition, "phones_of_text", missing)
    found = find_phones(speech(), PhoneOptions(text=CLIP.text), posterior)
    assert found.source == "encoder"
    assert len(found.notes) == 2


def test_times_of_a_file_are_taken_as_they_are(posterior: PhonePosterior, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("start,end,phone\n0.5,0.6,m\n0.6,0.9,a\n")
    found = find_phones(speech(), PhoneOptions(timing=str(tmp_path / "a.csv")), posterior)
    assert found.source == "file"
    assert found.spans == (PhoneSpan(0.5, 0.6, "m"), PhoneSpan(0.6, 0.9, "a"))
    with pytest.raises(AssetError):
        find_phones(speech(), PhoneOptions(timing=str(tmp_path / "none.csv")), posterior)


def test_nothing_at_all_is_said_to_be_nothing() -> None:
    assert find_phones(speech(), PhoneOptions(), None).source == "none"
    assert find_phones(speech(), PhoneOptions(recogniser="none"), None).spans == ()


def test_the_phone_loop_finds_borders() -> None:
    loop, known = phones_of_loop(CLIP.audio), phones_of_text(CLIP.audio, CLIP.text)[0]
    starts = np.array([span.start for span in loop])
    assert np.mean([np.abs(starts - span.start).min() <= 0.05 for span in known]) > 0.6


def test_alignment_does_not_depend_on_what_came_before() -> None:
    first = phones_of_text(CLIP.audio, CLIP.text)
    phones_of_english(CLIP.audio)
    assert phones_of_text(CLIP.audio, CLIP.text) == first


def test_long_sound_is_recognised_in_pieces() -> None:
    sound = torch.cat([speech(), torch.zeros(8000)]).repeat(9)
    lengths = []

    def way(audio: Audio) -> tuple[PhoneSpan, ...]:
        lengths.append(audio.seconds)
        return (PhoneSpan(0.1, 0.2, "a"),)

    spans = in_pieces(sound, way)
    assert max(lengths) <= 20 and sum(lengths) == pytest.approx(len(sound) / 16000)
    assert [span.start for span in spans] == pytest.approx(
        [0.1 + t for t in np.cumsum([0, *lengths[:-1]])]
    )


def test_agreement_tells_right_from_wrong(posterior: PhonePosterior) -> None:
    right = phones_of_text(CLIP.audio, CLIP.text)[0]
    backwards = [
        PhoneSpan(a.start, a.end, b.symbol) for a, b in zip(right, reversed(right), strict=True)
    ]
    assert posterior.agreement(right) > posterior.agreement(backwards) + 0.1
    assert agreement((), posterior.log_probabilities, posterior.symbols, 50.0) == 0.0


def test_the_best_path_holds_on_against_single_odd_steps() -> None:
    scores = np.full((30, len(SYMBOLS)), -8.0)
    scores[:15, 3], scores[15:, 5], scores[7, 9] = -0.1, -0.1, -0.05
    scores[7, 3] = -1.0
    assert [
        (round(s.start * 50), round(s.end * 50), s.symbol) for s in recognise(scores, SYMBOLS, 50.0)
    ] == [(0, 15, SYMBOLS[3]), (15, 30, SYMBOLS[5])]


def test_closures_shut_the_lips_of_the_figure() -> None:
    from motet.metrics.lip import CLOSED_M
    from motet.metrics.lip_geometry import lip_geometry_of
    from motet.rigs.house import load_house
    from motet.types import Motion

    space = arkit_space()
    values = torch.zeros(50, 55)
    for name, weight in (
        ("jawOpen", 0.5),
        ("mouthLowerDownLeft", 0.4),
        ("mouthLowerDownRight", 0.4),
        ("mouthFunnel", 0.3),
    ):
        values[:, space.index("blendshapes", name)] = weight
    amount = amount_from_timing(len(values), space.fps, [(1.0, 1.03)])
    shut = closed_by(values[None], amount[None])[0]
    opening = lip_geometry_of(load_house()).opening(Motion(shut, space))
    assert float(opening[25]) < CLOSED_M < float(opening[10])
    assert torch.equal(shut[:20], values[:20])
    assert amount_from_timing(50, 25.0, [(1.011, 1.019)])[25] == 1.0, (
        "the nearest frame shuts even for the shortest closure"
    )
