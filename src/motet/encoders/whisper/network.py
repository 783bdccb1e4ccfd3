"""Whisper's audio encoder in plain PyTorch.

Not causal: every feature depends on the whole window. `stream` decodes sliding windows of it.

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision".
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.audio.mel import mel_filterbank
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.readout import Readout
from motet.nn.activation import gelu_of_product
from motet.nn.packed import pack_linears

RATE_HZ, HOP, WINDOW, MEL_BINS = 16_000, 160, 400, 80
FEATURE_RATE_HZ = 50
STEP = RATE_HZ // FEATURE_RATE_HZ
"""Samples of one step."""
LONGEST = 1500
"""Features of one window: the length of the position table (30 s)."""


KeyValue = tuple[Float[Tensor, "heads steps channels"], Float[Tensor, "heads steps channels"]]
"""Keys and values of one layer: what later windows attend to."""


class Layer(nn.Module):
    """A pre-norm transformer layer that can attend to kept keys and values of the past."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "batch steps width"]) -> Float[Tensor, "batch steps width"]:
        """Every step attends to every other."""
        q, k, v = self._heads(x)
        return self._rest(x, F.scaled_dot_product_attention(q, k, v))

    def step(
        self, x: Float[Tensor, "steps width"], past: KeyValue, known: Tensor | None = None
    ) -> tuple[Float[Tensor, "steps width"], KeyValue]:
        """The same for steps that follow a past; also the keys and values of past and steps.

        Args:
            known: (steps or 1, keys), True for keys that may be attended to; all when left out.
        """
        q, k, v = self._heads(x.unsqueeze(0))
        # along the steps: the past first, (heads, steps, channels)
        k, v = torch.cat([past[0], k[0]], 1), torch.cat([past[1], v[0]], 1)
        attended = F.scaled_dot_product_attention(q, k.unsqueeze(0), v.unsqueeze(0), known)
        return self._rest(x.unsqueeze(0), attended)[0], (k, v)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # (3, batch, heads, steps, channels)
        parts = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        return q, k, v

    def _rest(self, x: Tensor, attended: Float[Tensor, "batch heads steps channels"]) -> Tensor:
        # (batch, steps, heads * channels)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(gelu_of_product(self.up, self.feed_norm(x)))


