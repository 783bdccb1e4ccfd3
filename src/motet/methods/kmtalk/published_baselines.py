"""FaceFormer and SelfTalk as they were published, under the official tensor names: the baselines of
the paper.

Source: Fan et al. 2022 and Peng et al. 2023 with their released programs. Parity:
tests/parity/face_metrics.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.encoders.hubert import Hubert, HubertConfig
from motet.methods.kmtalk.baselines import causal_bias
from motet.nn.position import sinusoid_table

Dataset = Literal["vocaset", "BIWI"]


@dataclasses.dataclass(frozen=True)
class ReleasedConfig:
    """Sizes of both baselines."""

    dataset: Dataset = "vocaset"
    """Decides the frame rate (30 or 25) and how sound meets frames."""
    motion_dim: int = 15069
    """Three numbers a vertex."""
    feature_dim: int = 64
    """Width: FaceFormer 64 / 128, SelfTalk 512 / 1024."""
    heads: int = 4
    speakers: int = 8
    """FaceFormer: training speakers of the one-hot style."""
    audio: HubertConfig = HubertConfig()
    lips: tuple[int, ...] = ()
    """SelfTalk: lip vertices."""
    lip_width: int = 1024
    lip_heads: int = 8
    lip_layers: int = 6
    lip_inner: int = 2048
    vocabulary: int = 33

    @property
    def fps(self) -> int:
        """Frames a second."""
        return 30 if self.dataset == "vocaset" else 25

    @property
    def period(self) -> int:
        """Period of FaceFormer's positions and of its falling attention."""
        return self.fps


def speech(
    trunk: Hubert, samples: Float[Tensor, "batch time"], dataset: Dataset, frames: int = 0
) -> Float[Tensor, "batch steps hidden"]:
    """Output of the released encoders: 30 Hz for VOCASET, pairs of 50 Hz steps for BIWI.

    Args:
        frames: frames of the truth that the features are cut or stretched to; 0 in inference.
    """
    features = trunk.feature_extractor(samples)
    if dataset == "BIWI":
        pairs = features.shape[-1] // 2
        features = features[..., : 2 * (min(pairs, frames) if frames else pairs)]
    else:
        features = resampled(features, frames or int(features.shape[-1] / 50 * 30))
    return after_convolutions(trunk, features)


def after_convolutions(
    trunk: Hubert, features: Float[Tensor, "batch channels steps"]
) -> Float[Tensor, "batch steps hidden"]:
    """Projection and transformer over what the convolutions gave."""
    x = trunk.feature_projection(features.transpose(1, 2))
    x = trunk.encoder.layer_norm(x + trunk.encoder.pos_conv_embed(x))
    for layer in trunk.encoder.layers:
        x = layer(x)
    return x


def resampled(
    x: Float[Tensor, "batch channels steps"], steps: int
) -> Float[Tensor, "batch channels steps_out"]:
    """Linear in time, first and last step kept, as released."""
    return F.interpolate(x, size=steps, mode="linear", align_corners=True)


