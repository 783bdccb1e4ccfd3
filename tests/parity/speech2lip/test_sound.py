"""What the sync expert and the published audio net hear, against the published chain's numbers."""

from __future__ import annotations

import torch

from motet.encoders.deepspeech import at_50_hz, deepspeech_windows, model_input
from motet.methods.speech2lip.sync.model import mel_window, sync_mel
from tests.parity.speech2lip.conftest import close, parameters, tensors


def test_mel_of_the_sync_expert() -> None:
    found = tensors("g_audio")
    mel = sync_mel(found["pcm_int16"].float() / 32768, parameters()["fmin"])
    close(mel, found["mel_db_norm"])


def test_a_window_of_mel_begins_two_frames_late_as_published() -> None:
    mel = torch.randn(80, 60, generator=torch.Generator().manual_seed(0))
    frame, late, rows_per_frame = 3, 2, 80 / 25
    begin = int((frame + late) * rows_per_frame)
    assert torch.equal(mel_window(mel, frame, late=late), mel[:, begin : begin + 16])


SAMPLE_RATE = 16000
"""Of the sync expert and of DeepSpeech."""


def test_deepspeech_chain_with_a_stand_in_model() -> None:
    found = tensors("g_audio")
    samples, projection = found["pcm_int16"].float(), found["ds_standin_projection"]
    close(
        at_50_hz(model_input(samples) @ projection, len(samples) / SAMPLE_RATE),
        found["ds_features_50hz"],
    )
    close(deepspeech_windows(samples, lambda x: x @ projection), found["ds_windows"])


def test_input_of_the_speech_model() -> None:
    close(model_input(tensors("g_audio")["pcm_int16"].float()), tensors("g_audio")["ds_input_494"])
