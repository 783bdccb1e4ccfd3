"""Networks, composition and sync expert against the published code's numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from motet.checkpoint import load_strict
from motet.errors import CheckpointError
from motet.methods.speech2lip.composition import Swap, blend_input, paste
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.geometry import sample
from motet.methods.speech2lip.lip_model import pixel_grid, position_code, time_code
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.state_dict import UNUSED, from_official
from motet.methods.speech2lip.sync.model import agreement_loss
from tests.parity.speech2lip.conftest import (
    close,
    expert,
    facts,
    first,
    lip_model,
    model,
    parameters,
    published_config,
    scene,
    settings,
    tensors,
    weights,
)


def test_an_official_checkpoint_is_read_whole_and_its_sizes_are_found() -> None:
    file = {
        "epoch_it": 3,
        "it": 7,
        "model": {f"module.{name}": tensor for name, tensor in weights().items()},
    }
    imported = from_official([file], settings())
    assert imported.config == published_config()
    made = Speech2LipModel(imported.config)
    load_strict(made, imported.tensors)
    unused = sum(t.numel() for name, t in weights().items() if name.startswith(UNUSED))
    parameters = sum(p.numel() for p in made.parameters())
    assert parameters == facts("meta")["param_count"] - unused


def test_the_size_of_the_lip_picture_is_assumed_as_published() -> None:
    imported = from_official([{"model": weights()}])
    published = PRESETS["published"].lip
    assert (imported.config.lip.width, imported.config.lip.height) == (
        published.width,
        published.height,
    )
    assert {"lip.width", "lip.height"} <= set(imported.assumed)


def test_a_foreign_or_incomplete_checkpoint_is_refused() -> None:
    with pytest.raises(CheckpointError, match="fc_uv"):
        from_official([{"model": {"a": torch.zeros(1)}}])
    with pytest.raises(CheckpointError, match="nonsense"):
        from_official([{"model": weights() | {"nonsense.weight": torch.zeros(1)}}])
    part = {n: t for n, t in weights().items() if not n.startswith("fc_time.")}
    with pytest.raises(CheckpointError, match="lacks"):
        from_official([{"model": part}])


def test_audio_net() -> None:
    found = tensors("a_lip")
    close(lip_model().hearing(found["audio"]), found["audio_feat"])


def test_codes_of_place_and_time() -> None:
    found, size = tensors("a_lip"), parameters()
    grid, lip = pixel_grid(size["lw"], size["lh"]), published_config().lip
    close(grid, found["coords"])
    close(position_code(grid, lip.frequencies), found["uv_embed"])
    close(time_code(found["time_index"], lip.moment_channels), found["time_embed"])


def test_direct_query() -> None:
    found, net = tensors("a_lip"), lip_model()
    close(
        net.lip.picture(net.lip.prepare(), net.hearing(found["audio"]), found["time_index"]),
        first(found["lip_rgb"]),
    )


def test_a_prepared_place_gives_the_same_for_one_frame_alone() -> None:
    found, net = tensors("a_lip"), lip_model()
    alone = net.lip.picture(
        net.lip.prepare(), net.hearing(found["audio"][1:2]), found["time_index"][1:2]
    )
    close(alone, first(found["lip_rgb"])[1:2])


def test_local_ensemble_of_training() -> None:
    found, net = tensors("a_lip"), lip_model()
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


@pytest.mark.parametrize("kind", ["", "_generic"])
def test_composition_of_a_whole_frame(kind: str) -> None:
    found = tensors("e_compose")
    # The published code pastes one pixel up and left unless it knows the person's name.
    merged = paste(first(found["lip_rgb"]), scene(), 1 if kind else 0)
    close(merged, first(found[f"merged_canonical{kind}"]))
    close(blend_input(merged, scene()), first(found[f"blend_input{kind}"]))


def swapped() -> Tensor:
    found = tensors("e_compose")
    swap = Swap(found["aug_keep1"], found["aug_keep2"])
    return blend_input(paste(first(found["lip_rgb"]), scene()), scene(), swap)


def test_pixel_swap() -> None:
    close(swapped(), first(tensors("e_compose")["blend_input_aug"]))


def test_blended_frames() -> None:
    found, net = tensors("e_compose"), model()
    plain = blend_input(paste(first(found["lip_rgb"]), scene()), scene())
    close(net.blend(plain), first(found["recon"]))
    close(net.blend(swapped()), first(found["recon_aug"]))


def test_canonical_picture_in_the_observed_frame() -> None:
    found = tensors("b_gamem")
    close(sample(first(found["face_can"]), found["coords"]), found["can_in_obs"])
    close(sample(first(found["face_obs"]), found["pix_can2obs"]), found["obs_in_can"])


def test_sync_expert() -> None:
    found, net = tensors("d_sync"), expert()
    faces: Tensor = found["rgb_pos"].clone().requires_grad_()
    received, right, wrong = (
        net.encode_audio(found["mel"]),
        net.encode_faces(faces),
        net.encode_faces(found["rgb_neg"]),
    )
    close(received, found["audio_emb"])
    close(right, found["face_emb_pos"])
    close(wrong, found["face_emb_neg"])
    close((right * received).sum(1), found["cos_pos"])
    close((wrong * received).sum(1), found["cos_neg"])
    loss = agreement_loss((right * received).sum(1), 1.0) + agreement_loss(
        (wrong * received).sum(1), 0.0
    )
    close(loss.reshape(1), found["loss"])
    (gradient,) = torch.autograd.grad(loss, faces)
    close(gradient.norm().reshape(1), found["grad_pos_norm"])
    close(gradient[:, 0, 0, gradient.shape[-2] // 2 :], found["grad_pos_red_frame0_lower"])
