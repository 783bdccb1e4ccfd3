"""Log-mel spectrogram, offline or streaming with the same result."""

from __future__ import annotations

import dataclasses
import functools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def _mel_of_hz(hz: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    # log step of 6.4 in 27 mels, so that 6.4 kHz lies 27 mels above 1 kHz
    octaves = torch.log(hz.clamp(min=1.0) / 1000.0) / torch.log(torch.tensor(6.4))
    return torch.where(hz < 1000.0, hz * (3.0 / 200.0), 15.0 + 27.0 * octaves)


def _hz_of_mel(mel: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    logarithmic = 1000.0 * torch.exp((mel - 15.0) * torch.log(torch.tensor(6.4)) / 27.0)
    return torch.where(mel < 15.0, mel * (200.0 / 3.0), logarithmic)


@functools.cache
def mel_filterbank(
    size: int,
    bins: int,
    rate_hz: int,
    lowest_hz: float = 0.0,
    highest_hz: float | None = None,
    warp: float = 1.0,
) -> Float[Tensor, "bins frequencies"]:
    """Triangular filters on Slaney's mel scale, each of unit area.

    Args:
        size: points of the Fourier transform.
        warp: factor on the filters' frequencies, which imitates a shorter (> 1) or longer vocal
            tract (VTLP).

    Source: Slaney 1998, "Auditory Toolbox"; the same filters as librosa and Whisper use.
    """
    highest = torch.tensor(highest_hz or rate_hz / 2, dtype=torch.float64)
    ends = _mel_of_hz(torch.tensor([lowest_hz, float(highest)], dtype=torch.float64))
    mels = torch.linspace(float(ends[0]), float(ends[1]), bins + 2, dtype=torch.float64)
    edges = _hz_of_mel(mels) * warp
    frequencies = torch.arange(size // 2 + 1, dtype=torch.float64) * rate_hz / size
    # (bins, frequencies)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    height = (2.0 / (edges[2:] - edges[:-2]))[:, None]  # unit area
    return (torch.minimum(rising, falling).clamp(min=0) * height).float()


@functools.cache
def _window(size: int, dtype: torch.dtype) -> Float[Tensor, " size"]:
    return torch.hann_window(size, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class LogMel:
    """Log-mel energies of 16 kHz sound: 25 ms windows every 10 ms, frame j centred on j * 10 ms.

    No statistics of the clip are used, so that a stream gives the same result. The energy is
    floored at a constant far below room noise, and the logarithm is scaled to about unit range.
    """

    rate_hz: int = 16_000
    hop: int = 160
    window: int = 400
    size: int = 512
    """Points of the Fourier transform."""
    bins: int = 80
    floor: float = 1e-6
    """Added to the energies: digital silence and a very quiet room give the same features."""
    offset: float = 3.0
    scale: float = 4.0
    """(ln(energy + floor) + offset) / scale."""

    @property
    def lead(self) -> int:
        """Samples of silence that frame 0 needs before the start."""
        return self.window // 2

    def frames(
        self, samples: Float[Tensor, "*batch time"], warp: float = 1.0
    ) -> Float[Tensor, "*batch frames bins"]:
        """Frames of all whole windows of a sound padded by `lead` samples in front."""
        return self.from_power(self.power(samples), warp)

    def power(
        self, samples: Float[Tensor, "*batch time"]
    ) -> Float[Tensor, "*batch frames frequencies"]:
        """Power spectra of all whole windows."""
        # (*batch, frames, window)
        cut = samples.unfold(-1, self.window, self.hop) * _window(self.window, samples.dtype)
        return torch.view_as_real(torch.fft.rfft(cut, self.size)).square().sum(-1)

    def from_power(
        self, power: Float[Tensor, "*batch frames frequencies"], warp: float = 1.0
    ) -> Float[Tensor, "*batch frames bins"]:
        """Mel energies from power spectra, with the frequency axis stretched by `warp`."""
        # 30 Hz to 7.6 kHz: below is hum, above the anti-aliasing of most recordings
        bank = mel_filterbank(self.size, self.bins, self.rate_hz, 30.0, 7600.0, warp)
        return ((power @ bank.T + self.floor).log() + self.offset) / self.scale

    def begin(self) -> Float[Tensor, " time"]:
        """State of a stream: the samples not yet used, at first `lead` samples of silence."""
        return torch.zeros(self.lead)

    def step(
        self, state: Float[Tensor, " time"], samples: Float[Tensor, " time2"]
    ) -> tuple[Float[Tensor, "frames bins"], Float[Tensor, " time3"]]:
        """The frames that these samples complete, and the new state."""
        buffer = torch.cat([state, samples])
        count = max(0, (len(buffer) - self.window) // self.hop + 1)
        if count == 0:
            return buffer.new_zeros(0, self.bins), buffer
        # one whole block of windows, so that the same bits come out as from a whole sound
        frames = self.frames(buffer[: (count - 1) * self.hop + self.window])
        return frames, buffer[count * self.hop :].clone()

    def whole(self, samples: Float[Tensor, " time"], frames: int) -> Float[Tensor, "frames bins"]:
        """The first `frames` frames of a sound, with silence after its end."""
        needed = (frames - 1) * self.hop + self.window - self.lead
        return self.frames(F.pad(samples, (self.lead, max(0, needed - len(samples)))))[:frames]
