"""Whisper's stream as one module of fixed shapes, for export: a chunk of sound and the state in,
the features of a block and the state out.

It computes what `stream.StreamingWindows` computes. What that leaves out (steps before the sound,
keys that are not there yet) is computed here too and masked, so every call does the same work. A
block needs sound beyond its own: the first `delay` calls complete no block.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.audio.mel import mel_filterbank
from motet.encoders.whisper.config import WhisperStreaming
from motet.encoders.whisper.network import HOP, MEL_BINS, RATE_HZ, STEP, WINDOW, WhisperEncoder
from motet.encoders.whisper.stream import FARTHEST, LEAD, LOUDEST

State = dict[str, Tensor]


class FixedBlocks(nn.Module):
    """One block a call.

    Args:
        network: the encoder, not packed.
        settings: hop, look-ahead and length of the past.
    """

    spectrum: Float[Tensor, "window parts"]
    bank: Float[Tensor, "parts bins"]
    rates: Float[Tensor, " half"]
    restart: Float[Tensor, "known width"]
    """Positions of the past and a block when they are counted from zero."""

    def __init__(self, network: WhisperEncoder, settings: WhisperStreaming) -> None:
        super().__init__()
        self.network, self.settings = network, settings
        self.hop, self.ahead = settings.hop, settings.look_ahead
        self.rows = settings.refresh + self.hop + self.ahead
        """Steps that a block computes."""
        self.delay = math.ceil((self.ahead * STEP + LEAD) / (self.hop * STEP))
        """Calls before the one that completes the first block."""
        # A discrete Fourier transform as a product: (WINDOW, 402), cosines and then sines.
        time, bins = torch.arange(WINDOW).unsqueeze(1), torch.arange(WINDOW // 2 + 1)
        angle = (time * bins % WINDOW).double() * (2 * math.pi / WINDOW)
        window = torch.hann_window(WINDOW, dtype=torch.float64).unsqueeze(1)
        spectrum = window * torch.cat([angle.cos(), angle.sin()], 1)
        self.register_buffer("spectrum", spectrum.float())
        self.register_buffer("bank", mel_filterbank(WINDOW, MEL_BINS, RATE_HZ).T.contiguous())
        half = network.config.width // 2
        rates = torch.exp(-math.log(10_000.0) / (half - 1) * torch.arange(half))
        self.register_buffer("rates", rates)
        restart = self._positions(torch.tensor(0), settings.past + self.rows)
        self.register_buffer("restart", restart)

    def begin(self) -> State:
        """State before the first chunk."""
        config, past = self.network.config, self.settings.past
        cache = (config.layers, config.heads, past, config.width // config.heads)
        return {
            "sound": torch.zeros(self.delay * self.hop * STEP + LEAD),
            "mel": torch.zeros(2 * self.ahead + 3, MEL_BINS),
            "loudest": torch.tensor(LOUDEST),
            "steps": torch.zeros(past + self.settings.refresh, config.width),
            "keys": torch.zeros(cache),
            "values": torch.zeros(cache),
            "origin": torch.tensor(0),
        }

    def forward(
        self, block: Int[Tensor, ""], chunk: Float[Tensor, " time"], state: State
    ) -> tuple[Float[Tensor, "rows width"], State]:
        """Features of the steps from `refresh` before the block to the end of its look-ahead.

        Args:
            block: number of the block that this chunk completes, below zero in the first calls.
            chunk: `hop` steps of sound.
        """
        sound = torch.cat([state["sound"], chunk])
        mel, loudest = self._mel(block, sound, state)
        steps = torch.cat([state["steps"], self._convolved(block, mel)])
        # Step number of the first row that the transformer computes.
        start = block * self.hop - self.settings.refresh
        origin, keys, values = self._from_zero(start, steps, state)
        x = steps[self.settings.past :] + self._positions(start - origin, self.rows)
        features, cache = self._transformed(x, keys, values, self._known(block, start))
        started = (block >= 0).to(mel.dtype)
        return features, {
            "sound": sound[self.hop * STEP :],
            "mel": mel[-(2 * self.ahead + 3) :] * started,
            "loudest": loudest,
            "steps": steps[self.hop : self.hop + len(state["steps"])],
            "keys": cache[0],
            "values": cache[1],
            "origin": origin,
        }

    def _mel(
        self, block: Int[Tensor, ""], sound: Float[Tensor, " time"], state: State
    ) -> tuple[Float[Tensor, "frames bins"], Float[Tensor, ""]]:
        """Mel frames from two before the block's first one to that behind its look-ahead; frames
        of earlier calls keep the floor they had.
        """
        frames = 2 * (self.hop + self.ahead) + 1
        samples = HOP * torch.arange(frames).unsqueeze(1) + torch.arange(WINDOW)  # (frames, WINDOW)
        # In double precision: quiet bins lie eight decades below loud ones.
        parts = sound[samples].double() @ self.spectrum.double()
        power = parts.square().unflatten(1, (2, -1)).sum(1).float()
        mel = (power @ self.bank).clamp(min=1e-10).log10()
        old, first = 2 * self.ahead + 1, block == 0
        loud = torch.where(first, mel.amax((0, 1)), mel[old:].amax((0, 1)))
        loudest = torch.where(block < 0, state["loudest"], torch.maximum(state["loudest"], loud))
        mel = (torch.maximum(mel, loudest - 8.0) + 4.0) / 4.0
        earlier = torch.where(first, mel[:old], state["mel"][2:])
        return torch.cat([state["mel"][:2], earlier, mel[old:]]), loudest

    def _convolved(
        self, block: Int[Tensor, ""], mel: Float[Tensor, "frames bins"]
    ) -> Float[Tensor, "steps width"]:
        """Inputs of the transformer for the block and its look-ahead."""
        first, second = self.network.conv1, self.network.conv2
        x = F.gelu(F.conv1d(mel.T.unsqueeze(0), first.weight, first.bias))
        # The frame before the sound is padding.
        x = torch.cat([x[..., :1] * (block > 0).to(x.dtype), x[..., 1:]], -1)
        return F.gelu(F.conv1d(x, second.weight, second.bias, 2))[0].T

    def _positions(self, first: Int[Tensor, ""], count: int) -> Float[Tensor, "count width"]:
        """Rows of Whisper's position table."""
        angles = (first + torch.arange(count)).unsqueeze(1).to(self.rates.dtype) * self.rates
        return torch.cat([angles.sin(), angles.cos()], 1)

    def _known(self, block: Int[Tensor, ""], start: Int[Tensor, ""]) -> Bool[Tensor, "1 keys"]:
        """True for keys of steps inside the sound; everywhere while no block is complete, where
        nothing else would be left.
        """
        step = start - self.settings.past + torch.arange(self.settings.past + self.rows)
        return ((step >= 0) | (block < 0)).unsqueeze(0)

    def _from_zero(
        self, start: Int[Tensor, ""], steps: Float[Tensor, "known width"], state: State
    ) -> tuple[Int[Tensor, ""], Tensor, Tensor]:
        """Step with position zero, and the keys and values of the past: encoded again with
        positions from zero before positions get out of range.
        """
        past = self.settings.past
        out_of_range = start + self.rows - state["origin"] > FARTHEST

        def encode_again(x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            nothing = keys[:, :, :0]
            return self._transformed(x + self.restart, nothing, nothing, None, past)[1]

        def unchanged(x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            return keys.clone(), values.clone()

        operands = (steps, state["keys"], state["values"])
        keys, values = torch.cond(out_of_range, encode_again, unchanged, operands)
        return torch.where(out_of_range, start - past, state["origin"]), keys, values

    def _transformed(
        self,
        x: Float[Tensor, "rows width"],
        keys: Float[Tensor, "layers heads past channels"],
        values: Float[Tensor, "layers heads past channels"],
        known: Bool[Tensor, "1 keys"] | None,
        keep: int = 0,
    ) -> tuple[Float[Tensor, "rows width"], tuple[Tensor, Tensor]]:
        """Features of the rows; keys and values that the next block finds in its past."""
        cached = []
        begin, length = (0, keep) if keep else (self.hop, self.settings.past)
        for index, layer in enumerate(self.network.layers):
            x, both = layer.step(x, (keys[index], values[index]), known)
            cached.append([part[:, begin : begin + length] for part in both])
        stacked = torch.stack([k for k, _ in cached]), torch.stack([v for _, v in cached])
        return self.network.norm(x), stacked
