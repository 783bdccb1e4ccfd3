"""Lips at rest where nothing is heard: what is said of each moment's sound wanders a little even
where there is none.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

FAINT = 0.005
"""Level (root mean square of a frame) of silence: 46 dB under the loudest frame."""
SILENT = 3e-4
"""And under this level there is silence whatever the loudest frame is: 70 dB under full scale."""
SHORTEST_S, EDGE_S = 0.4, 0.2
"""Shorter silences belong to speech (stops, breaths). Lips move on for so long into a silence and
begin so long before its end."""


def silences(sound: Float[Tensor, "time"], frames: int) -> Bool[Tensor, "frames"]:
    """Frames in which nothing is heard."""
    edges = torch.linspace(0, len(sound), frames + 1, dtype=torch.float64).round().long()
    power = torch.nn.functional.pad(sound.double().square().cumsum(0), (1, 0))
    level = (power[edges].diff() / edges.diff().clamp(min=1)).clamp(min=0).sqrt()
    return level < max(SILENT, FAINT * float(level.max()))


def rested(
    values: Float[Tensor, "frames dim"],
    silent: Bool[Tensor, "frames"],
    channels: list[int],
    fps: float,
) -> Float[Tensor, "frames dim"]:
    """Motion whose channels come to rest in every long silence, at their mean there."""
    values, edge = values.clone(), round(EDGE_S * fps)
    for first, last in _stretches(silent, round(SHORTEST_S * fps)):
        start, stop = (
            (first if first == 0 else first + edge),
            (last if last == len(silent) else last - edge),
        )
        inside = values[start:stop, channels]
        time = torch.arange(start, stop)
        ramp = torch.ones(len(inside))
        if first > 0:
            ramp = torch.minimum(ramp, (time - start + 1) / (edge + 1))
        if last < len(silent):
            ramp = torch.minimum(ramp, (stop - time) / (edge + 1))
        values[start:stop, channels] = inside + ramp.clamp(0, 1).to(values).unsqueeze(1) * (
            inside.mean(0) - inside
        )
    return values


def _stretches(silent: Bool[Tensor, "frames"], shortest: int) -> list[tuple[int, int]]:
    """First frame and end of every silence that is long enough to rest in."""
    change = torch.nn.functional.pad(silent.int(), (1, 1)).diff()
    starts, ends = (
        (change == 1).nonzero().flatten().tolist(),
        (change == -1).nonzero().flatten().tolist(),
    )
    return [
        (start, end)
        for start, end in zip(starts, ends, strict=True)
        if end - start >= max(shortest, 1)
    ]
