"""Quiet speech moves the mouth as the same speech at its own level does, in every face method."""

from __future__ import annotations

import pytest
import torch

import motet
from motet.encoders.base import Waveform, load_encoder
from motet.encoders.phonetic.encoder import PhoneticEncoder
from motet.types import ARKIT_SHAPES, Audio
from tests.audio.sounds import at_level, speech

RATE, JAW = 16_000, ARKIT_SHAPES.index("jawOpen")


def jaw(samples: torch.Tensor, method: str) -> torch.Tensor:
    take = motet.run(Audio.mono(samples, RATE), method)
    assert take.motion is not None
    return take.motion.values[:, JAW]


def assert_alike(found: torch.Tensor, reference: torch.Tensor) -> None:
    """After half a second."""
    found, reference = found[12:], reference[12:]
    assert torch.corrcoef(torch.stack([found, reference]))[0, 1] > 0.95
    assert abs(float(found.mean() / reference.mean()) - 1) < 0.1


@pytest.mark.parametrize("method", ["artalk", "diffposetalk", "kmtalk"])
def test_level_of_speech_does_not_matter(method: str) -> None:
    assert_alike(jaw(at_level(speech(), -55.0), method), jaw(speech(), method))


def test_a_stream_of_quiet_speech_is_the_run() -> None:
    quiet = at_level(speech(1.0, 3.0), -45.0)
    session, pieces = motet.stream("artalk"), []
    for chunk in quiet.split(700):
        pieces += [piece.values for piece in session.push(Audio.mono(chunk, RATE))]
    pieces += [piece.values for piece in session.finish()]
    streamed = torch.cat(pieces)
    take = motet.run(Audio.mono(quiet, RATE), "artalk", options={"mode": "stream"})
    assert take.motion is not None
    torch.testing.assert_close(streamed, take.motion.values, rtol=0, atol=1e-5)
    assert streamed[-1, JAW].abs() < 1e-6  # the end is closed


def test_lips_in_a_video_open_for_quiet_speech() -> None:
    sound = speech(1.0, 2.0)
    loud, quiet = (
        motet.run(Audio.mono(samples, RATE), "speech2lip").frames
        for samples in (sound, at_level(sound, -50.0))
    )
    assert loud is not None and quiet is not None
    moved = [clip.rgb[13:].float().std(0).mean() for clip in (loud, quiet)]
    assert abs(float(moved[1] / moved[0]) - 1) < 0.2


def test_only_the_shipped_encoders_get_the_sound_at_another_level() -> None:
    assert not Waveform(RATE).expects_level
    assert PhoneticEncoder.expects_level and load_encoder("bands", dim=4).expects_level
