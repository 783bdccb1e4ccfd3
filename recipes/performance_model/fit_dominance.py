"""Least-squares fit of phone targets and dominance functions to tracked speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.face.lip_shapes import RESPONSE, SOLVED
from motet.phonetics.phones import INDEX, SYMBOLS, PhoneSpan
from motet.synthesis.performance.coarticulation import CORE_EDGE_S, GROUP_OF, GROUPS, DominanceModel


def fit_dominance(
    sentences: Sequence[tuple[Sequence[PhoneSpan], Float[ndarray, "frames shapes"]]],
    fps: float,
    steps: int = 300,
    seed: int = 0,
) -> tuple[DominanceModel, Float[ndarray, " phones"]]:
    """Targets, strengths and reaches that reproduce tracked mouth weights best; and how often each
    phone was seen.

    All sentences must have the same number of frames. The error counts every shape over its own
    deviation and the four lip measures of the figure besides. Strengths and reaches are held near
    their common value, so that rare phones stay sober.
    """
    torch.manual_seed(seed)
    most = max(len(phones) for phones, _ in sentences)
    index = torch.zeros(len(sentences), most, dtype=torch.long)
    start, end = (
        torch.full((len(sentences), most), 1e3),
        torch.full((len(sentences), most), 1e3 + 0.1),
    )
    for row, (phones, _) in enumerate(sentences):
        for k, phone in enumerate(phones):
            index[row, k], start[row, k], end[row, k] = INDEX[phone.symbol], phone.start, phone.end
    truth = torch.from_numpy(np.stack([w for _, w in sentences])).float()
    response = torch.tensor([RESPONSE[n] for n in SOLVED])
    scale, measured = truth.flatten(0, 1).std(0).clamp(min=0.02), truth @ response
    measure_scale = measured.flatten(0, 1).std(0)
    free = _Free(truth)
    optimiser = torch.optim.Adam(free.parameters(), lr=0.03)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.03 * (1 - step / steps)
        shown = free(index, start, end, truth.shape[1], fps)
        error = ((shown - truth) / scale).square().mean() + 2 * (
            (shown @ response - measured) / measure_scale
        ).square().mean()
        optimiser.zero_grad()
        (error + free.restraint()).backward()
        optimiser.step()
    seen = np.bincount(
        [INDEX[p.symbol] for phones, _ in sentences for p in phones], minlength=len(SYMBOLS)
    ).astype(float)
    return free.model(), seen


class _Free(torch.nn.Module):
    """The free parameters on their unconstrained scales."""

    def __init__(self, truth: Tensor) -> None:
        super().__init__()
        self.targets = torch.nn.Parameter(truth.flatten(0, 1).mean(0).repeat(len(SYMBOLS), 1))
        self.strength = torch.nn.Parameter(torch.zeros(len(SYMBOLS), len(GROUPS)))
        self.before = torch.nn.Parameter(
            torch.full((len(SYMBOLS), len(GROUPS)), float(np.log(0.06)))
        )
        self.after = torch.nn.Parameter(
            torch.full((len(SYMBOLS), len(GROUPS)), float(np.log(0.06)))
        )

    def forward(self, index: Tensor, start: Tensor, end: Tensor, frames: int, fps: float) -> Tensor:
        time = torch.arange(frames)[None, :, None] / fps
        centre, half = (start + end) / 2, (end - start) / 2
        away = time - centre[:, None]
        outside = (
            (away.abs() - torch.maximum(half / 2, half - CORE_EDGE_S)[:, None])
            .clamp(min=0)
            .unsqueeze(-1)
        )
        reach = torch.where(
            (away < 0).unsqueeze(-1), self.before[index][:, None], self.after[index][:, None]
        ).exp()
        share = torch.softmax(self.strength[index][:, None] - outside / reach, dim=2)
        target = self.targets.clamp(0, 1)[index]
        shown = torch.einsum("stpg,spc->stgc", share, target)
        return shown.gather(
            2, torch.from_numpy(GROUP_OF)[None, None, None].expand(*shown.shape[:2], 1, -1)
        ).squeeze(2)

    def restraint(self) -> Tensor:
        strays = [(p - p.mean(0)).square().mean() for p in (self.strength, self.before, self.after)]
        return 0.02 * sum(strays) + 0.01 * (self.targets - self.targets.clamp(0, 1)).square().sum()

    def model(self) -> DominanceModel:
        with torch.no_grad():
            reach = [p.exp().clamp(0.02, 0.4).double().numpy() for p in (self.before, self.after)]
            return DominanceModel(
                self.targets.clamp(0, 1).double().numpy(),
                self.strength.exp().double().numpy(),
                reach[0],
                reach[1],
            )
