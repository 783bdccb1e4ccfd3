"""The published sync expert: synchrony of five mouths and a fifth of a second of audio.
SyncNet's shape, as Wav2Lip uses it.

Sound: 80 mel energies, 100 hops of 12.5 ms behind a pre-emphasis, 16 of them a window. Pictures:
the lower half of five faces of 96 x 96, blue first. Both become unit vectors whose cosine lies in
0..1, because the last layer is rectified.

Source: Prajwal et al. 2020, "A Lip Sync Expert Is All You Need"; Chung and Zisserman 2016, "Out of
Time".
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.audio.mel import mel_filterbank

FRAMES, SIDE = 5, 96
"""Pictures of a window, and their height and width."""
ROWS = 16
"""Mel windows of a window of five frames."""
HOP, WINDOW = 200, 800
"""Samples of 16 kHz between mel windows, and of each."""
MEL_HZ = 80.0

_FACE = (
    (15, 32, 7, 1, 3, False),
    (32, 64, 5, (1, 2), 1, False), *[(64, 64, 3, 1, 1, True)] * 2,
    (64, 128, 3, 2, 1, False), *[(128, 128, 3, 1, 1, True)] * 3,
    (128, 256, 3, 2, 1, False), *[(256, 256, 3, 1, 1, True)] * 2,
    (256, 512, 3, 2, 1, False), *[(512, 512, 3, 1, 1, True)] * 2,
    (512, 512, 3, 2, 1, False), (512, 512, 3, 1, 0, False), (512, 512, 1, 1, 0, False),
)  # fmt: skip
_SOUND = (
    (1, 32, 3, 1, 1, False), *[(32, 32, 3, 1, 1, True)] * 2,
    (32, 64, 3, (3, 1), 1, False), *[(64, 64, 3, 1, 1, True)] * 2,
    (64, 128, 3, 3, 1, False), *[(128, 128, 3, 1, 1, True)] * 2,
    (128, 256, 3, (3, 2), 1, False), *[(256, 256, 3, 1, 1, True)] * 2,
    (256, 512, 3, 1, 0, False), (512, 512, 1, 1, 0, False),
)  # fmt: skip
"""Channels in and out, kernel, stride, padding, whether the input is added (residual)."""


@dataclasses.dataclass(frozen=True)
class SyncConfig:
    """Size of the expert."""

    SCHEMA = 1

    divide: int = 1
    """Every number of channels is divided by this; 1: the published 16.4 M parameters."""
    lowest_hz: float = 55.0
    """Lowest mel frequency (95 for low voices, as published for one person)."""


class SyncBlock(nn.Module):
    """Convolution, normalisation, optional skip connection, rectification."""

    def __init__(
        self,
        before: int,
        after: int,
        kernel: int,
        stride: int | tuple[int, int],
        padding: int,
        residual: bool,
    ) -> None:
        super().__init__()
        self.conv, self.norm, self.residual = (
            nn.Conv2d(before, after, kernel, stride, padding),
            nn.BatchNorm2d(after),
            residual,
        )

    def forward(self, picture: Tensor) -> Tensor:
        """One block."""
        output = self.norm(self.conv(picture))
        return F.relu(output + picture if self.residual else output)


class SyncExpert(nn.Module):
    """Two towers of convolutions to unit vectors. The project's own is `expert.LipExpert`, with the
    same methods.
    """

    def __init__(self, config: SyncConfig) -> None:
        super().__init__()
        self.config = config
        self.face, self.sound = (
            nn.Sequential(
                *(
                    SyncBlock(
                        max(1, a // config.divide) if a not in (1, 15) else a,
                        b // config.divide,
                        k,
                        s,
                        p,
                        r,
                    )
                    for a, b, k, s, p, r in table
                )
            )
            for table in (_FACE, _SOUND)
        )

    def encode_faces(self, faces: Float[Tensor, "batch 3 5 96 96"]) -> Float[Tensor, "batch width"]:
        """Unit vectors of windows of five faces, red first, 0..1."""
        return self.encode_lower_faces(faces[..., SIDE // 2 :, :])

    def encode_lower_faces(
        self, halves: Float[Tensor, "batch 3 5 48 96"]
    ) -> Float[Tensor, "batch width"]:
        """The same from the lower halves alone, the network's actual input."""
        return F.normalize(
            self.face(halves.flip(1).transpose(1, 2).flatten(1, 2)).flatten(1), dim=1
        )

    def encode_audio(self, mel: Float[Tensor, "batch 1 80 16"]) -> Float[Tensor, "batch width"]:
        """Unit vectors of windows of audio."""
        return F.normalize(self.sound(mel).flatten(1), dim=1)

    @property
    def frames(self) -> int:
        """Pictures of a window."""
        return FRAMES

    def audio_windows(
        self, mel: Float[Tensor, "80 windows"], features: Tensor, first: Int[Tensor, " windows"]
    ) -> Float[Tensor, "windows 1 80 16"]:
        """Inputs of `encode_audio` for windows that begin with these frames; this expert takes
        mel energies, not features.
        """
        del features
        return torch.stack([mel_window(mel, frame) for frame in first.tolist()]).unsqueeze(1)

    def loss(
        self,
        seen: Float[Tensor, "batch width"],
        own: Float[Tensor, "batch width"],
        wrong: Float[Tensor, "batch width"],
    ) -> Float[Tensor, ""]:
        """Contrastive: mouths match their own audio and not that of another moment."""
        return agreement_loss((seen * own).sum(1), 1.0) + agreement_loss((seen * wrong).sum(1), 0.0)


