"""From the authors' checkpoint to pictures: `motet weights import`, then drawn from Python.

No command draws them: their DeepSpeech features are not computed here. The recorded windows take
their place.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from motet.checkpoint import load_strict, read_checkpoint
from motet.cli import main
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.published import whole_frames
from tests.parity.speech2lip.conftest import (
    SET,
    close,
    first,
    published_config,
    scene,
    settings,
    tensors,
    weights,
)

BLEND_NAMES = {
    "blend.enter.": "post_fusion_unet.inc.double_conv.",
    "blend.down.0.": "post_fusion_unet.down1.maxpool_conv.1.double_conv.",
    "blend.down.1.": "post_fusion_unet.down2.maxpool_conv.1.double_conv.",
    "blend.up.0.": "post_fusion_unet.up1.conv.double_conv.",
    "blend.up.1.": "post_fusion_unet.up2.conv.double_conv.",
    "blend.out.": "post_fusion_unet.outc.conv.",
}
"""Official names of Blend-Net; where the compact subset lacks it, random numbers stand for it."""


def imported_model(official: dict[str, torch.Tensor], folder: Path) -> Speech2LipModel:
    """The model of an official `model.pt` after the command."""
    stored = {f"module.{name}": tensor for name, tensor in official.items()}
    torch.save({"epoch_it": 3, "it": 7, "model": stored}, folder / "model.pt")
    (folder / "size.json").write_text(json.dumps(settings()))
    command = ["weights", "import", str(folder / "model.pt"), "-m", "speech2lip"]
    command += ["--config", str(folder / "size.json"), "-o", str(folder / "own.safetensors")]
    assert main(command) == 0
    model = Speech2LipModel(published_config())
    load_strict(model, read_checkpoint(folder / "own.safetensors").tensors)
    return model.eval()


def test_imported_weights_draw_the_recorded_lips(tmp_path: Path) -> None:
    torch.manual_seed(0)
    random = Speech2LipModel(published_config()).state_dict()
    official = {
        theirs + name.removeprefix(ours): tensor
        for name, tensor in random.items()
        for ours, theirs in BLEND_NAMES.items()
        if name.startswith(ours)
    }
    model = imported_model({**official, **SET.tensors("weights")}, tmp_path)
    found = tensors("a_lip")
    features = model.hearing(found["audio"])
    close(features, found["audio_feat"])
    lips = model.lip.picture(model.lip.prepare(), features, found["time_index"])
    close(lips, first(found["lip_rgb"]))


def test_imported_weights_draw_the_recorded_frames(tmp_path: Path) -> None:
    model, found, inputs = (
        imported_model(weights(), tmp_path),
        tensors("e_compose"),
        tensors("a_lip"),
    )
    # The recorded frame is that of the first window.
    drawn = whole_frames(model, inputs["audio"][:1], inputs["time_index"][:1], scene())
    close(drawn, first(found["recon"]))
