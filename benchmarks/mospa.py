"""MOSPA's published denoiser against PyTorch's own encoder, and the default preset.

python -m benchmarks.mospa -o mospa.json       # about four CPU minutes; 0.5 GB of memory
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.report import run
from motet.encoders.binaural import RATE_HZ, binaural_features
from motet.evaluation.bench.clock import least_cpu_seconds
from motet.methods.mospa.config import PRESETS, MospaCondition, MospaConfig
from motet.methods.mospa.generate import build
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_encoding import source_input
from motet.methods.mospa.windows import SamplingConfig, WindowConditions, sample_window
from motet.types import Audio

PUBLISHED = {"one step": 0.23, "8 s, 1000 steps": 230.0, "features, both ears, 10 s": 3.1}
"""CPU seconds of the released program on the machine of the method card."""


class PlainDenoiser(nn.Module):
    """The published forward pass as PyTorch's own encoder makes it: everything embedded and every
    row computed at each step.
    """

    def __init__(self, model: MospaModel) -> None:
        super().__init__()
        config = model.config
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.inner, config.dropout, "gelu"
        )
        self.inner, self.encoder = (
            model,
            nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False),
        )
        for own, plain in zip(model.layers, self.encoder.layers, strict=True):
            attention = plain.self_attn
            pairs = (
                (attention, own.projection),
                (attention.out_proj, own.out),
                (plain.linear1, own.inner),
                (plain.linear2, own.outer),
            )
            for target, source in (
                *pairs,
                (plain.norm1, own.norm_attention),
                (plain.norm2, own.norm_inner),
            ):
                prefix = "in_proj_" if target is attention else ""
                getattr(target, f"{prefix}weight").data.copy_(source.weight)
                getattr(target, f"{prefix}bias").data.copy_(source.bias)

    def forward(
        self, noisy: Tensor, step: Tensor, audio: Tensor, source: Tensor, genre: Tensor
    ) -> Tensor:
        """Clean motion."""
        model = self.inner
        parts = [
            model.embed_audio(audio),
            model.embed_source(source),
            model.embed_genre[genre][:, None],
            model.embed_step(model.positions[step - 1])[:, None],
        ]
        tokens = torch.cat([*parts, model.embed_motion(noisy)], 1)
        tokens = tokens + model.positions[: tokens.shape[1]]
        return model.output(
            self.encoder(tokens.transpose(0, 1)).transpose(0, 1)[:, -noisy.shape[1] :]
        )


@torch.inference_mode()
def measure_published(
    config: MospaConfig, features_s: float = 10.0, repeats: int = 3
) -> dict[str, float]:
    """One step in both forms with the largest difference between them, a whole window at the
    default steps, and the features.
    """
    torch.manual_seed(0)
    model = MospaModel(config).eval()
    plain = PlainDenoiser(model).eval()
    noisy, audio, source = (
        torch.randn(1, 240, 300),
        torch.randn(1, 240, 2272),
        source_input(torch.randn(1, 240, 3), config.source),
    )
    genre, step = torch.tensor([1]), torch.tensor([500])
    given = model.embed_conditions(audio, source, genre)
    difference = float(
        (model.estimate(noisy, step, given) - plain(noisy, step, audio, source, genre)).abs().max()
    )
    conditions = WindowConditions(audio, genre, lambda estimate: source)
    steps = tuple(range(981, 0, -40))
    draw = SamplingConfig("ddim", (*steps, 0))
    sound = Audio(torch.randn(2, round(features_s * RATE_HZ)) * 0.1, RATE_HZ, "binaural")
    return {
        "one step, plain": least_cpu_seconds(
            lambda: plain(noisy, step, audio, source, genre), repeats
        ),
        "one step": least_cpu_seconds(lambda: model.estimate(noisy, step, given), repeats),
        "largest difference": difference,
        f"8 s, {len(steps)} steps": least_cpu_seconds(
            lambda: sample_window(model, conditions, draw, noisy, lambda move: noisy), 1
        ),
        f"features, both ears, {features_s:g} s": least_cpu_seconds(
            lambda: binaural_features(sound), repeats
        ),
    }


def measure_default(seconds: float = 8.0, repeats: int = 3) -> dict[str, float]:
    """Sound to finished motion with the default preset, features and feet included."""
    method = build(PRESETS["default"], None, {})
    sound = Audio(torch.randn(1, 2, round(seconds * RATE_HZ)) * 0.1, RATE_HZ, "binaural")
    condition = MospaCondition(source="60,0,2")
    cpu_s = least_cpu_seconds(lambda: method.run(sound, condition, (0,)), repeats)
    return {f"{seconds:g} s of sound to motion": cpu_s}


def measure(
    config: MospaConfig | None = None, features_s: float = 10.0, default_s: float = 8.0
) -> dict[str, Any]:
    """The published size (or another), the default, and the ratios to the released program."""
    published, default = (
        measure_published(config or MospaConfig(), features_s),
        measure_default(default_s),
    )
    plain, ours = published["one step, plain"], published["one step"]
    window = next(value for name, value in published.items() if name.startswith("8 s"))
    features = next(value for name, value in published.items() if name.startswith("features"))
    ratios = {
        "identical arithmetic": plain / ours,
        "8 s against 1000 plain ancestral steps": 1000 * plain / window,
        "features against the released program": PUBLISHED["features, both ears, 10 s"] / features,
    }
    return {
        "published size": published,
        "default": default,
        "ratios": ratios,
        "released program (card)": PUBLISHED,
    }


if __name__ == "__main__":
    run("mospa", measure)
