"""Evaluation of MOSPA against the published code: scores, and the networks whose features they
compare."""

from __future__ import annotations

import pytest
import torch

from motet.evaluation.body_features import (
    ConditionFeatures,
    MotionFeatures,
    contrast_loss,
    feature_losses,
    official_names,
)
from motet.metrics import body
from tests.parity.mospa.conftest import close, facts, rule_weights, seeds_in, tensors


def test_scores() -> None:
    found = tensors("metrics")
    expected = dict(zip(facts("metrics")["value_names"], found["values"].tolist(), strict=True))
    chosen = found["r_distractors"]
    chosen = chosen + (chosen >= torch.arange(len(chosen)).unsqueeze(1))
    top = body.r_precision(found["cond"], found["pred"], chosen).tolist()
    real, made = found["gt_motion"], found["pred_motion"]
    own = {
        "fid_gt_gt": body.fid(found["gt"], found["gt"]),
        **{f"r_top{rank}": share for rank, share in enumerate(top, 1)},
        "diversity": body.body_diversity(found["pred"], found["div_index"]),
        "ci95_half_width_of_repeats": body.half_width(found["repeats"]),
        "mpjpe": body.mpjpe(real, made),
        "m_mpjpe": body.mpjpe_centred(real, made),
        "r_mpjpe": body.mpjpe_root(real, made),
        "pa_mpjpe_official_scale_mixed": body.mpjpe_aligned(real, made, as_released=True),
        "apd": body.apd(made),
    }
    assert own.keys() | {"fid"} == expected.keys()
    assert body.fid(found["gt"], found["pred"]) == pytest.approx(expected["fid"], rel=1e-4)
    for name, value in own.items():
        assert value == pytest.approx(expected[name], rel=1e-6, abs=1e-6), name
    assert body.mpjpe_aligned(real, real) < 1e-6


@torch.no_grad()
def test_feature_networks() -> None:
    found, options = tensors("extractor"), facts("extractor")["options"]
    seeds = seeds_in(facts("extractor")["weight_rule"])
    condition = ConditionFeatures(options["audio_dim"], options["hidden"], options["layers"]).eval()
    motion = MotionFeatures(options["hidden"], options["layers"]).eval()
    for network, seed in zip((condition, motion), seeds, strict=True):
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        network.load_state_dict(official_names(rule_weights(shapes, seed)))
    close(condition(found["audio_in"]), found["audio_feature"])
    close(motion(found["motion_in"]), found["motion_feature"])
    close(motion.decoded(motion.codes(found["motion_in"])), found["motion_decoded"])
    terms = feature_losses(condition, motion, found["audio_in"], found["motion_in"])
    close(terms["motion"], found["loss_motion"])
    close(terms["contrast"], found["loss_cta"])
    close(sum(terms.values()), found["loss"])
    close(
        contrast_loss(condition(found["audio_in"]), motion(found["motion_in"])),
        found["loss_after_freeze"],
    )
    assert set(
        feature_losses(condition, motion, found["audio_in"], found["motion_in"], decode=False)
    ) == {"contrast"}
