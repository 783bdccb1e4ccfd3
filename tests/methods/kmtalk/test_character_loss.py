"""SelfTalk's character loss against a count over all alignments."""

from __future__ import annotations

import itertools
import math

import torch

from motet.methods.kmtalk.published_baselines import (
    BLANK,
    character_loss,
    collapsed,
    selftalk_loss,
)


def test_repeats_are_merged_and_blanks_dropped() -> None:
    assert collapsed(torch.tensor([0, 2, 2, 0, 2, 1, 1, 0])).tolist() == [2, 2, 1]
    assert collapsed(torch.zeros(4, dtype=torch.long)).tolist() == []


def test_the_loss_is_the_probability_of_all_alignments() -> None:
    torch.manual_seed(0)
    lips = torch.randn(1, 4, 3)
    text = torch.nn.functional.one_hot(torch.tensor([[0, 2, 2, 1]]), 3).float()
    share = lips[0].softmax(-1)
    total = sum(
        math.prod(float(share[step, letter]) for step, letter in enumerate(path))
        for path in itertools.product(range(3), repeat=4)
        if collapsed(torch.tensor(path)).tolist() == [2, 1]
    )
    # The mean of PyTorch's CTC is taken over letters.
    torch.testing.assert_close(character_loss(lips, text), torch.tensor(-math.log(total) / 2))


def test_it_is_one_term_of_the_loss_and_teaches_the_lip_reader() -> None:
    torch.manual_seed(0)
    vertices, hidden = torch.randn(2, 2, 5, 9), torch.randn(2, 2, 7, 4)
    lips = torch.zeros(2, 7, 3, requires_grad=True)
    text = torch.randn(2, 7, 3)
    terms = selftalk_loss(*vertices, *hidden, lips, text)
    assert set(terms) == {"position", "velocity", "latent", "characters"}
    assert set(selftalk_loss(*vertices, *hidden)) == {"position", "velocity", "latent"}
    terms["characters"].backward()
    assert lips.grad is not None
    assert float(lips.grad.abs().max()) > 0
    assert BLANK == 0
