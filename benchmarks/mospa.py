"""CPU seconds of MOSPA at its published size and of the default, beside the plain form in the same
run.

    python -m benchmarks.mospa [WEIGHTS]       # about four CPU minutes; 0.5 GB of memory

CPU seconds and not wall time, because they hardly depend on what else the machine does. The
published size has random
weights: the arithmetic does not depend on their values.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motet.encoders.binaural import RATE_HZ, binaural_features
from motet.methods.mospa.config import PRESETS, MospaCondition, MospaConfig
from motet.methods.mospa.generate import build
from motet.methods.mospa.model import MospaModel, source_input
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


def cpu_seconds(work: Callable[[], Any], repeats: int) -> float:
    """The least of several, in CPU seconds; the first is not counted."""
    work()
    found = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


@torch.inference_mode()
def measure_published(repeats: int = 3) -> dict[str, float]:
    """One step in both forms with the largest difference between them, a whole window at the
    default steps, and the features.
    """
    torch.manual_seed(0)
    config = MospaConfig()
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
    heard = WindowConditions(audio, genre, lambda estimate: source)
    steps = tuple(range(981, 0, -40))
    draw = SamplingConfig("ddim", (*steps, 0))
    sound = Audio(torch.randn(2, 10 * RATE_HZ) * 0.1, RATE_HZ, "binaural")
    return {
        "one step, plain": cpu_seconds(lambda: plain(noisy, step, audio, source, genre), repeats),
        "one step": cpu_seconds(lambda: model.estimate(noisy, step, given), repeats),
        "largest difference": difference,
        f"8 s, {len(steps)} steps": cpu_seconds(
            lambda: sample_window(model, heard, draw, noisy, lambda move: noisy), 1
        ),
        "features, both ears, 10 s": cpu_seconds(lambda: binaural_features(sound), repeats),
    }


def measure_default(weights: Path | None = None, repeats: int = 3) -> dict[str, float]:
    """Sound to finished motion with the default preset: 8 s, features and feet included."""
    if weights is None:
        method = build(PRESETS["default"], None, {})
    else:
        from motet.checkpoint import read_checkpoint
        from motet.config import from_json

        stored = read_checkpoint(weights)
        method = build(from_json(MospaConfig, stored.config), stored.tensors, {})
    sound = Audio(torch.randn(1, 2, 8 * RATE_HZ) * 0.1, RATE_HZ, "binaural")
    return {
        "8 s of sound to motion": cpu_seconds(
            lambda: method.run(sound, MospaCondition(source="60,0,2"), (0,)), repeats
        )
    }


def main(arguments: list[str]) -> None:
    """Measure and print JSON."""
    torch.set_num_threads(1)
    published, default = (
        measure_published(),
        measure_default(Path(arguments[0]) if arguments else None),
    )
    window = next(value for name, value in published.items() if name.startswith("8 s"))
    ratios = {
        "identical arithmetic": published["one step, plain"] / published["one step"],
        "8 s against 1000 plain ancestral steps": 1000 * published["one step, plain"] / window,
        "features against the released program": (
            PUBLISHED["features, both ears, 10 s"] / published["features, both ears, 10 s"]
        ),
    }
    print(
        json.dumps(
            {
                "published size": published,
                "default": default,
                "ratios": ratios,
                "released program (card)": PUBLISHED,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
