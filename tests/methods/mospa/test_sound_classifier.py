"""Kinds of sounds, and what the network sees of a sound whose reaction is given."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from motet.methods.mospa.item_progress import ItemProgress, WindowPlan
from motet.methods.mospa.sound_classifier import (
    INNER,
    LOUDNESS,
    STATISTICS,
    TEMPORAL,
    SoundClassifier,
    pool,
    widened,
)
from motet.methods.mospa.window_task import seen_features
from motet.reaction_families import (
    FAMILY_NAMES,
    FAMILY_OF,
    SOUND_FAMILIES,
    SOUND_NAMES,
    family_number,
)

COLUMNS, FRAMES = 68, 60


def test_every_sound_has_a_family_and_every_family_a_number() -> None:
    assert set(SOUND_FAMILIES.values()) == set(FAMILY_OF.values()) == set(FAMILY_NAMES)
    assert sorted(map(family_number, FAMILY_NAMES)) == list(range(1, len(FAMILY_NAMES) + 1))
    assert family_number("default") == 0


def test_the_kind_is_the_best_of_the_most_probable_family() -> None:
    classifier = SoundClassifier(COLUMNS)
    features = torch.randn(90, COLUMNS, generator=torch.Generator().manual_seed(0))
    assert not classifier.kind(features).is_sure, "all kinds are equally probable at first"
    with torch.no_grad():
        classifier.outer.bias[SOUND_NAMES.index("siren")] = 9.0
    found = classifier.kind(features)
    assert (found.name, found.family) == ("siren", "cover") and found.is_sure


def test_statistics_do_not_depend_on_what_follows_four_seconds() -> None:
    features = torch.randn(200, COLUMNS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pool(features), pool(features[:120]))


def test_a_beat_and_held_tones_are_told_from_noise() -> None:
    randomness = torch.Generator().manual_seed(0)
    noise = torch.rand(120, COLUMNS, generator=randomness)
    tune = noise.clone()
    tune[:, 64] = 0.0
    tune[::15, 64] = 1.0  # 120 beats a minute
    tune[:, 52:64] = 0.0
    tune[:, 55] = 1.0  # one tone throughout
    pulse, held, _, clear = pool(tune)[-TEMPORAL:][:4]
    assert pulse > 0.8 and held > 0.99 and clear > 0.99
    pulse, held, _, clear = pool(noise)[-TEMPORAL:][:4]
    assert pulse < 0.4 and held < 0.9 and clear < 0.9


def test_silence_after_a_sound_does_not_change_what_it_is() -> None:
    sound = 1 + torch.rand(30, COLUMNS, generator=torch.Generator().manual_seed(0))
    ended = torch.cat([sound, torch.zeros(20, COLUMNS)])
    longer = torch.cat([sound, torch.zeros(80, COLUMNS)])
    torch.testing.assert_close(pool(ended), pool(longer))


def test_older_weights_keep_their_predictions() -> None:
    randomness = torch.Generator().manual_seed(0)
    inputs, kinds = STATISTICS * COLUMNS, len(FAMILY_OF)
    old = {
        "inner.weight": torch.randn(INNER, inputs, generator=randomness),
        "inner.bias": torch.zeros(INNER),
        "outer.weight": torch.randn(kinds, INNER, generator=randomness),
        "outer.bias": torch.zeros(kinds),
        "mean": torch.zeros(inputs),
        "std": torch.ones(inputs),
    }
    new = widened({f"sound_classifier.{name}": tensor for name, tensor in old.items()})
    classifier = SoundClassifier(COLUMNS)
    classifier.load_state_dict({name.split(".", 1)[1]: tensor for name, tensor in new.items()})
    pooled = torch.randn(5, inputs + TEMPORAL, generator=randomness)
    inner = torch.relu(pooled[:, :inputs] @ old["inner.weight"].T)
    expected = (inner @ old["outer.weight"].T).softmax(-1)
    torch.testing.assert_close(classifier(pooled).softmax(-1)[:, :kinds], expected)
    assert not classifier.is_temporal, "silence after a sound stays as it was fitted"
    assert widened(new).keys() == new.keys()
    assert all(widened(new)[name] is new[name] for name in new)


def test_an_example_is_seen_where_its_family_is_replaced_and_something_sounds() -> None:
    own = torch.full((1, FRAMES, COLUMNS), 0.5)
    own[:, 20:] = 1.0
    own[:, 50:, LOUDNESS] = 0.0
    number = family_number("greet")
    families = np.where(np.arange(FRAMES) >= 20, number, 0)
    plan = WindowPlan(FRAMES, np.zeros((FRAMES, 3)), np.zeros(3), families=families)
    examples = 100 + torch.arange(7.0 * 25 * COLUMNS).view(7, 25, COLUMNS)
    item = ItemProgress(torch.zeros(0, 300))
    seen = seen_features(own, [item], [plan], examples, (number,))[0]
    torch.testing.assert_close(seen[:20], own[0, :20])
    torch.testing.assert_close(seen[20:45], examples[number - 1])
    torch.testing.assert_close(seen[45], examples[number - 1, 23])
    later = dataclasses.replace(item, generated=30, windows=1)
    plan = dataclasses.replace(plan, families=np.full(FRAMES, number))
    seen = seen_features(own, [later], [plan], examples, (number,))[0]
    torch.testing.assert_close(seen[0], examples[number - 1, 18])
    assert seen_features(own, [item], [plan], examples, ())[0].equal(own[0])
