"""First stage: motion at the key frames (linguistic key-motion acquisition, LKMA).

Source: Xu et al. 2024, section 3; inner form ours (README).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import GAP_S, UNKNOWN_PHONE, Keys, at_keys, sinusoid_at
from motet.methods.kmtalk.layers import CrossLayer
from motet.phonetics.phones import INDEX, SILENCE


class KeyDecoder(nn.Module):
    """Motion at the key frames from the audio around them (LKMA).

    The tokens are the keys. Each attends to the other keys and to the audio near its frame.

    Args:
        inner: channels of the output basis.
    """

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.timing = nn.Linear(3, width)  # of `_timing`
        self.phone = nn.Embedding(UNKNOWN_PHONE + 1, config.phone_dim) if config.phone_dim else None
        self.phone_map = nn.Linear(2 * config.phone_dim, width) if config.phone_dim else None
        self.layers = nn.ModuleList(
            CrossLayer(config, audio=True) for _ in range(max(config.key_layers, 1))
        )
        # Zero at first: training begins at the linear regressor, where there is one.
        self.head = nn.Linear(width, inner)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        audio: Float[Tensor, "batch frames width"],
        keys: Keys,
        length: Int[Tensor, " batch"],
        named: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch keys inner"]:
        """Motion at the keys.

        Args:
            audio: context of each frame.
            length: frames of each item that are no padding.
            named: False for items whose phone identities are dropped.
        """
        # Frames of audio to either side that a key attends to.
        band = round(self.config.key_band_s * self.config.fps)
        if not self.config.key_layers:
            return self._over_all_frames(audio, keys, length, band)
        # (batch, keys, width): audio at the key, its time, distances to its neighbours.
        x = (
            at_keys(audio, keys.frame_index)
            + sinusoid_at(keys.frame_index, audio.shape[-1]).to(audio)
            + self.timing(self._timing(keys).to(audio))
        )
        if self.phone is not None and self.phone_map is not None:
            phones = (
                keys.phones
                if named is None
                else torch.where(named.view(-1, 1, 1), keys.phones, UNKNOWN_PHONE)
            )
            # (batch, keys, 2 * phone_dim): the phones before and after the key
            x = x + self.phone_map(self.phone(phones).flatten(2))
        for layer in self.layers:
            x = layer(x, audio, keys.frame_index, band, length, keys.valid)
        return self.head(x)

    def _over_all_frames(
        self,
        audio: Float[Tensor, "batch frames width"],
        keys: Keys,
        length: Int[Tensor, " batch"],
        band: int,
    ) -> Float[Tensor, "batch keys inner"]:
        """The paper's ablation: an ordinary decoder over all frames, read off at the keys."""
        # (batch, frames)
        frame_index = torch.arange(audio.shape[1], device=audio.device).expand(len(audio), -1)
        x, valid = audio, frame_index < length.unsqueeze(1)
        for layer in self.layers:
            x = layer(x, audio, frame_index, band, length, valid)
        return self.head(at_keys(x, keys.frame_index))

    def _timing(self, keys: Keys) -> Float[Tensor, "batch keys three"]:
        """Seconds since the key before, seconds until the key after, and 1 at silence."""
        # (batch, keys - 1): seconds between neighbouring keys.
        gaps = (keys.frame_index.diff(dim=1) / self.config.fps).clamp(max=GAP_S)
        # Before padding, as at the end: an item alone and in a batch get the same numbers.
        gaps = torch.where(keys.valid[:, 1:], gaps, GAP_S)
        edge = gaps.new_full((len(gaps), 1), GAP_S)  # (batch, 1)
        at_silence = (keys.phones == INDEX[SILENCE]).any(-1).to(gaps.dtype)
        return torch.stack([torch.cat([edge, gaps], 1), torch.cat([gaps, edge], 1), at_silence], -1)
