"""One published training step: losses and gradients of every parameter, without and with the sync
term."""

from __future__ import annotations

import pytest
import torch

from motet.methods.speech2lip.loss import Moment, SyncMoment, published_losses
from motet.methods.speech2lip.state_dict import own_name
from tests.parity.speech2lip.conftest import (
    close,
    expert,
    facts,
    first,
    model,
    parameters,
    poses,
    scene,
    tensors,
)


def moment() -> Moment:
    inputs, size = tensors("f_inputs"), parameters()
    mask = first(inputs["mask_head_3DMM_canonical"] * (1 - inputs["mask_face_3DMM_canonical"]))
    return Moment(
        tensors("a_lip")["audio"][:1],
        torch.tensor([size["idx"]]),
        first(inputs["rgb"]),
        scene(),
        poses(),
        size["focal"],
        mask,
    )


def sync_moment() -> SyncMoment:
    inputs = tensors("f_inputs")
    box = tuple(int(value) for value in inputs["canonical_face_bbox"][0, :4])
    found = tensors("d_sync")
    return SyncMoment(
        inputs["audio_window"][0],
        inputs["coord_window"][0],
        int(inputs["total_frame"]) - 1,
        box,
        found["mel"],
        found["rgb_neg"],
    )


@pytest.mark.parametrize("kind", ["plain", "sync"])  # without and with the sync term
def test_losses_and_gradients_of_one_step(kind: str) -> None:
    expected, found = facts("f_train_step")[kind], tensors(f"f_grads_{kind}")
    net, judge = model().train(), expert().requires_grad_(False)
    terms = published_losses(
        net, moment(), parameters()["eps"], expected["it"], sync_moment(), judge
    )
    total = torch.stack(list(terms.values())).sum()
    assert float((terms["lip"] + terms["face"]).detach()) == pytest.approx(
        expected["losses"]["loss_rgb"], abs=2e-4
    )
    assert float(terms["depth"].detach()) == pytest.approx(
        expected["losses"]["loss_canonical_depth_photo"], abs=1e-4
    )
    assert ("sync" in terms) == (kind == "sync")
    if kind == "sync":
        assert float(terms["sync"].detach()) == pytest.approx(
            expected["losses"]["loss_sync"], abs=1e-4
        )
    total.backward()
    own = dict(net.named_parameters())
    largest = max(norm for norm in expected["grad_norms"].values() if norm is not None)
    for name, norm in expected["grad_norms"].items():
        if norm is None:
            assert own_name(name) == ""
            continue
        gradient = own[own_name(name)].grad
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(norm, abs=1e-4 * largest, rel=1e-4), name
    for name in found.keys():  # noqa: SIM118
        gradient = found[name]
        if name == "running_mean_inc_bn1":
            close(net.blend.enter[1].running_mean, gradient)
        else:
            assert (
                own[own_name(name)].grad - gradient
            ).abs().max() <= 1e-4 * gradient.abs().max(), name
