"""ARTalk's published model, stage by stage, against a forward pass that keeps nothing.

python -m benchmarks.artalk -o artalk.json            # about 2.5 GB of memory
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.artalk_plain import say_plain
from benchmarks.report import run
from motet.encoders.wav2vec2 import Wav2Vec2, standardise
from motet.evaluation.bench.clock import timed
from motet.methods.artalk.config import PRESETS, ReleasedConfig
from motet.methods.artalk.published_v1.generate import ReleasedGenerator, ReleasedHistory, packed
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.nn.packed import Precision, bfloat16_is_fast

PUBLISHED = {
    "audio encoder": 7.1,
    "generator": 7.0,
    "decoder": 0.34,
    "history": 0.26,
    "rest": 0.1,
    "total": 14.8,
}
"""CPU seconds, one thread, of the published code for 10 s of sound on the machine of the method
card (AVX-512)."""


def random_model(config: ReleasedConfig, seed: int = 0) -> ReleasedModel:
    """The model with small random weights, without the slow initialisation of every layer."""
    with torch.device("meta"):
        model = ReleasedModel(config)
    model = model.to_empty(device="cpu")
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.02, generator=noise)
            if "norm" in name and name.endswith("weight"):
                parameter.add_(1)
    fresh = ReleasedModel(
        dataclasses.replace(config, depth=1, audio=dataclasses.replace(config.audio, layers=1))
    )
    for name, buffer in model.named_buffers():
        buffer.copy_(fresh.get_buffer(name))
    return model.eval().requires_grad_(False)


class Clock:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do the work and add its CPU seconds to the stage."""
        result, elapsed = timed(work)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed.cpu_s
        return result

    def total(self) -> dict[str, float]:
        """All stages, rounded, with their sum."""
        return {
            **{name: round(value, 3) for name, value in self.seconds.items()},
            "total": round(sum(self.seconds.values()), 3),
        }


def hear_plain(encoder: Wav2Vec2, windows: Tensor) -> Tensor:
    """Windows one by one, convolutions channel-first, attention with its map: the usual way."""
    received = []
    for window in standardise(windows):
        x = window.view(1, 1, -1)
        for layer in encoder.feature_extractor.conv_layers:
            x = F.gelu(layer.layer_norm(layer.conv(x).transpose(1, 2)).transpose(1, 2))
        projection = encoder.feature_projection
        x = projection.projection(projection.layer_norm(x.transpose(1, 2)))
        x = x + encoder.encoder.pos_conv_embed(x)
        for layer in encoder.encoder.layers:
            part, normed = layer.attention, layer.layer_norm(x)
            query, key, value = (
                p(normed).unflatten(-1, (part.heads, -1)).transpose(1, 2)
                for p in (part.q_proj, part.k_proj, part.v_proj)
            )
            share = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
            x = x + part.out_proj((share @ value).transpose(1, 2).flatten(2))
            x = x + layer.feed_forward(layer.final_layer_norm(x))
        received.append(encoder.encoder.layer_norm(x))
    return torch.cat(received)


@torch.inference_mode()
def measure(model: ReleasedModel, seconds: float = 10.0, *, plain: bool = True) -> dict[str, Any]:
    """Both forms on the same sound; answers CPU seconds by stage and whether the codes agree. The
    model is packed for good.
    """
    samples = torch.randn(round(seconds * 16000), generator=torch.Generator().manual_seed(1)) * 0.1
    windows = F.pad(samples, (0, -len(samples) % 64000)).view(-1, 64000)
    report: dict[str, Any] = {
        "seconds_of_sound": seconds,
        "windows": len(windows),
        "threads": torch.get_num_threads(),
    }
    slow, fast = Clock(), Clock()
    if plain:
        usual = slow(
            "audio encoder", lambda: model.pool_audio(hear_plain(model.audio_encoder, windows))
        )
        again = _speak(
            ReleasedGenerator(model),
            usual,
            slow,
            lambda history, audio: say_plain(model, history, audio),
        )
    generator = ReleasedGenerator(packed(model))
    pooled = fast(
        "audio encoder", lambda: model.pool_audio(model.audio_encoder(standardise(windows)))
    )
    received = fast("generator", lambda: model.modulations(pooled))
    bits = _speak(
        generator,
        received,
        fast,
        lambda history, audio: model.generate(history.style, history.tokens, audio)[0],
    )
    report["ours"] = fast.total()
    if plain:
        report |= {
            "plain": slow.total(),
            "codes_equal": bool((bits == again).all()),
            "encoder_difference": float((usual - pooled).abs().max()),
        }
        report["ratio"] = round(slow.total()["total"] / fast.total()["total"], 2)
    return report | {"published": PUBLISHED}


@torch.inference_mode()
def measure_rounded(
    model: ReleasedModel, precision: Precision, seconds: float = 10.0
) -> dict[str, Any]:
    """The option of an audio encoder in a lower precision: CPU seconds, feature error and share of
    first-window bits that change.
    """
    generator, clock = ReleasedGenerator(model), Clock()
    samples = torch.randn(round(seconds * 16000), generator=torch.Generator().manual_seed(1)) * 0.1
    windows = F.pad(samples, (0, -len(samples) % 64000)).view(-1, 64000)
    exact = model.pool_audio(model.audio_encoder(standardise(windows)))
    rough = generator.encoders.at(precision)
    rough(standardise(windows[:1]))
    rounded = clock("audio encoder", lambda: model.pool_audio(rough(standardise(windows))))
    history = generator.begin_with(model.style_token(None))
    said = [
        model.generate(history.style, history.tokens, model.modulations(pooled[:1]))[0]
        for pooled in (exact, rounded)
    ]
    error = float((rounded - exact).norm() / exact.norm())
    return {
        "encoder_cpu_s": clock.total()["total"],
        "feature_error": round(error, 4),
        "bits_changed": round(float((said[0] != said[1]).float().mean()), 4),
    }


def _speak(
    generator: ReleasedGenerator,
    received: Tensor,
    clock: Clock,
    say: Callable[[ReleasedHistory, Tensor], Tensor],
) -> Tensor:
    history, said = (
        clock("history", lambda: generator.begin_with(generator.model.style_token(None))),
        [],
    )
    for audio in received:
        bits = clock("generator", lambda audio=audio, history=history: say(history, audio[None]))
        motion = clock(
            "decoder", lambda bits=bits, history=history: generator.decode(history, bits)
        )
        history = clock(
            "history",
            lambda motion=motion, history=history: generator.update_history(history, motion),
        )
        said.append(bits)
    return torch.cat(said)


def measure_published() -> dict[str, Any]:
    """The published size, with its audio encoder in lower precision too."""
    config = PRESETS["released"].released
    assert config is not None
    model = random_model(config)
    report = measure(model)
    for precision in ("bfloat16", "int8") if bfloat16_is_fast() else ("int8",):
        report[f"{precision}_encoder"] = measure_rounded(model, precision)
    return report


if __name__ == "__main__":
    run("artalk", measure_published)