def agreement_loss(cosine: Float[Tensor, " batch"], label: float) -> Float[Tensor, ""]:
    """Cross entropy of a cosine with 1 (same moment) or 0 (another one).

    Rounding can lift a cosine a hair above 1, where the logarithm ends; it is clipped there.
    """
    return F.binary_cross_entropy(cosine.clamp(0, 1), torch.full_like(cosine, label))


def sync_mel(
    samples: Float[Tensor, " time"], lowest_hz: float = 55.0
) -> Float[Tensor, "80 windows"]:
    """Mel energies of 16 kHz audio as the expert takes them: -4..4, one window each 12.5 ms, window
    j centred on 200 j.

    Pre-emphasis 0.97, Fourier transform of 800 with a Hann window, zeros past the ends; 80 mels to
    7600 Hz; decibels above -100, less 20, stretched.
    """
    emphasised = samples.float().clone()
    emphasised[1:] -= 0.97 * samples[:-1].float()
    spectrum = torch.stft(
        emphasised,
        WINDOW,
        HOP,
        WINDOW,
        torch.hann_window(WINDOW),
        center=True,
        pad_mode="constant",
        return_complex=True,
    ).abs()
    level = (
        20
        * (mel_filterbank(WINDOW, 80, 16_000, lowest_hz, 7600.0) @ spectrum).clamp(min=1e-5).log10()
        - 20
    )
    return (8 * (level + 100) / 100 - 4).clamp(-4, 4)


def mel_window(
    mel: Float[Tensor, "80 windows"], frame: int, fps: float = 25.0, late: int = 0
) -> Float[Tensor, "80 16"]:
    """Mel energies of frames `frame` .. `frame + 4`; past the ends the edge is repeated.

    Args:
        late: frames that the window begins after the first picture. The released training uses 2,
            which is 80 ms late.
    """
    first = int(MEL_HZ * (frame + late) / fps)
    steps = torch.arange(first, first + ROWS).clamp(0, mel.shape[1] - 1)
    return mel[:, steps]


def resized_faces(
    pictures: Float[Tensor, "frames 3 height width"],
) -> Float[Tensor, "frames 3 96 96"]:
    """Faces as the expert takes them: bilinear without smoothing first, as released."""
    return F.interpolate(
        pictures, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=False
    )


def mouth_view(
    region: Float[Tensor, "frames 3 height width"], border: int
) -> Float[Tensor, "frames 3 48 96"]:
    """The mouth's region of a person as input of our own expert: the lip box stretched over the
    lower half of its picture.
    """
    height, width = region.shape[-2:]
    return F.interpolate(
        region[..., border : height - border, border : width - border],
        (SIDE // 2, SIDE),
        mode="bilinear",
        align_corners=False,
        antialias=False,
    )
