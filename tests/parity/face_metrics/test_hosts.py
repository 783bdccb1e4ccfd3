"""FaceFormer and SelfTalk against their released programs, tiny random weights under the official
names."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.hubert import HubertConfig
from motet.methods.kmtalk.baselines import causal_bias
from motet.methods.kmtalk.published_baselines import (
    FaceFormer,
    ReleasedConfig,
    SelfTalk,
    own_sound_only,
    selftalk_loss,
    speech,
)
from tests.parity.face_metrics.conftest import SET, facts, tensors
from tests.parity.fixture_set import ReferenceTensors


def heads_of(dataset: str) -> int:
    """The number of attention heads, one for all networks of a set."""
    return facts("models_expected")["faceformer"][dataset]["n_head"]


def speech_encoder(weights: dict[str, Tensor], heads: int) -> HubertConfig:
    """Sizes of a small wav2vec2, from its weights; only its heads stand in the description."""
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    convolutions = "feature_extractor.conv_layers."
    widths = [t.shape[0] for n, t in weights.items() if n.startswith(convolutions) and t.ndim == 3]
    position = weights["encoder.pos_conv_embed.conv.parametrizations.weight.original1"]
    hidden, in_group, taps = position.shape
    inner = weights["encoder.layers.0.feed_forward.intermediate_dense.bias"].shape[0]
    groups = hidden // in_group
    return HubertConfig(hidden, len(layers), heads, inner, tuple(widths), taps, groups)


def sizes_of(dataset: str, found: ReferenceTensors) -> ReleasedConfig:
    """Sizes of a baseline without its parts of one model only."""
    motion, width = found["w.vertice_map_r.weight"].shape
    audio = speech_encoder(found.under("w.audio_encoder."), heads_of(dataset))
    return ReleasedConfig(dataset, motion, width, heads_of(dataset), audio=audio)  # type: ignore[arg-type]


def close(found: Tensor, wanted: Tensor, tolerance: float = 2e-5) -> None:
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst = float((found - wanted).abs().max())
    assert worst <= tolerance, worst


def faceformer(dataset: str) -> tuple[FaceFormer, ReferenceTensors]:
    found = tensors(f"faceformer_{dataset}")
    speakers = found["in.one_hot"].shape[1]
    model = FaceFormer(dataclasses.replace(sizes_of(dataset, found), speakers=speakers)).eval()
    load_strict(model, found.under("w."))
    return model.requires_grad_(False), found


def selftalk(dataset: str) -> tuple[SelfTalk, ReferenceTensors]:
    found = tensors(f"selftalk_{dataset}")
    lips = found.under("w.transformer.encoder.layers.")
    config = dataclasses.replace(
        sizes_of(dataset, found),
        speakers=1,
        lips=tuple(found["in.lip_index"].tolist()),
        lip_width=found["w.lip_map.weight"].shape[0],
        lip_heads=heads_of(dataset),
        lip_layers=len({name.partition(".")[0] for name in lips}),
        lip_inner=lips["0.linear1.weight"].shape[0],
        vocabulary=found["w.lm_head.weight"].shape[0],
    )
    model = SelfTalk(config).eval()
    load_strict(model, found.under("w."))
    return model, found


@pytest.mark.parametrize("dataset", SET.cases("models_expected", "faceformer"))
def test_faceformer(dataset: str) -> None:
    model, found = faceformer(dataset)
    sound, template, style, truth = (
        found[f"in.{name}"] for name in ("audio", "template", "one_hot", "vertice")
    )
    close(
        speech(model.audio_encoder, sound, model.config.dataset, truth.shape[1]),
        found["out.audio_hidden"],
    )
    close(model(sound, template, style, truth), found["out.autoregressive"], 1e-4)
    close(model(sound, template, style, truth, teacher=True), found["out.teacher_forcing"])
    close(model(sound, template, style), found["out.predict"], 1e-4)
    loss = torch.nn.functional.mse_loss(model(sound, template, style, truth), truth)
    assert float(loss) == pytest.approx(
        facts("models_expected")["faceformer"][dataset]["loss_ar"], rel=1e-4
    )


@pytest.mark.parametrize("dataset", SET.cases("models_expected", "faceformer"))
def test_faceformer_masks(dataset: str) -> None:
    model, found = faceformer(dataset)
    frames = int(SET.names(f"faceformer_{dataset}", r"out\.biased_mask_first(\d+)")[0])
    bias = causal_bias(model.config.heads, frames, model.config.period)
    assert torch.equal(bias, found[f"out.biased_mask_first{frames}"])
    frames, steps = found["out.memory_mask"].shape
    assert torch.equal(
        own_sound_only(frames, steps, model.config.dataset), found["out.memory_mask"]
    )


@pytest.mark.parametrize("dataset", SET.cases("models_expected", "selftalk"))
def test_selftalk(dataset: str) -> None:
    model, found = selftalk(dataset)
    sound, template, truth = found["in.audio"], found["in.template"], found["in.vertice"]
    frames = truth.shape[1]
    with torch.no_grad():
        vertices = model(sound, template, frames)
        hidden, letters = model.text_encoder(sound, 2 * frames if dataset == "BIWI" else 0)
        features, read = model.read_lips(vertices, template, hidden.shape[1])
        alone = model(sound, template)
        _, read_alone = model.read_lips(alone, template, model.lip_steps(alone.shape[1]))
    for value, name in (
        (vertices, "vertice"),
        (hidden, "text_hidden"),
        (letters, "text_logits"),
        (features, "lip_features"),
        (read, "lip_logits"),
    ):
        close(value, found[f"out.{name}"])
    close(alone, found["out.predict_vertice"])
    close(read_alone, found["out.predict_lip_logits"])
    terms = selftalk_loss(vertices, truth, features, hidden)
    assert float(sum(terms.values())) == pytest.approx(
        facts("models_expected")["selftalk"][dataset]["weighted_without_ctc"], rel=1e-4
    )
