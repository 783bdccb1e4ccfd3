"""Whisper's features with a phone channel: posteriors, known phones, phones found by a text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motet.encoders.base import encode, load_encoder
from motet.encoders.speech import CERTAINTY, SpeechFeatures
from motet.encoders.whisper import WhisperEncoder
from motet.encoders.whisper import encoder as module
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.heads import SHIPPED, SpeechHeads, SpeechHeadsConfig, load_heads
from motet.errors import AssetError, CheckpointError, ConfigError
from motet.evaluation.held_out import load_held_out
from motet.phonetics.phone_source import PhoneOptions
from motet.phonetics.phones import INDEX, SYMBOLS, PhoneSpan
from motet.phonetics.transcription import to_spans

CLIP = next(clip for clip in load_held_out().clips if clip.name == "0880")
SPANS = (PhoneSpan(0.0, 0.3, "sil"), PhoneSpan(0.3, 0.4, "b"), PhoneSpan(0.4, 0.6, "a"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> SpeechFeatures:
    """A tiny encoder with random heads."""
    torch.manual_seed(0)
    network = WhisperEncoder(WhisperConfig(8, 1, 2)).eval().requires_grad_(False)
    heads = SpeechHeads(SpeechHeadsConfig("", dim=8)).eval().requires_grad_(False)
    monkeypatch.setattr(module, "load_heads", lambda digest: heads)
    return SpeechFeatures(WhisperAudioEncoder(network))


def sound(seconds: float, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(batch, round(seconds * 16000), generator=generator)


def streamed(encoder: SpeechFeatures, samples: torch.Tensor, chunk: int) -> torch.Tensor:
    state, parts = encoder.begin(len(samples)), []
    for piece in samples.split(chunk, 1):
        features, state = encoder.step(state, piece)
        parts.append(features)
    return torch.cat([*parts, encoder.finish(state)], 1)


@pytest.mark.parametrize("mode", ["offline", "stream"])
@pytest.mark.parametrize("phones", [None, SPANS])
def test_within_a_mode_every_chunking_gives_the_same_bits(
    small: SpeechFeatures, mode: str, phones: tuple[PhoneSpan, ...] | None
) -> None:
    encoder = small.in_mode(mode, 0.1, 0.08, phones=phones)  # type: ignore[arg-type]
    samples = sound(2.0, batch=2)
    whole = encode(encoder, samples)
    assert whole.shape == (2, 100, 8 + len(SYMBOLS)) == (2, 100, encoder.dim)
    for chunk in (333, 4000):
        assert torch.equal(streamed(encoder, samples, chunk), whole)


def test_the_channel_is_the_posterior_of_the_phone_head(small: SpeechFeatures) -> None:
    features = encode(small.in_mode("stream", 0.1), sound(2.0))
    acoustic, phones = features[..., :8], features[..., 8:]
    torch.testing.assert_close(phones, small.encoder.phones(acoustic).exp())
    torch.testing.assert_close(phones.sum(-1), torch.ones(1, 100))
    assert torch.equal(
        small.closures(features, -2, 30)[:, 2:], small.encoder.closures(acoustic, 0, 28)
    )


def test_known_phones_replace_the_posterior_where_they_are_known(small: SpeechFeatures) -> None:
    encoder = small.in_mode("stream", 0.1, phones=SPANS)
    features = encode(encoder, sound(1.0))
    phones = features[0, :, 8:]
    assert phones[10].argmax() == INDEX["sil"] and phones[17].argmax() == INDEX["b"]
    assert float(phones[17, INDEX["b"]]) == pytest.approx(CERTAINTY + 0.05 / len(SYMBOLS))
    assert torch.equal(phones[30:], encode(small.in_mode("stream", 0.1), sound(1.0))[0, 30:, 8:])
    closed = encoder.closures(features, 0, 60)[0]
    assert float(closed[15:20].min()) > 0.9 and float(closed[20:30].max()) < 0.1
    assert not bool(closed[50:].any())


def test_phones_of_a_text_need_the_recording(small: SpeechFeatures) -> None:
    with pytest.raises(ConfigError, match="offline"):
        small.in_mode("stream", phones=PhoneOptions(text="hello"))
    encoder = small.in_mode("offline", phones=PhoneOptions(timing="none.csv"))
    features, state = encoder.step(encoder.begin(1), sound(1.0))
    assert features.shape == (1, 0, encoder.dim)
    with pytest.raises(AssetError, match=r"none\.csv"):
        encoder.finish(state)
    assert encoder.finish(encoder.begin(2)).shape == (2, 0, encoder.dim)


def test_times_of_a_file_are_taken(small: SpeechFeatures, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("start,end,phone\n0,0.3,SIL\n0.3,0.4,B\n0.4,0.6,AA\n")
    encoder = small.in_mode("offline", phones=PhoneOptions(timing=str(tmp_path / "a.csv")))
    phones = encode(encoder, sound(1.0, batch=2))[..., 8:]
    assert phones[:, 17].argmax(-1).tolist() == [INDEX["b"]] * 2


def test_a_text_is_aligned() -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("hama")
    encoder = load_encoder("speech").in_mode("offline", phones=PhoneOptions(text=CLIP.text))
    phones = encode(encoder, CLIP.audio.samples.reshape(1, -1))[0, :, 384:]
    named = [SYMBOLS[i] for i in phones.argmax(-1).tolist()]
    spoken = [a for a, b in zip(named, [*named[1:], ""], strict=True) if a not in (b, "sil")]
    assert "".join(spoken).startswith("hiw")
    assert float(phones.amax(-1).median()) > 0.9


def test_the_shipped_heads_know_phones_and_closures() -> None:
    """An unseen voice and sentence, by phone times that were checked."""
    encoder = load_encoder("speech")
    for mode, least in ((encoder, 0.6), (encoder.in_mode("stream", 0.12), 0.55)):
        features = encode(mode, CLIP.audio.samples.reshape(1, -1))
        labels = torch.tensor([INDEX.get(s, -1) for s in _labels(features.shape[1])])
        named = features[0, :, 384:].argmax(-1)
        assert float((named == labels)[labels >= 0].float().mean()) > least
        gap = mode.aperture(features, 0, features.shape[1] // 2)
        assert bool(torch.isfinite(gap).all()) and float(gap.std()) > 0.02


def _labels(steps: int) -> list[str]:
    labels = [""] * steps
    for phone in to_spans(CLIP.phones):
        for step in range(round(phone.start * 50), min(steps, round(phone.end * 50))):
            labels[step] = phone.symbol
    return labels


def test_heads_of_another_encoder_are_refused() -> None:
    assert load_heads(load_network()[1]).config.front_end == load_network()[1]
    with pytest.raises(CheckpointError, match="speech-heads"):
        load_heads("0123456789ab")
    assert SHIPPED.stat().st_size < 1e6
