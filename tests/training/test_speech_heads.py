"""`motet train speech-heads`: features of a small corpus, what a batch holds, both stages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.data.speech.corpus import write_source
from motet.data.speech.utterance import Utterance
from motet.encoders.whisper import WhisperEncoder
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.encoder import WhisperAudioEncoder
from motet.encoders.whisper.heads import CONTEXT, SpeechHeads, SpeechHeadsConfig
from motet.errors import AssetError
from motet.phonetics.phones import INDEX, PhoneSpan
from motet.training import speech_heads
from motet.training.encoded_speech import encode_source, labelled_steps
from motet.training.speech_heads import join_stages, joined, speech_heads_stages

PHONES = (PhoneSpan(0.0, 0.4, "sil"), PhoneSpan(0.4, 0.6, "b"), PhoneSpan(0.6, 1.0, "a"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four utterances whose phones differ in their noise's level."""
    random = np.random.default_rng(0)

    def utterance(number: int) -> Utterance:
        samples = np.repeat([0.001, 0.01, 0.3], [6400, 3200, 6400]) * random.normal(size=16000)
        samples = samples.astype(np.float32)
        name, speaker = f"grid_{number}", f"voice{number}"
        return Utterance(name, "grid", samples, "en", speaker, "CC0", PHONES)

    write_source(tmp_path / "speech", "grid", map(utterance, range(8)))
    return tmp_path


@pytest.fixture
def encoder() -> WhisperAudioEncoder:
    torch.manual_seed(0)
    network = WhisperEncoder(WhisperConfig(16, 1, 2)).eval().requires_grad_(False)
    return WhisperAudioEncoder(network)


def test_utterances_are_encoded_as_they_are_and_degraded(
    folder: Path, encoder: WhisperAudioEncoder
) -> None:
    speech, features = folder / "speech", folder / "features"
    encode_source(speech, features, "grid", encoder)
    clean = list(labelled_steps(speech, features, "grid", "train", False))
    degraded = list(labelled_steps(speech, features, "grid", "train", True))
    assert len(clean) > len(degraded) >= 1
    assert clean[0].features.shape == degraded[0].features.shape == (50, 16)
    assert clean[0].labels[[0, 25, 40]].tolist() == [INDEX["sil"], INDEX["b"], INDEX["a"]]
    assert not torch.allclose(clean[0].features, degraded[0].features, atol=0.05)
    np.save(features / "grid.whisper.npy", np.zeros((3, 16), np.float16))
    with pytest.raises(AssetError, match="delete"):
        next(labelled_steps(speech, features, "grid", "train", False))


def test_a_batch_holds_steps_with_those_before_them(
    folder: Path, encoder: WhisperAudioEncoder
) -> None:
    steps = _steps(folder, encoder)
    around = steps.around(torch.tensor([0, 30, 50]))
    assert around.shape == (3, len(CONTEXT), 16)
    assert torch.equal(around[0], steps.features[:1].float().expand(len(CONTEXT), -1))
    assert torch.equal(around[1], steps.features[30 + torch.tensor(CONTEXT)].float())
    assert torch.equal(around[2, 0], steps.features[50].float()), "another utterance begins"


def test_both_stages_learn_a_small_corpus(folder: Path, encoder: WhisperAudioEncoder) -> None:
    steps = _steps(folder, encoder)
    phones, gap = speech_heads_stages(SpeechHeadsConfig("", dim=16))
    heads, randomness = phones.model, torch.Generator().manual_seed(0)
    assert isinstance(heads, SpeechHeads)
    phones.prepare(steps)
    optimiser = torch.optim.Adam(heads.parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        terms = phones.loss(phones.batch(steps, 64, randomness), randomness)
        sum(terms.values()).backward()
        optimiser.step()
    target = steps.features[:, 0].float() * 0.1 + 0.3
    rows = steps.around(torch.arange(len(steps.labels))).flatten(1)
    tensors = {"phones": heads.state_dict(), "gap": gap.fit(_with_gaps(steps, rows, target))}
    heads.load_state_dict(join_stages(tensors))
    heads.eval().requires_grad_(False)
    logits, closed = heads.read(steps.features[None, :50].float(), 0, 50)
    named = logits[0].argmax(-1)
    assert float((named == steps.labels[:50]).float().mean()) > 0.8
    assert float(closed[0, 22:28].mean()) > float(closed[0, 35:].mean()) + 1
    predicted = heads.gap(steps.features[None, :50].float(), torch.arange(10, 50))[0]
    assert float((predicted - target[10:50]).abs().mean()) < 0.02


def test_a_folder_without_speech_names_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"recipes\.speech_corpus"):
        speech_heads.read_speech_steps(tmp_path, 0.0)


def _steps(folder: Path, encoder: WhisperAudioEncoder) -> speech_heads.SpeechSteps:
    speech, features = folder / "speech", folder / "features"
    encode_source(speech, features, "grid", encoder)
    clips = labelled_steps(speech, features, "grid", "train", False)
    return joined([(clip, False) for clip in clips])


def _with_gaps(
    steps: speech_heads.SpeechSteps, rows: torch.Tensor, gaps: torch.Tensor
) -> speech_heads.SpeechSteps:
    return dataclasses.replace(steps, gaps=((rows, gaps),))