class WhisperEncoder(nn.Module):
    """Log-mel picture to features at 50 Hz."""

    positions: Float[Tensor, "longest width"]

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.conv1 = nn.Conv1d(MEL_BINS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(LONGEST, width), persistent=False)
        layers = [Layer(width, config.heads) for _ in range(config.layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)

    def pack(self) -> WhisperEncoder:
        """Prepare large products for inference; the network cannot be trained or saved any more.

        Returns itself.
        """
        pack_linears(self.layers)
        return self

    def convolve(
        self, mel: Float[Tensor, "batch bins frames"]
    ) -> Float[Tensor, "batch steps width"]:
        """The two convolutions: two mel frames to one step, without positions."""
        return F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)

    def forward(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps width"]:
        """Features of sounds at 16 kHz of at most 30 s; step i lies at i / 50 s.

        Longer sounds go through `features`.
        """
        x = self.convolve(log_mel(samples))
        # the position table counts from the window's own start
        x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    @torch.no_grad()
    def features(
        self, samples: Float[Tensor, " time"], window_s: float = 20.0, overlap_s: float = 2.0
    ) -> Float[Tensor, "steps width"]:
        """Features of a sound of any length, in windows that overlap."""
        windows = OfflineWindows(self, window_s, overlap_s)
        first, state = windows.step(windows.begin(), samples)
        return torch.cat([first, windows.finish(state)])


def sinusoids(length: int, width: int) -> Float[Tensor, "length width"]:
    """Whisper's position table: sines, then cosines, of wavelengths from 2 pi to 20,000 pi."""
    # width / 2 rates in geometric order; cosines follow the sines in one block, not interleaved
    rates = torch.exp(-math.log(10_000.0) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def steps_of_samples(samples: int) -> int:
    """Features of a sound: its length at 50 Hz, rounded half up, at least one."""
    return max(1, (2 * samples + STEP) // (2 * STEP))


def log_mel(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch bins frames"]:
    """Whisper's input picture: log10 mel energy, floored 8 decades below the loudest, scaled to
    about [-1, 1].
    """
    window = torch.hann_window(WINDOW, device=samples.device)
    # torch.stft mirrors half a window at the ends, which so short a sound does not have.
    short = samples.shape[-1] <= WINDOW // 2
    spectrum = torch.stft(
        F.pad(samples, (0, WINDOW)) if short else samples,
        WINDOW,
        HOP,
        window=window,
        return_complex=True,
    )
    # As released: the frame that is centred on the last sample is dropped.
    power = spectrum[..., : max(2, samples.shape[-1] // HOP)].abs().square()
    mel = (
        torch.einsum("mf,bft->bmt", mel_filterbank(WINDOW, MEL_BINS, RATE_HZ), power)
        .clamp(min=1e-10)
        .log10()
    )
    # Whisper's own constants: 8 decades of range, then (x + 4) / 4.
    return (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


@dataclasses.dataclass(frozen=True)
class OfflineState:
    """A recording as far as it is known; a value, never changed in place."""

    pieces: tuple[Float[Tensor, " time"], ...] = ()
    """Sound from the next window's first sample on."""
    first: int = 0
    """Step at which that window begins."""
    emitted: int = 0
    samples_received: int = 0


class OfflineWindows:
    """Features of a recording of any length, in long windows that overlap.

    Every window keeps the steps away from its borders (those at the ends of the recording too). It
    is encoded as soon as its sound is complete, so memory does not grow with the recording, and
    every chunking gives the same bits.

    Args:
        window_s: length of a window, at most 30 s.
        overlap_s: length that two neighbouring windows share; each keeps its half.
        readout: what is emitted of a window; the features themselves when left out.
    """

    def __init__(
        self,
        network: WhisperEncoder,
        window_s: float = 20.0,
        overlap_s: float = 2.0,
        readout: Readout | None = None,
    ) -> None:
        self._network, self._readout = network, readout or Readout(network.config.width)
        self._size = int(window_s * FEATURE_RATE_HZ)
        self._margin = int(overlap_s * FEATURE_RATE_HZ / 2)

    @property
    def hop(self) -> int:
        """New steps of a window."""
        return self._size - 2 * self._margin

    def begin(self) -> OfflineState:
        """State before the first sample."""
        return OfflineState()

    def step(
        self, state: OfflineState, samples: Float[Tensor, " time"]
    ) -> tuple[Float[Tensor, "steps dim"], OfflineState]:
        """What is read of the windows that these samples complete."""
        received = state.samples_received + len(samples)
        pieces = (*state.pieces, samples) if len(samples) else state.pieces
        state = dataclasses.replace(state, pieces=pieces, samples_received=received)
        outputs = [samples.new_zeros(0, self._readout.dim)]
        # A window that may be the last one waits for `finish`: it keeps its end, too.
        while steps_of_samples(received) > self._last(state):
            features, state = self._encode(state, self._last(state), self._margin)
            outputs.append(features)
        return torch.cat(outputs), state

    def finish(self, state: OfflineState) -> Float[Tensor, "steps dim"]:
        """The last window: in all `steps_of_samples` features, none for no sound."""
        if not state.samples_received:
            return torch.zeros(0, self._readout.dim)
        return self._encode(state, steps_of_samples(state.samples_received), 0)[0]

    def _last(self, state: OfflineState) -> int:
        """Step after the next window."""
        return state.emitted + self._size - self._margin

    def _encode(self, state: OfflineState, last: int, cut: int) -> tuple[Tensor, OfflineState]:
        """The new features of the window up to step `last`, without the `cut` ones at its end."""
        # Only the last window of a recording can be short; it is filled up with silence.
        sound, length = torch.cat(state.pieces), (last - state.first) * STEP
        window = F.pad(sound, (0, max(0, length - len(sound))))[:length]
        features = self._network(window.unsqueeze(0))[0]
        stop = last - cut
        # The next window begins one margin before the first step that is still missing.
        first = max(0, stop - self._margin)
        rest = sound[(first - state.first) * STEP :].clone()
        after = OfflineState((rest,), first, stop, state.samples_received)
        new = state.emitted - state.first
        before = features[max(0, new - self._readout.context) : new]
        return self._readout(before, features[new:], stop - state.emitted), after
