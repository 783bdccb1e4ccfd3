"""Everything `motet train phonetic` is made of, on a tiny corpus: targets, streams, degradation,
probes, resuming."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.data.augment import change_rate, degrade
from motet.data.speech.corpus import read_audio, read_index, source_facts, write_source
from motet.data.speech.utterance import Utterance
from motet.encoders.phonetic.encoder import PhoneticEncoder
from motet.errors import AssetError
from motet.phonetics.phones import INDEX, PhoneSpan
from motet.training import phonetic
from motet.training.distillation_targets import (
    LIP_CHANNELS,
    TeacherProjection,
    at_times,
    ridge,
    steps_of,
    with_context,
    write_targets,
)
from motet.training.settings import TrainConfig
from motet.training.speech_batches import SpeechSet
from motet.training.target import TrainingData, TrainingJob, train_target

SHORT = TrainConfig(
    steps=3, batch=2, learning_rate=1e-3, warmup=1, save_every_s=1e9, log_every=1, validation=0
)


def tone(name: str, hz: float, seconds: float) -> Utterance:
    samples = 0.2 * np.sin(2 * np.pi * hz * np.arange(int(seconds * 16000)) / 16000).astype(
        np.float32
    )
    return Utterance(
        name,
        "facegood",
        samples,
        "en",
        "t",
        "public domain",
        (PhoneSpan(0.0, seconds / 2, "m"), PhoneSpan(seconds / 2, seconds, "a")),
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of three tones whose teacher simply hums noise."""
    folder = tmp_path_factory.mktemp("data")
    write_source(
        folder / "corpus",
        "facegood",
        iter([tone("a", 200, 1.0), tone("b", 400, 1.313), tone("c", 800, 0.7)]),
    )
    _, first, count = steps_of(read_index(folder / "corpus", "facegood"))[-1]
    chance = torch.Generator().manual_seed(0)
    hum = torch.randn(first + count, 384, generator=chance)
    (folder / "teacher").mkdir()
    np.save(folder / "teacher" / "facegood.whisper.npy", hum.half().numpy())
    basis = torch.linalg.qr(torch.randn(384, 96, generator=chance))[0]
    TeacherProjection(
        hum.mean(0),
        basis,
        torch.linspace(2, 1, 96),
        torch.randn(96 * 5 + 1, len(LIP_CHANNELS), generator=chance) * 0.05,
    ).save(folder / "teacher" / "teaching.safetensors")
    write_targets(
        folder / "corpus",
        "facegood",
        folder / "teacher",
        TeacherProjection.load(folder / "teacher" / "teaching.safetensors"),
        folder / "teacher",
    )
    return folder


def test_a_corpus_reads_back(data: Path) -> None:
    entries = read_index(data / "corpus", "facegood")
    assert [e.name for e in entries] == ["a", "b", "c"] and entries[1].phones[0].symbol == "m"
    sound = read_audio(data / "corpus", "facegood")[
        entries[1].offset : entries[1].offset + entries[1].samples
    ]
    assert np.abs(sound / 32767 - tone("b", 400, 1.313).samples).max() < 1e-4
    facts = source_facts(data / "corpus", "facegood")
    assert facts["utterances"] == 3 and facts["licences"] == ["public domain"]


def test_missing_speech_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no source"):
        read_index(tmp_path, "grid")
    with pytest.raises(AssetError, match="recipes.speech_corpus"):
        phonetic.read_speech_targets(tmp_path, 0.0)


def test_streams_are_seeded_and_aligned(data: Path) -> None:
    speech = SpeechSet(data / "corpus", data / "teacher", {"facegood": 1.0}, seconds=2.0)
    first, again = (speech.batch(3, torch.Generator().manual_seed(5), (5, 10)) for _ in range(2))
    other = speech.batch(3, torch.Generator().manual_seed(6), (5, 10))
    assert (
        first["mel"].shape == (3, 2 * 99 + 16, 80)
        and first["teacher"].shape == (3, 100, 96)
        and first["lips"].shape == (3, 100, len(LIP_CHANNELS))
    )
    assert all(torch.equal(first[k], again[k]) for k in first) and not torch.equal(
        first["mel"], other["mel"]
    )
    assert set(first["labels"].unique().tolist()) <= {INDEX["m"], INDEX["a"], -1}


def test_the_network_gets_as_many_steps_as_targets(data: Path) -> None:
    speech = SpeechSet(data / "corpus", data / "teacher", {"facegood": 1.0}, seconds=1.0)
    net = phonetic.build_model(0)
    hidden, _ = net.hidden(
        speech.batch(2, torch.Generator().manual_seed(0), (5, 10))["mel"], net.begin(2)
    )
    assert hidden.shape[1] == 50


