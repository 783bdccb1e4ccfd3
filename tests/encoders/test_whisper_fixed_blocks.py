"""The module of fixed shapes gives the features of the stream."""

from __future__ import annotations

import pytest
import torch

from motet.encoders.whisper.config import WhisperConfig, WhisperStreaming
from motet.encoders.whisper.fixed_blocks import FixedBlocks
from motet.encoders.whisper.network import STEP, WhisperEncoder
from motet.encoders.whisper.stream import StreamingWindows


@pytest.mark.parametrize("look_ahead, hop, refresh", [(7, 8, 15), (5, 4, 17), (25, 8, 0)])
def test_features_of_the_stream(look_ahead: int, hop: int, refresh: int) -> None:
    """From the first block, over the one at which positions begin again (10 s), to 12 s."""
    torch.manual_seed(0)
    network = WhisperEncoder(WhisperConfig(16, 2, 2)).eval().requires_grad_(False)
    settings = WhisperStreaming(look_ahead, hop, refresh=refresh)
    blocks = FixedBlocks(network, settings)
    # Loud after quiet: the floor of the mel picture rises on the way.
    sound = torch.randn(600 // hop * hop * STEP) * torch.linspace(
        0.001, 0.3, 600 // hop * hop * STEP
    )
    expected, _ = StreamingWindows(network, settings).step(
        StreamingWindows(network, settings).begin(), sound
    )
    state, found, origins = blocks.begin(), [], set()
    for call, chunk in enumerate(sound.split(hop * STEP)):
        block = torch.tensor(call - blocks.delay)
        features, state = blocks(block, chunk, state)
        if block >= 0:
            found.append(features[refresh : refresh + hop])
            origins.add(int(state["origin"]))
    features = torch.cat(found)
    assert len(origins) > 1
    assert len(expected) - len(features) in (0, hop)
    torch.testing.assert_close(features, expected[: len(features)], atol=1e-4, rtol=0)
