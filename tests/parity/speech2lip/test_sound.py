"""What the sync expert and the published audio net hear, against the published chain's numbers."""

from __future__ import annotations

import torch

from motet.encoders.deepspeech import at_50_hz, deepspeech_windows, model_input
from motet.methods.speech2lip.sync.model import mel_window, sync_mel
from tests.parity.speech2lip.conftest import close, has, parameters, tensors


def test_mel_of_the_sync_expert() -> None:
    found = tensors("g_audio")
    mel = sync_mel(found["pcm_int16"].float() / 32768, parameters()["fmin"])
    close(mel, found["mel_db_norm"])
    assert torch.equal(mel_window(mel, 3, late=2), mel[:, 16:32])


def test_deepspeech_chain_with_a_stand_in_model() -> None:
    found = tensors("g_audio")
    samples, projection = found["pcm_int16"].float(), found["ds_standin_projection"]
    close(
        at_50_hz(model_input(samples) @ projection, len(samples) / 16000), found["ds_features_50hz"]
    )
    close(deepspeech_windows(samples, lambda x: x @ projection), found["ds_windows"])


def test_input_of_the_speech_model() -> None:
    close(model_input(tensors("g_audio")["pcm_int16"].float()), has("g_audio", "ds_input_494"))