def test_an_empty_split_is_an_error(data: Path) -> None:
    with pytest.raises(AssetError, match="no validation speech"):
        SpeechSet(data / "corpus", data / "teacher", {"facegood": 1.0}, "validation")


def test_degrading_keeps_time_and_range() -> None:
    click = torch.zeros(2, 16000)
    click[:, 8000:8400] = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
    found = degrade(click, torch.zeros_like(click), torch.Generator().manual_seed(3))
    assert (
        found.shape == click.shape
        and bool(torch.isfinite(found).all())
        and float(found.abs().max()) <= 1.0
    )
    loudness = found.unfold(-1, 200, 200).square().mean(-1)
    assert bool((loudness.argmax(-1) >= 39).all()) and bool((loudness.argmax(-1) <= 43).all())


def test_changing_the_rate_moves_pitch() -> None:
    sound = torch.sin(2 * math.pi * 500 * torch.arange(16000) / 16000)
    spectrum = torch.fft.rfft(change_rate(sound, 8000)).abs()
    assert abs(int(spectrum.argmax()) * 2 - 1000) <= 4


def test_ridge_recovers_a_linear_law() -> None:
    chance = torch.Generator().manual_seed(0)
    x, law = torch.randn(500, 3, generator=chance), torch.tensor([[1.0], [-2.0], [0.5]])
    found = ridge(with_context(x, (0,)), x @ law + 4, 1e-6)
    assert torch.allclose(found[:, 0], torch.tensor([1.0, -2.0, 0.5, 4.0]), atol=1e-3)


def test_context_and_interpolation() -> None:
    x = torch.arange(5.0)[:, None]
    assert with_context(x, (-1, 1))[2].tolist() == [1.0, 3.0, 1.0] and with_context(x, (-1, 1))[
        0
    ].tolist() == [0.0, 1.0, 1.0]
    assert at_times(x, torch.tensor([-1.0, 0.03, 9.0]))[:, 0].tolist() == pytest.approx(
        [0.0, 1.5, 4.0]
    )


def test_raising_the_floor_is_the_same_as_hearing_less() -> None:
    net = phonetic.build_model(
        0, dataclasses.replace(phonetic.default_config(), width=16, dilations=(1,))
    )
    quiet = PhoneticEncoder(net)
    tensors, config = phonetic.raise_floor(net.state_dict(), net.config, 12.0)
    raised = phonetic.build_model(1, config)
    raised.load_state_dict(tensors)
    sound = torch.randn(16000, generator=torch.Generator().manual_seed(0)) * 0.05
    expected = quiet.encode(sound * 10 ** (-12 / 20)).hidden
    assert torch.allclose(PhoneticEncoder(raised).encode(sound).hidden, expected, atol=1e-3)
    assert not torch.allclose(quiet.encode(sound).hidden, expected, atol=1e-2)


def test_training_runs_resumes_and_exports(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phonetic, "SpeechSet", lambda *a, how: SpeechSet(*a, seconds=1.0, how=how))
    small = dataclasses.replace(phonetic.default_config(), width=16, dilations=(1,))
    monkeypatch.setattr(phonetic, "default_config", lambda: small)
    teaching = TeacherProjection.load(data / "teacher" / "teaching.safetensors")
    examples = phonetic.SpeechTargets(data / "corpus", data / "teacher", teaching)
    target = dataclasses.replace(
        phonetic.phonetic_target(),
        read=lambda folder, share: TrainingData(
            examples, None, lambda: phonetic.about(folder / "corpus")
        ),
    )

    def run(steps: int) -> str:
        config = dataclasses.replace(SHORT, steps=steps, warmup=10**6)
        job = TrainingJob(tmp_path, config)
        return train_target(target, data, tmp_path / "w.safetensors", job)

    run(2)
    log = tmp_path / "phonetic-distillation" / "log.jsonl"
    assert {"teacher", "lips", "phones"} <= set(json.loads(log.read_text().splitlines()[0]))
    digest = run(3)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2, 3]
    assert PhoneticEncoder.load(tmp_path / "w.safetensors").digest == digest
    stored = read_checkpoint(tmp_path / "w.safetensors")
    assert "facegood" in stored.facts["speech"]
    assert stored.config["mel_floor"] > small.mel_floor
    both = [
        read_checkpoint(tmp_path / f"phonetic-{name}" / "finished.safetensors").tensors
        for name in ("distillation", "last")
    ]
    mean = phonetic.mean_of(both)["norm.weight"]
    torch.testing.assert_close(stored.tensors["norm.weight"], mean, rtol=1e-3, atol=1e-3)
