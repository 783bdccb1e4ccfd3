"""Performances: closures, stillness, ranges, determinism, styles, blinks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import AssetError, ConfigError, InputError
from motet.face.lip_shapes import measure
from motet.phonetics.phones import PHONES, SYMBOLS, PhoneSpan
from motet.synthesis.performance import gestures
from motet.synthesis.performance.coarticulation import DominanceModel
from motet.synthesis.performance.model import load_model, save_model
from motet.synthesis.performance.perform import perform
from motet.synthesis.performance.prosody import analyse
from motet.synthesis.performance.style import STYLES, StyleSettings, personal, style
from motet.synthesis.performance.synthesis import SynthOptions, read_phones, synthesise
from motet.types import ARKIT_SHAPES, Audio

FPS = 25.0
MODEL = load_model()
ROLL = ARKIT_SHAPES.index("mouthRollLower")


def babble(
    seed: int, seconds: float = 8.0, pause_s: float = 1.6
) -> tuple[np.ndarray, tuple[PhoneSpan, ...]]:
    """A buzzing sound with random phones: silence, speech, a pause, speech, silence."""
    random = np.random.default_rng(seed)
    phones: list[PhoneSpan] = [PhoneSpan(0.0, 0.8, "sil")]
    spoken = [s for s in SYMBOLS if s != "sil"]
    while phones[-1].end < seconds - 0.9:
        start = phones[-1].end
        if abs(start - seconds / 2) < 0.1 and phones[-1].symbol != "sil":
            phones.append(PhoneSpan(start, start + pause_s, "sil"))
        else:
            phones.append(
                PhoneSpan(start, start + random.uniform(0.05, 0.14), str(random.choice(spoken)))
            )
    phones.append(PhoneSpan(phones[-1].end, max(seconds, phones[-1].end + 0.5), "sil"))
    count = int(phones[-1].end * 16_000)
    time = np.arange(count) / 16_000
    loud = np.zeros(count)
    for phone in phones:
        if phone.symbol != "sil":
            loud[int(phone.start * 16_000) : int(phone.end * 16_000)] = (
                0.2 if PHONES[phone.symbol].is_vowel else 0.05
            )
    return (loud * np.sign(np.sin(2 * np.pi * 120 * time + 3 * np.sin(3 * time)))).astype(
        np.float32
    ), tuple(phones)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 100_000), name=st.sampled_from(sorted(STYLES)))
def test_closures_ranges_and_stillness_in_every_style(seed, name):
    sound, phones = babble(seed, 5.0)
    values = perform(MODEL, sound, phones, personal(STYLES[name], seed), seed)
    assert values.shape == (round(len(sound) / 16_000 * FPS), 55) and np.isfinite(values).all()
    assert values[:, :52].min() >= 0 and values[:, :52].max() <= 1
    assert np.abs(values[:, 52:]).max() < 0.9
    gap = measure(values[:, :52])[:, 0]
    for phone in phones:
        around = slice(max(0, round(phone.start * FPS) - 1), round(phone.end * FPS) + 2)
        if PHONES[phone.symbol].is_closure:
            assert gap[around].min() < 0.02, phone
        if PHONES[phone.symbol].is_labiodental:
            assert values[around, ROLL].max() > 0.25, phone
            assert gap[around].min() < 0.10, phone
        if phone.symbol == "sil" and phone.end - phone.start > 1.2:
            # Breath is drawn through the mouth for up to 0.6 s before speech.
            still = gap[round((phone.start + 0.4) * FPS) : round((phone.end - 0.65) * FPS)]
            assert still.max() < 0.02 and np.abs(np.diff(still)).max(initial=0) < 2e-3


def test_speech_opens_the_mouth():
    """So that closed lips everywhere would not pass."""
    sound, phones = babble(1)
    gap = measure(perform(MODEL, sound, phones, StyleSettings(), 0)[:, :52])[:, 0]
    vowels = [
        round((p.start + p.end) / 2 * FPS) for p in phones if p.symbol in ("a", "æ", "ɑ", "ɛ", "ʌ")
    ]
    assert np.median(gap[vowels]) > 0.08


def test_same_seed_same_bytes_and_another_seed_another_head():
    sound, phones = babble(3)
    one = perform(MODEL, sound, phones, STYLES["warm"], 7)
    assert one.tobytes() == perform(MODEL, sound.copy(), tuple(phones), STYLES["warm"], 7).tobytes()
    other = perform(MODEL, sound, phones, STYLES["warm"], 8)
    assert not np.array_equal(one[:, 52:], other[:, 52:])
    mouth = [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith(("mouth", "jaw"))]
    assert np.array_equal(one[:, mouth], other[:, mouth])


@pytest.mark.parametrize("rate", [8.0, 17.0, 30.0])
def test_blinks_come_at_the_asked_rate_with_natural_times(rate):
    sound, phones = babble(4, 20.0)
    prosody = analyse(sound, phones, 500, FPS)
    wide = dataclasses.replace(
        prosody, speaking=np.tile(prosody.speaking, 30), loudness=np.tile(prosody.loudness, 30)
    )
    lids = gestures.blinks(wide, StyleSettings(blink_rate=rate), FPS, np.random.default_rng(0))
    closed = np.diff((lids > 0.5).astype(int))
    count = int((closed == 1).sum())
    assert abs(count / (len(lids) / FPS / 60) - rate) < 0.3 * rate
    lengths = np.flatnonzero(closed == -1)[:count] - np.flatnonzero(closed == 1)[:count]
    assert 2 <= np.median(lengths) <= 5 and lengths.max() <= 12
    assert lids.max() > 0.9


def test_blinks_cluster_at_phrase_ends():
    sound, phones = babble(5, 12.0)
    prosody = analyse(sound, phones, round(len(sound) / 16_000 * FPS), FPS)
    ends = np.array([p.end for p in prosody.phrases])
    near = total = 0
    for seed in range(60):
        lids = gestures.blinks(
            prosody, StyleSettings(blink_rate=20), FPS, np.random.default_rng(seed)
        )
        starts = np.flatnonzero(np.diff((lids > 0.3).astype(int)) == 1) / FPS
        near += sum(bool((np.abs(ends + 0.1 - t) < 0.4).any()) for t in starts)
        total += len(starts)
    share = min(len(ends) * 0.8 / prosody.loudness.size * FPS, 1.0)
    assert near / total > 1.5 * share


def course(name: str, seed: int = 11) -> np.ndarray:
    sound, phones = babble(seed, 10.0)
    return perform(MODEL, sound, phones, STYLES[name], 1)


def test_style_parameters_change_what_they_say():
    sound, phones = babble(11, 10.0)

    def made(**parameters) -> np.ndarray:
        return perform(MODEL, sound, phones, StyleSettings(**parameters), 1)

    def mean(values: np.ndarray, shape: str) -> float:
        return float(values[:, ARKIT_SHAPES.index(shape)].mean())

    base = made()
    gap = measure(base[:, :52])[:, 0]
    assert (
        measure(made(articulation=1.4)[:, :52])[:, 0].std()
        > 1.15 * gap.std()
        > 1.3 * measure(made(articulation=0.6)[:, :52])[:, 0].std()
    )
    assert mean(made(smile=0.4), "mouthSmileLeft") > mean(base, "mouthSmileLeft") + 0.15
    assert mean(made(smile=-0.4), "mouthFrownLeft") > mean(base, "mouthFrownLeft") + 0.3
    assert mean(made(brow_height=0.5), "browInnerUp") > mean(base, "browInnerUp") + 0.3
    assert mean(made(brow_height=-0.5), "browDownLeft") > mean(base, "browDownLeft") + 0.4
    assert made(head_range=2.0)[:, 53].std() > 1.8 * base[:, 53].std()
    assert abs(made(head_pitch=0.1)[:, 52].mean() - base[:, 52].mean() - 0.1) < 0.02
    assert mean(made(squint=0.4), "eyeSquintLeft") > 0.3 > 0.2 > mean(base, "eyeSquintLeft")
    assert mean(made(wide_eyes=0.4), "eyeWideRight") > mean(base, "eyeWideRight") + 0.25
    assert mean(made(lip_tension=0.3), "mouthPressRight") > mean(base, "mouthPressRight") + 0.2
    uneven = made(asymmetry=0.4, smile=0.3)
    assert mean(uneven, "mouthSmileLeft") > 1.5 * mean(uneven, "mouthSmileRight")
    wander = [
        made(gaze_range=g)[:, [ARKIT_SHAPES.index(f"eyeLook{d}Left") for d in ("In", "Out")]].std()
        for g in (0.0, 2.5)
    ]
    assert wander[1] > wander[0]


def test_there_are_a_dozen_styles_and_each_is_another():
    assert len(STYLES) >= 12
    courses = {name: course(name).tobytes() for name in STYLES}
    assert len(set(courses.values())) == len(STYLES)


def test_people_differ_and_stay_themselves():
    assert personal(STYLES["calm"], 3) == personal(STYLES["calm"], 3) != personal(STYLES["calm"], 4)
    with pytest.raises(ConfigError, match="did you mean 'neutral'"):
        style("neutrl")
    with pytest.raises(ConfigError, match="articulation"):
        StyleSettings(articulation=9)


def test_louder_speech_opens_wider():
    sound, phones = babble(6, 10.0)
    half = len(sound) // 2
    loud = sound * np.where(np.arange(len(sound)) < half, 0.25, 1.0).astype(np.float32)
    flat = measure(perform(MODEL, sound, phones, StyleSettings(), 0)[:, :52])[:, 0]
    swelling = measure(perform(MODEL, loud, phones, StyleSettings(), 0)[:, :52])[:, 0]
    middle = len(flat) // 2
    assert (
        swelling[:middle].mean() / swelling[middle:].mean()
        < 0.85 * flat[:middle].mean() / flat[middle:].mean()
    )


def test_strong_phones_colour_weak_ones():
    """Dominance: a weak phone between two strong ones is pulled towards them, alone it keeps its
    target."""
    size = len(SYMBOLS)
    targets = np.zeros((size, 15))
    a, u = SYMBOLS.index("t"), SYMBOLS.index("u")
    targets[u, 3] = 1.0
    strength = np.ones((size, 3))
    strength[u] = 20.0
    model = DominanceModel(targets, strength, np.full((size, 3), 0.06), np.full((size, 3), 0.06))
    assert a != u
    among = model(
        [PhoneSpan(0.0, 0.1, "u"), PhoneSpan(0.1, 0.16, "t"), PhoneSpan(0.16, 0.26, "u")],
        np.array([0.13]),
    )
    alone = model([PhoneSpan(0.0, 0.3, "t"), PhoneSpan(0.3, 0.6, "t")], np.array([0.13]))
    assert among[0, 3] > 0.5 and alone[0, 3] == 0
    assert model([], np.arange(3.0)).max() == 0


def test_a_long_recording_is_blended_as_a_short_one():
    sound, phones = babble(8, 30.0)
    times = np.arange(700) / FPS
    late = [p for p in phones if p.end > 14]
    assert np.allclose(
        MODEL.dominance(phones, times)[500:600], MODEL.dominance(late, times)[500:600], atol=2e-3
    )


@pytest.mark.parametrize(
    "bad", [np.zeros(0, np.float32), np.zeros((2, 100), np.float32), np.array([np.nan, 1.0])]
)
def test_unusable_sound(bad):
    with pytest.raises(InputError):
        perform(MODEL, bad, (), StyleSettings(), 0)


def test_phones_must_be_in_order():
    with pytest.raises(InputError, match="time order"):
        perform(
            MODEL,
            np.zeros(16_000, np.float32),
            (PhoneSpan(0.5, 0.6, "a"), PhoneSpan(0.1, 0.2, "b")),
            StyleSettings(),
            0,
        )


def test_model_file_round_trip_and_doors(tmp_path):
    save_model(MODEL, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert (
        np.array_equal(again.dominance.targets, MODEL.dominance.targets)
        and again.acoustic_share == MODEL.acoustic_share
    )
    with pytest.raises(AssetError, match="missing"):
        load_model(tmp_path / "none")
    (tmp_path / "bad").write_bytes((tmp_path / "m.safetensors").read_bytes()[:500])
    with pytest.raises(AssetError):
        load_model(tmp_path / "bad")


def test_phone_files(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps([[0, 0.2, "SIL"], [0.2, 0.3, "AY1"], [0.3, 0.4, "ʃ"]]))
    assert [p.symbol for p in read_phones(path)] == ["sil", "a", "ɪ", "ʃ"]
    lab = tmp_path / "p.lab"
    lab.write_text("0.0 0.1 sil\n0.1 0.2 p\n")
    assert [p.symbol for p in read_phones(lab)] == ["sil", "p"]
    for text in (
        "[[0, 1]]",
        "[[1, 0.5, 'a']]",
        '[[1, 0.5, "a"]]',
        '[[0, 1, "§"]]',
        "{",
        '[["x", 1, "a"]]',
        '[[0, NaN, "a"]]',
    ):
        path.write_text(text)
        with pytest.raises(InputError):
            read_phones(path)
    with pytest.raises(InputError, match="no phones"):
        read_phones(tmp_path / "none.json")


@settings(max_examples=15, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_as_phones_is_a_typed_error_or_phones(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("p") / "p.lab"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        read_phones(path)
    except InputError as error:
        assert str(error)


def test_synthesis_of_a_recording_with_given_phones(tmp_path):
    import torch

    from motet.data.clip import load_clip, save_clip

    sound, phones = babble(9, 4.0)
    lab = tmp_path / "p.lab"
    lab.write_text("\n".join(f"{p.start} {p.end} {p.symbol}" for p in phones), encoding="utf-8")
    made = synthesise(
        Audio.mono(torch.from_numpy(sound), 16_000),
        SynthOptions(style="warm", person=2, phones=lab, seed=5, licence="CC0-1.0"),
    )
    assert (
        made.facts.style == "warm"
        and made.facts.seed == 5
        and made.facts.settings["style"]["blink_rate"] != STYLES["warm"].blink_rate
    )
    assert len(made.facts.phones) == len(phones)
    back = load_clip(save_clip(tmp_path / "x.safetensors", made))
    assert back.facts == made.facts
