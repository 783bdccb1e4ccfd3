"""The closure of exported graphs equals that of streams."""

from __future__ import annotations

import torch

from motet.face.closure_graph import close_by_evidence
from motet.face.lip_closure import enforce_closures


def test_lips_close_as_in_a_stream() -> None:
    """From none to certain evidence, on closed, half open and wide open mouths."""
    generator = torch.Generator().manual_seed(3)
    size = torch.rand(1, 400, 1, generator=generator)
    motion = torch.rand(1, 400, 55, generator=generator) * size
    motion[..., 20:24] *= 0.2
    evidence = torch.rand(1, 400, generator=generator)
    evidence[:, ::5] = 0.0
    closed = close_by_evidence(motion, evidence)
    torch.testing.assert_close(closed, enforce_closures(motion, evidence), atol=1e-6, rtol=0)
    assert (closed - motion).abs().max() > 0.1
