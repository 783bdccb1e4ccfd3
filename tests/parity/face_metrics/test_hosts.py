"""FaceFormer and SelfTalk against their released programs, tiny random weights under the official
names."""

from __future__ import annotations

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
from tests.parity.face_metrics.conftest import facts, tensors

AUDIO = HubertConfig(24, 2, 4, 32, (16,) * 7, 16, 4)
DATASETS = ("vocaset", "BIWI")


def close(found: Tensor, wanted: Tensor, tolerance: float = 2e-5) -> None:
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    worst = float((found - wanted).abs().max())
    assert worst <= tolerance, worst


def faceformer(dataset: str) -> tuple[FaceFormer, dict[str, Tensor]]:
    found = tensors(f"faceformer_{dataset}")
    model = FaceFormer(
        ReleasedConfig(dataset, 60, 16, 4, found["in.one_hot"].shape[1], AUDIO)
    ).eval()  # type: ignore[arg-type]
    load_strict(model, {name[2:]: value for name, value in found.items() if name.startswith("w.")})
    return model.requires_grad_(False), found


@pytest.mark.parametrize("dataset", DATASETS)
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


@pytest.mark.parametrize("dataset", DATASETS)
def test_faceformer_masks(dataset: str) -> None:
    model, found = faceformer(dataset)
    assert torch.equal(causal_bias(4, 40, model.config.period), found["out.biased_mask_first40"])
    frames, steps = found["out.memory_mask"].shape
    assert torch.equal(
        own_sound_only(frames, steps, model.config.dataset), found["out.memory_mask"]
    )


@pytest.mark.parametrize("dataset", DATASETS)
def test_selftalk(dataset: str) -> None:
    found = tensors(f"selftalk_{dataset}")
    lips = tuple(found["in.lip_index"].tolist())
    model = SelfTalk(ReleasedConfig(dataset, 60, 16, 4, 1, AUDIO, lips, 24, 4, 2, 32)).eval()  # type: ignore[arg-type]
    load_strict(model, {name[2:]: value for name, value in found.items() if name.startswith("w.")})
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
