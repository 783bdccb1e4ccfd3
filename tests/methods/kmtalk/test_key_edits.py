"""Edited poses of slow channels are come to and left gradually."""

from __future__ import annotations

import torch

from motet.methods.kmtalk.key_edits import KeyEdits


def test_the_head_reaches_an_edited_pose_without_a_jump() -> None:
    poses, is_set = torch.zeros(2, 55), torch.zeros(2, 55, dtype=torch.bool)
    poses[:, 53] = torch.tensor([0.3, -0.2])
    is_set[:, 53] = True
    edits, head = KeyEdits((20, 60), ((0, 0), (0, 0)), poses, is_set), slice(52, 55)
    found = edits.approach(torch.zeros(1, 100, 55), head, 6.0)
    torch.testing.assert_close(found[0, [20, 60], 53], poses[:, 53], atol=1e-4, rtol=0)
    assert float(found[0, :, 53].diff().abs().max()) < 0.04, (
        "no frame moves by more than an eighth of the way"
    )
    assert not found[..., :53].any() and not found[..., 54].any()
    torch.testing.assert_close(edits.pin(found), found, atol=1e-4, rtol=0)