class FaceFormer(nn.Module):
    """Autoregressive from wav2vec 2.0, in the style of a training speaker."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.config, width = config, config.feature_dim
        self.audio_encoder = Hubert(config.audio)
        self.audio_feature_map = nn.Linear(config.audio.hidden, width)
        self.vertice_map, self.vertice_map_r = (
            nn.Linear(config.motion_dim, width),
            nn.Linear(width, config.motion_dim),
        )
        self.obj_vector = nn.Linear(config.speakers, width, bias=False)
        self.transformer_decoder = _decoder(width, config.heads)

    def forward(
        self,
        samples: Float[Tensor, "batch time"],
        template: Float[Tensor, "batch dim"],
        speaker: Float[Tensor, "batch speakers"],
        truth: Float[Tensor, "batch frames dim"] | None = None,
        teacher: bool = False,
    ) -> Float[Tensor, "batch frames dim"]:
        """Vertices, the template added.

        Args:
            truth: its length (in training) and, with `teacher`, the past that each frame continues.
        """
        sound = self.audio_feature_map(
            speech(
                self.audio_encoder,
                samples,
                self.config.dataset,
                0 if truth is None else truth.shape[1],
            )
        )
        frames = sound.shape[1] // (2 if self.config.dataset == "BIWI" else 1)
        style = self.obj_vector(speaker).unsqueeze(1)
        if teacher and truth is not None:
            before = torch.cat([template.unsqueeze(1), truth[:, :-1]], 1) - template.unsqueeze(1)
            return self._decode(
                self.vertice_map(before[:, :frames]) + style, sound
            ) + template.unsqueeze(1)
        tokens, output = style, style
        for _ in range(frames):
            output = self._decode(tokens, sound)
            tokens = torch.cat([tokens, self.vertice_map(output[:, -1:]) + style], 1)
        return output + template.unsqueeze(1)

    def _decode(
        self, tokens: Float[Tensor, "batch frames width"], sound: Tensor
    ) -> Float[Tensor, "batch frames dim"]:
        frames, config = tokens.shape[1], self.config
        positions = sinusoid_table(config.period, config.feature_dim)[
            torch.arange(frames) % config.period
        ]
        bias = causal_bias(config.heads, frames, config.period).to(tokens).repeat(len(tokens), 1, 1)
        own = own_sound_only(frames, sound.shape[1], config.dataset).to(tokens.device)
        return self.vertice_map_r(
            self.transformer_decoder(
                tokens + positions.to(tokens), sound, tgt_mask=bias, memory_mask=own
            )
        )


def own_sound_only(frames: int, steps: int, dataset: Dataset) -> Tensor:
    """FaceFormer's alignment: True where a frame may not attend, that is everywhere but at its own
    step, or two for BIWI.
    """
    each = 2 if dataset == "BIWI" else 1
    return torch.arange(frames).unsqueeze(1) != torch.arange(steps) // each


class SelfTalk(nn.Module):
    """All frames in one pass, with a lip reader that keeps them readable in training."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.config, width = config, config.feature_dim
        features = config.audio.hidden * (2 if config.dataset == "BIWI" else 1)
        self.audio_encoder, self.text_encoder = Hubert(config.audio), TextEncoder(config)
        self.audio_feature_map, self.vertice_map_r = (
            nn.Linear(features, width),
            nn.Linear(width, config.motion_dim),
        )
        self.transformer_decoder = _decoder(width, config.heads)
        self.lip_map = nn.Linear(3 * len(config.lips), config.lip_width)
        self.transformer = nn.Transformer(
            config.lip_width,
            config.lip_heads,
            config.lip_layers,
            config.lip_layers,
            config.lip_inner,
            batch_first=True,
        )
        self.lm_head = nn.Linear(config.lip_width, config.vocabulary)

    def forward(
        self,
        samples: Float[Tensor, "batch time"],
        template: Float[Tensor, "batch dim"],
        frames: int = 0,
    ) -> Float[Tensor, "batch frames dim"]:
        """Vertices, the template added.

        Args:
            frames: of the truth, in training.
        """
        if (
            self.config.dataset == "BIWI"
        ):  # Unlike FaceFormer it cuts the transformer's output, not its input.
            sound = after_convolutions(
                self.audio_encoder, self.audio_encoder.feature_extractor(samples)
            )
            pairs = min(sound.shape[1] // 2, frames) if frames else sound.shape[1] // 2
            sound = sound[:, : 2 * pairs].unflatten(1, (-1, 2)).flatten(2)
        else:
            sound = speech(self.audio_encoder, samples, self.config.dataset, frames)
        x = self.audio_feature_map(sound)
        return self.vertice_map_r(self.transformer_decoder(x, x)) + template.unsqueeze(1)

    def read_lips(
        self,
        vertices: Float[Tensor, "batch frames dim"],
        template: Float[Tensor, "batch dim"],
        steps: int,
    ) -> tuple[Tensor, Tensor]:
        """Features and letter scores that the lip reader takes from the lips at 50 Hz."""
        offsets = (
            (vertices - template.unsqueeze(1))
            .unflatten(-1, (-1, 3))[:, :, list(self.config.lips)]
            .flatten(2)
        )
        lips = self.lip_map(resampled(offsets.transpose(1, 2), steps).transpose(1, 2))
        features = self.transformer(lips, lips)
        return features, self.lm_head(features)

    def lip_steps(self, frames: int) -> int:
        """Lip-reading steps of so many frames in inference."""
        return int(frames / self.config.fps * 50)


class TextEncoder(nn.Module):
    """The speech recogniser whose hidden states the lip reader must meet in training."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.wav2vec2 = Hubert(config.audio)
        self.lm_head = nn.Linear(config.audio.hidden, config.vocabulary)

    def forward(
        self, samples: Float[Tensor, "batch time"], steps: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Hidden states and letter scores at 50 Hz, cut to so many steps."""
        hidden = after_convolutions(self.wav2vec2, self.wav2vec2.feature_extractor(samples))
        hidden = hidden[:, :steps] if steps else hidden
        return hidden, self.lm_head(hidden)


def selftalk_loss(
    vertices: Tensor,
    truth: Tensor,
    lip_features: Tensor,
    text_hidden: Tensor,
    lip_letters: Tensor | None = None,
    text_letters: Tensor | None = None,
) -> dict[str, Tensor]:
    """SelfTalk's own terms with their weights.

    Args:
        lip_letters, text_letters: letter scores of the lip reader and of the recogniser; without
            them the character term is left out.
    """
    terms = {
        "position": 1000 * F.mse_loss(vertices, truth),
        "velocity": 1000 * F.mse_loss(vertices.diff(dim=1), truth.diff(dim=1)),
        "latent": 0.001 * F.mse_loss(lip_features, text_hidden),
    }
    if lip_letters is not None and text_letters is not None:
        terms["characters"] = 0.0001 * character_loss(lip_letters, text_letters)
    return terms


BLANK = 0
"""Class of the recogniser's padding, which separates letters."""


def character_loss(
    lip_letters: Float[Tensor, "batch steps letters"],
    text_letters: Float[Tensor, "batch steps letters"],
) -> Float[Tensor, ""]:
    """CTC of the lip reader's letters against those that the recogniser found in the sound.

    The paper's equation; no reference tensors of it exist, so it is checked against a count over
    all alignments only.
    """
    found = [collapsed(letters) for letters in text_letters.argmax(-1)]
    scores = lip_letters.log_softmax(-1).transpose(0, 1)  # (steps, batch, letters)
    steps = torch.full((len(found),), scores.shape[0])
    # A clip with more letters than steps has no alignment; it adds nothing.
    return F.ctc_loss(
        scores, torch.cat(found), steps, torch.tensor([*map(len, found)]), BLANK, zero_infinity=True
    )


def collapsed(letters: Int[Tensor, " steps"]) -> Int[Tensor, " length"]:
    """Greedy reading: repeats merged, blanks dropped."""
    merged = torch.unique_consecutive(letters)
    return merged[merged != BLANK]


def _decoder(width: int, heads: int) -> nn.TransformerDecoder:
    layer = nn.TransformerDecoderLayer(width, heads, 2 * width, batch_first=True)
    return nn.TransformerDecoder(layer, 1)
