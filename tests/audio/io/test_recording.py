"""Long sounds stay in their file: the same samples, takes and videos as from memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.audio import open_audio, read_audio, resample, to_mono
from motet.audio.downmix import LONGEST_S, PARTS, speech_mix
from motet.audio.io import read
from motet.audio.io.recording import Recording
from motet.audio.resampling import resample_pieces
from motet.errors import AudioError
from motet.session import load
from motet.types import Audio
from tests.audio.io.test_tracks import film
from tests.audio.sounds import speechlike

RATE = 16_000


@pytest.fixture(autouse=True)
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "KEPT_VALUES", 10_000)


def stereo(path: Path, seconds: float = 40.0, rate: int = RATE) -> Path:
    left = speechlike(round(seconds * rate), rate)[0]
    soundfile.write(path, np.stack([left, 0.5 * left], 1), rate)
    return path


def opened(path: Path) -> Recording:
    sound = open_audio(path)
    assert isinstance(sound, Recording)
    return sound


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize("seconds", [0.7, 16.0])
def test_pieces_are_the_samples_of_the_file(tmp_path: Path, ending: str, seconds: float) -> None:
    path = stereo(tmp_path / f"a.{ending}")
    whole, recording = read_audio(path), opened(path)
    pieces = list(recording.pieces(seconds))
    assert torch.equal(torch.cat([piece.samples for piece in pieces], 1), whole.samples)
    assert {piece.length for piece in pieces[:-1]} == {round(seconds * RATE)}
    assert (recording.length, recording.layout) == (whole.length, whole.layout)
    assert torch.equal(recording.load().samples, whole.samples)


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"])
def test_the_sound_of_a_video_is_cut_and_chosen_alike(tmp_path: Path, codec: str) -> None:
    sound = speechlike(48_000 * 2, 48_000)[0]
    path = film(tmp_path / "a.mkv", [np.zeros_like(sound), sound], [True, True], codec)
    whole = read_audio(path)
    assert torch.equal(opened(path).load().samples, whole.samples)


def test_excerpts_agree_and_so_does_the_downmix(tmp_path: Path) -> None:
    path = stereo(tmp_path / "a.wav", LONGEST_S + 60)
    recording, whole = opened(path), read_audio(path)
    excerpt = recording.excerpt(LONGEST_S, PARTS)
    assert excerpt.length == PARTS * int(LONGEST_S * RATE) // PARTS
    assert torch.equal(excerpt.samples, whole.excerpt(LONGEST_S, PARTS).samples)
    assert speech_mix(recording) == speech_mix(whole)


def test_resampled_pieces_are_the_resampled_whole() -> None:
    audio = Audio(torch.from_numpy(speechlike(44_100 * 5, 44_100)[0])[None], 44_100)
    pieces = [piece.samples for piece in resample_pieces(audio.pieces(0.37), RATE)]
    assert torch.equal(torch.cat(pieces, -1), resample(audio, RATE).samples)


def test_a_method_generates_the_same_from_a_file_as_from_memory(tmp_path: Path) -> None:
    path = stereo(tmp_path / "a.flac", 20.0, 44_100)
    method = load("artalk")
    streamed = method.run(opened(path), seeds=(0, 1)).values
    assert torch.allclose(streamed, method.run(to_mono(read_audio(path)), seeds=(0, 1)).values)


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    recording = opened(stereo(tmp_path / "a.wav"))
    stereo(tmp_path / "a.wav", 3.0)
    with pytest.raises(AudioError, match="has changed while it was read"):
        list(recording.pieces())
