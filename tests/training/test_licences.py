"""Which recordings train, and what the weights say about them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import motet
from motet.checkpoint import read_checkpoint
from motet.data.corpus import PRIVATE, Corpus
from motet.errors import ConfigError, InputError
from motet.training import training_sets
from motet.training.target import _refuse_private


def corpus(monkeypatch: pytest.MonkeyPatch, *licences: str) -> Corpus:
    """An index of one clip of an hour for each licence."""
    made = object.__new__(Corpus)
    made.folder = Path("corpus")
    made.entries = [
        SimpleNamespace(  # type: ignore[misc]
            facts=SimpleNamespace(name=f"r{index}", licence=one, split="train", source="s"),
            seconds=3600.0,
        )
        for index, one in enumerate(licences)
    ]
    monkeypatch.setattr(training_sets, "Corpus", lambda folder: made)
    return made


@pytest.mark.parametrize(
    "licences,said,hours",
    [
        (("CC0-1.0", "MIT"), "Apache-2.0", 2.0),
        (("CC0-1.0", PRIVATE), PRIVATE, 2.0),
        ((PRIVATE,), PRIVATE, 1.0),
        (("CC-BY-NC-4.0", "MIT"), "Apache-2.0", 1.0),
    ],
)
def test_weights_of_private_recordings_say_so(
    licences: tuple[str, ...], said: str, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(monkeypatch, *licences)
    facts: dict[str, Any] = training_sets.corpus_facts(Path("corpus"), "as they are", "digest")
    assert facts["licence"] == said
    assert sum(facts["sources"].values()) == pytest.approx(hours)


def test_a_licence_that_forbids_training_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made = corpus(monkeypatch, "CC-BY-NC-4.0")
    with pytest.raises(InputError, match="private"):
        training_sets.trainable(made, "train")


def test_private_weights_stay_out_of_the_package(tmp_path: Path) -> None:
    inside = Path(motet.__file__).parent / "weights" / "artalk.safetensors"
    with pytest.raises(ConfigError, match="choose another file"):
        _refuse_private(inside, lambda: {"licence": PRIVATE})
    _refuse_private(inside, lambda: {"licence": "Apache-2.0"})
    _refuse_private(tmp_path / "own.safetensors", lambda: {"licence": PRIVATE})


def test_no_shipped_weights_are_private() -> None:
    files = sorted((Path(motet.__file__).parent / "weights").glob("*.safetensors"))
    assert files
    assert all(read_checkpoint(path).facts.get("licence") != PRIVATE for path in files)
