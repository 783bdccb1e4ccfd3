"""Damping of the lips in silence: a prediction from each moment's sound wanders a little even where
there is none.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator

RELATIVE_LEVEL = 0.005
"""Level (root mean square of a frame) of silence over the loudest frame's: 46 dB under it."""
ABSOLUTE_LEVEL = 3e-4
"""Under this level there is silence whatever the loudest frame is: 70 dB under full scale."""
BLOCK_FRAMES = 1000
SHORTEST_S, EDGE_S = 0.4, 0.2
"""Shorter silences belong to speech (stops, breaths). Lips move on for so long into a silence and
begin so long before its end."""


def silent_frames(samples: Float[Tensor, " time"], frames: int) -> Bool[Tensor, " frames"]:
    """Frames without sound. Needs the whole recording, for the loudest frame is the reference."""
    edges = torch.linspace(0, len(samples), frames + 1, dtype=torch.float64).round().long()
    # Block by block: sums in double precision of an hour at once would take a gigabyte.
    blocks = edges.split(BLOCK_FRAMES)
    following = [block[:1] for block in blocks[1:]] + [edges[:0]]
    energy = torch.cat(
        [_energy(samples, torch.cat(ends)) for ends in zip(blocks, following, strict=True)]
    )
    level = (energy / edges.diff().clamp(min=1)).clamp(min=0).sqrt()
    return level < max(ABSOLUTE_LEVEL, RELATIVE_LEVEL * float(level.max()))


def _energy(samples: Float[Tensor, " time"], edges: Int[Tensor, " frames+1"]) -> Tensor:
    """Sum of squares between neighbouring edges."""
    squares = samples[edges[0] : edges[-1]].double().square()
    return torch.nn.functional.pad(squares.cumsum(0), (1, 0))[edges - edges[0]].diff()


class DampSilence(FrameOperator):
    """`damp_silence` with the silence of the cues. Needs the whole recording in one step."""

    def __init__(self, channels: list[int], fps: float) -> None:
        self.channels, self.fps = channels, fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if cues.silent is None:
            return motion
        rows = zip(motion, cues.silent, strict=True)
        return torch.stack([damp_silence(*row, self.channels, self.fps) for row in rows])


def damp_silence(
    values: Float[Tensor, "frames dim"],
    silent: Bool[Tensor, " frames"],
    channels: list[int],
    fps: float,
) -> Float[Tensor, "frames dim"]:
    """Motion whose channels come to rest in every long silence, at their mean there."""
    values, edge = values.clone(), round(EDGE_S * fps)
    for first, last in _stretches(silent, round(SHORTEST_S * fps)):
        start = first if first == 0 else first + edge
        stop = last if last == len(silent) else last - edge
        inside = values[start:stop, channels]
        frame = torch.arange(start, stop)
        ramp = torch.ones(len(inside))
        if first > 0:
            ramp = torch.minimum(ramp, (frame - start + 1) / (edge + 1))
        if last < len(silent):
            ramp = torch.minimum(ramp, (stop - frame) / (edge + 1))
        toward_mean = ramp.clamp(0, 1).to(values).unsqueeze(1) * (inside.mean(0) - inside)
        values[start:stop, channels] = inside + toward_mean
    return values


def _stretches(silent: Bool[Tensor, " frames"], shortest: int) -> list[tuple[int, int]]:
    """First frame and end of every silence that is long enough to come to rest in."""
    change = torch.nn.functional.pad(silent.int(), (1, 1)).diff()
    starts = (change == 1).nonzero().flatten().tolist()
    ends = (change == -1).nonzero().flatten().tolist()
    pairs = zip(starts, ends, strict=True)
    return [(start, end) for start, end in pairs if end - start >= max(shortest, 1)]
