"""MIMI as an audio encoder for ARTalk, through `transformers`, from weights that the user brings; nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.audio.sinc import resample_sinc
from motet.checkpoint import load_strict
from motet.errors import AudioError, require

RATE_HZ = 24000
Latent = Literal["both", "acoustic", "semantic", "no_proj"]


class Mimi(nn.Module):
    """The encoder half of MIMI with its quantiser.

    Args:
        tensors: weights in the names of `transformers`; decoder weights may be missing.
        config: its settings; the published ones when left out.

    Raises:
        CheckpointError: a tensor of the encoder or quantiser is missing or of another shape.
        MissingDependency: `transformers` is not installed.
    """

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        transformers = require("transformers", "encoders")
        # Eager attention: the recorded features were made with it, and the sliding window needs its explicit mask.
        model = transformers.MimiModel(transformers.MimiConfig(**dict(config or {}), attn_implementation="eager"))
        self.encoder, self.encoder_transformer = model.encoder, model.encoder_transformer
        self.downsample, self.quantizer = model.downsample, model.quantizer
        own = {name: tensor for name, tensor in tensors.items() if name.split(".")[0] in ("encoder", "encoder_transformer", "downsample", "quantizer")}
        load_strict(self, own, "the MIMI checkpoint")

    def latent(self, samples: Float[Tensor, "batch time"]) -> tuple[Float[Tensor, "batch width steps25"], Float[Tensor, "batch width steps12"]]:
        """Continuous features of 24 kHz sound before and after the last halving of the rate (25 and 12.5 Hz)."""
        if samples.shape[-1] == 0:
            raise AudioError("MIMI needs at least one sample; this sound is empty")
        found = self.encoder(samples.unsqueeze(1))
        mixed = self.encoder_transformer(found.transpose(1, 2))[0].transpose(1, 2)
        return mixed, self.downsample(mixed)

    @torch.no_grad()
    def released_features(self, samples: Float[Tensor, "batch time"]) -> tuple[Float[Tensor, "batch steps width"], Int[Tensor, "batch books steps"]]:
        """What the released ARTalk's MIMI option reads: 16 kHz sound through all codebooks and back, 12.5 Hz; and the codes."""
        codes = self.quantizer.encode(self.latent(resample_sinc(samples, 16000, RATE_HZ, torch.float32))[1]).transpose(0, 1)
        return self.quantizer.decode(codes).transpose(1, 2), codes

    @torch.no_grad()
    def training_features(self, samples: Float[Tensor, "batch time"], latent: Latent = "both") -> Float[Tensor, "batch steps width"]:
        """What the training code's MIMI option reads: 16 kHz sound, unquantised, 25 Hz.

        Args:
            latent: `both` sums the projections into and out of the semantic and the acoustic codebook space, each step twice in
                time; `semantic` and `acoustic` take one of them; `no_proj` takes the features before the halving of the rate.
        """
        fine, coarse = self.latent(resample_sinc(samples, 16000, RATE_HZ, torch.float32))
        if latent == "no_proj":
            return fine.transpose(1, 2)
        parts = {"semantic": self.quantizer.semantic_residual_vector_quantizer, "acoustic": self.quantizer.acoustic_residual_vector_quantizer}
        chosen = parts.values() if latent == "both" else [parts[latent]]
        projected = torch.stack([part.output_proj(part.input_proj(coarse)) for part in chosen]).sum(0)
        return projected.repeat_interleave(2, dim=-1).transpose(1, 2)
