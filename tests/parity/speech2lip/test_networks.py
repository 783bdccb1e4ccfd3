"""Networks, composition and sync expert against the published code's numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.errors import CheckpointError
from motet.methods.speech2lip.composition import Swap, blend_input, paste
from motet.methods.speech2lip.geometry import sample
from motet.methods.speech2lip.model import Speech2LipModel, pixel_grid, place_code, time_code
from motet.methods.speech2lip.state_dict import from_official
from motet.methods.speech2lip.sync.model import agreement_loss
from tests.parity.speech2lip.conftest import (
    close,
    expert,
    first,
    has,
    model,
    parameters,
    published_config,
    scene,
    tensors,
    weights,
)


def test_an_official_checkpoint_is_read_whole_and_its_sizes_are_found() -> None:
    tensors("c_blend")  # the compact subset has no Blend-Net
    size, unused = parameters(), 214_592
    config, own = from_official(
        {
            "epoch_it": 3,
            "it": 7,
            "model": {f"module.{name}": tensor for name, tensor in weights().items()},
        },
        size["lw"],
        size["lh"],
    )
    assert config == published_config()
    made = Speech2LipModel(config)
    load_strict(made, own)
    assert sum(p.numel() for p in made.parameters()) == 1_946_438 - unused


def test_a_foreign_or_incomplete_checkpoint_is_refused() -> None:
    with pytest.raises(CheckpointError, match="fc_uv"):
        from_official({"model": {"a": torch.zeros(1)}})
    with pytest.raises(CheckpointError, match="nonsense"):
        from_official({"model": weights() | {"nonsense.weight": torch.zeros(1)}})
    with pytest.raises(CheckpointError, match="lacks"):
        from_official(
            {
                "model": {
                    name: tensor
                    for name, tensor in weights().items()
                    if not name.startswith("post_fusion_unet.inc")
                }
            }
        )


def test_audio_net() -> None:
    found = tensors("a_lip")
    close(model().hearing(found["audio"]), found["audio_feat"])


def test_codes_of_place_and_time() -> None:
    found, size = tensors("a_lip"), parameters()
    grid = pixel_grid(size["lw"], size["lh"])
    close(grid, found["coords"])
    close(place_code(grid, 10), found["uv_embed"])
    close(time_code(found["time_index"], 20), found["time_embed"])


def test_direct_query() -> None:
    found, net = tensors("a_lip"), model()
    close(
        net.lip.picture(net.lip.places(), net.hearing(found["audio"]), found["time_index"]),
        first(found["lip_rgb"]),
    )


def test_a_prepared_place_gives_the_same_for_one_frame_alone() -> None:
    found, net = tensors("a_lip"), model()
    alone = net.lip.picture(
        net.lip.places(), net.hearing(found["audio"][1:2]), found["time_index"][1:2]
    )
    close(alone, first(found["lip_rgb"])[1:2])


def test_local_ensemble_of_training() -> None:
    found, net = tensors("a_lip"), model()
    close(
        net.lip.ensemble(
            net.hearing(found["audio"][:1]), found["time_index"][:1], float(found["eps_uniform"])
        ),
        first(found["lip_rgb_ensemble"]),
    )


@pytest.mark.parametrize("size", ["even", "odd"])
def test_blend_net(size: str) -> None:
    found = tensors("c_blend")
    close(model().blend(found[f"x_{size}"]), found[f"y_{size}"])


def test_blend_net_in_training_follows_the_batch() -> None:
    found, net = tensors("c_blend"), model()
    net.train()
    close(net.blend(found["x_even"]), found["y_even_trainmode"])
    close(net.blend.enter[1].running_mean, found["inc_bn_running_mean_after"])
    close(net.blend.enter[1].running_var, found["inc_bn_running_var_after"])


@pytest.mark.parametrize(("kind", "shift"), [("", 0), ("_generic", 1)])
def test_composition_of_a_whole_frame(kind: str, shift: int) -> None:
    found, net = tensors("e_compose"), model()
    merged = paste(first(found["lip_rgb"]), scene(), shift)
    close(merged, first(found[f"merged_canonical{kind}"]))
    blended = blend_input(merged, scene())
    close(blended, first(found[f"blend_input{kind}"]))
    if not kind:
        close(net.blend(blended), first(found["recon"]))


def test_pixel_swap() -> None:
    found, net = tensors("e_compose"), model()
    blended = blend_input(
        paste(first(found["lip_rgb"]), scene()),
        scene(),
        Swap(found["aug_keep1"], found["aug_keep2"]),
    )
    close(blended, first(found["blend_input_aug"]))
    close(net.blend(blended), first(found["recon_aug"]))


def test_canonical_picture_in_the_observed_frame() -> None:
    found = tensors("b_gamem")
    close(sample(first(found["face_can"]), found["coords"]), has("b_gamem", "can_in_obs"))
    close(sample(first(found["face_obs"]), found["pix_can2obs"]), has("b_gamem", "obs_in_can"))


def test_sync_expert() -> None:
    found, net = tensors("d_sync"), expert()
    faces: Tensor = found["rgb_pos"].clone().requires_grad_()
    heard, right, wrong = net.hear(found["mel"]), net.see(faces), net.see(found["rgb_neg"])
    close(heard, found["audio_emb"])
    close(right, found["face_emb_pos"])
    close(wrong, found["face_emb_neg"])
    close((right * heard).sum(1), found["cos_pos"])
    close((wrong * heard).sum(1), found["cos_neg"])
    loss = agreement_loss((right * heard).sum(1), 1.0) + agreement_loss((wrong * heard).sum(1), 0.0)
    close(loss.reshape(1), found["loss"])
    (gradient,) = torch.autograd.grad(loss, faces)
    close(gradient.norm().reshape(1), found["grad_pos_norm"])
    close(gradient[:, 0, 0, 48:], found["grad_pos_red_frame0_lower"])
