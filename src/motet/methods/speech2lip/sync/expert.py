"""The project's own sync expert: synchrony of thirteen mouths and half a second of audio.

A picture is reduced to a few numbers of lip shape (small convolutions, supervised by tracked
landmarks), audio to the phonetic encoder's features. Both become codes of each frame, minus their
mean over the window: what remains is motion, independent of face and voice. The cosine of two
windows is the correlation of their codes.

The published expert (`model.py`) learns from pixels and mel energies alone, which takes many hours
of many people; with phonetic features and landmark supervision, minutes suffice.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.methods.speech2lip.sync.model import SIDE

STEPS = 2
"""Features per frame."""
BEFORE, AFTER = 8, 16
"""Context of a frame in features, before its own first one and from it on: 0.16 s of past, 0.32 s
of future."""
SHARPNESS = 12.0
"""Inverse temperature of the contrastive losses."""


@dataclasses.dataclass(frozen=True)
class LipExpertConfig:
    """Size of the expert."""

    SCHEMA = 1

    frames: int = 13
    """Pictures of a window."""
    channels: int = 256
    """Of the phonetic encoder."""
    shape: int = 12
    """Numbers of lip shape."""
    width: int = 64
    code: int = 16
    """Width of the joint code of lips and audio per frame."""
    steps: float = 1.0
    """Weight of the codes' frame-to-frame differences relative to the codes."""


class Look(nn.Module):
    """Lip shape of single pictures, invariant to brightness and contrast."""

    def __init__(self, shape: int) -> None:
        super().__init__()
        sizes = (3, 16, 24, 32, 48)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3 if a > 3 else 5, 2, 1 if a > 3 else 2)
            for a, b in zip(sizes, sizes[1:], strict=False)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, b) for b in sizes[1:])
        self.inner, self.out = nn.Linear(48 * (SIDE // 32) * (SIDE // 16), 96), nn.Linear(96, shape)

    def forward(self, halves: Float[Tensor, "count 3 48 96"]) -> Float[Tensor, "count shape"]:
        """Lip shape as a deviation from the person's mean mouth."""
        # Per picture and colour: neither light nor exposure may tell the lips apart.
        picture = halves - halves.mean((2, 3), keepdim=True)
        picture = picture / (picture.square().mean((1, 2, 3), keepdim=True) + 1e-4).sqrt()
        for conv, norm in zip(self.convs, self.norms, strict=True):
            picture = F.gelu(norm(conv(picture)))
        return self.out(F.gelu(self.inner(picture.flatten(1))))


class LipExpert(nn.Module):
    """Two towers to unit vectors."""

    def __init__(self, config: LipExpertConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.look = Look(config.shape)
        self.move = nn.Sequential(
            nn.Linear(config.shape, width), nn.GELU(), nn.Linear(width, config.code)
        )
        self.squeeze = nn.Linear(config.channels, width)
        # `look`, `move`, `squeeze` and `listen` are names in the shipped weights.
        self.listen = nn.Sequential(
            nn.Conv1d(width, 2 * width, BEFORE + AFTER, STEPS),
            nn.GELU(),
            nn.Conv1d(2 * width, config.code, 1),
        )

    @property
    def frames(self) -> int:
        """Pictures of a window."""
        return self.config.frames

    def encode_lower_faces(
        self, halves: Float[Tensor, "batch 3 frames 48 96"]
    ) -> Float[Tensor, "batch vector"]:
        """Unit vectors of windows of mouths, 0..1."""
        shapes = self.look(halves.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(halves), -1))
        return self.windows(self.move(shapes))

    def encode_audio(
        self, features: Float[Tensor, "batch steps channels"]
    ) -> Float[Tensor, "batch vector"]:
        """Unit vectors of windows of audio features (`audio_window`)."""
        return self.windows(self.audio_codes(features))

    def audio_codes(
        self, features: Float[Tensor, "batch steps channels"]
    ) -> Float[Tensor, "batch frames code"]:
        """One code for each frame whose whole context the features cover."""
        return self.listen(F.gelu(self.squeeze(features)).transpose(1, 2)).transpose(1, 2)

    def windows(self, codes: Float[Tensor, "*batch frames code"]) -> Float[Tensor, "*batch vector"]:
        """Mean-free codes of each window, concatenated with their differences, as a unit vector."""
        # Without its mean a window shows movement, not what the mouth looks like at rest.
        centred = codes - codes.mean(-2, keepdim=True)
        both = torch.cat(
            [centred.flatten(-2), self.config.steps * codes.diff(dim=-2).flatten(-2)], -1
        )
        return F.normalize(both, dim=-1)

    def loss(
        self,
        seen: Float[Tensor, "batch vector"],
        own: Float[Tensor, "batch vector"],
        wrong: Float[Tensor, "batch vector"],
    ) -> Float[Tensor, ""]:
        """Contrastive: distance of mouths to their own audio, plus a margin term against the
        audio of another moment.
        """
        right, other = (seen * own).sum(1), (seen * wrong).sum(1)
        return (1 - right + F.softplus(SHARPNESS * (other - right)) / SHARPNESS).mean()

    def audio_windows(
        self, mel: Tensor, features: Float[Tensor, "steps channels"], first: Int[Tensor, "windows"]
    ) -> Tensor:
        """Inputs of `encode_audio` for windows that begin with these frames; this expert takes
        features, not mel energies.
        """
        del mel
        return audio_window(features, first, self.frames)


def audio_window(
    features: Float[Tensor, "steps channels"], first: Int[Tensor, " windows"], frames: int
) -> Float[Tensor, "windows some channels"]:
    """Features around each window of frames; the ends are repeated."""
    steps = STEPS * first.unsqueeze(1) + torch.arange(-BEFORE, STEPS * (frames - 1) + AFTER)
    return features[steps.clamp(0, len(features) - 1)]
