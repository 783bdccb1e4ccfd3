"""What is learnt of a person for drawing their mouth from exemplars: numbers, no pictures."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.speech2lip.config import ExemplarConfig
from motet.methods.speech2lip.exemplar.shape import CONTROL, SHAPE
from motet.types import ARKIT_SHAPES

MOUTH_CURVES = tuple(
    index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("jaw", "mouth"))
)
"""The curves that a mouth's shape is predicted from."""


class Retarget(nn.Module):
    """Curves of a motion method to the shape of this person's mouth.

    A linear map finds the course; a monotone map for each number then gives it the distribution
    that was filmed, so that this person opens as far, and as often as far, as they do. The linear
    map alone regresses to the mean: that is how a fitted person comes to mumble.
    """

    weight: Float[Tensor, "inputs shape"]
    bias: Float[Tensor, " shape"]
    source: Float[Tensor, "quantiles shape"]
    target: Float[Tensor, "quantiles shape"]
    trust: Float[Tensor, " shape"]

    def __init__(self, config: ExemplarConfig) -> None:
        super().__init__()
        inputs, shape = config.window * len(MOUTH_CURVES), len(SHAPE)
        self.register_buffer("weight", torch.zeros(inputs, shape))
        self.register_buffer("bias", torch.zeros(shape))
        steps = torch.linspace(-1, 1, config.quantiles).unsqueeze(1)
        self.register_buffer("source", steps.repeat(1, shape))
        self.register_buffer("target", steps.repeat(1, shape))
        self.register_buffer("trust", torch.ones(shape))

    def forward(self, windows: Float[Tensor, "frames window dim"]) -> Float[Tensor, "frames shape"]:
        """The shape of each frame, from the curves around it."""
        linear = windows[..., list(MOUTH_CURVES)].flatten(1) @ self.weight + self.bias
        return matched(linear, self.source, self.target)


def matched(
    values: Float[Tensor, "frames shape"],
    source: Float[Tensor, "quantiles shape"],
    target: Float[Tensor, "quantiles shape"],
) -> Float[Tensor, "frames shape"]:
    """Each column through the piecewise linear map that takes quantiles to quantiles; held beyond
    the outermost ones, which are the extremes of the footage.
    """
    low, high = source[:1], source[-1:]
    columns = values.clamp(low, high).T.contiguous()
    knots = source.T.contiguous()  # (shape, quantiles)
    right = torch.searchsorted(knots, columns).clamp(1, len(source) - 1)
    x0, x1 = knots.gather(1, right - 1), knots.gather(1, right)
    y0, y1 = target.T.gather(1, right - 1), target.T.gather(1, right)
    share = ((columns - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1)
    return (y0 + share * (y1 - y0)).T


class ExemplarModel(nn.Module):
    """The exemplars by number and shape, the maps from curves to shapes, and how landmarks follow
    from a shape.
    """

    frames: Int[Tensor, " count"]
    """Frame of the footage that each exemplar is."""
    follows: Bool[Tensor, " count"]
    """Whether the exemplar is the frame after the one before it."""
    shapes: Float[Tensor, "count shape"]
    landmarks: Float[Tensor, "count points 2"]
    """In pixels of the canonical crop."""
    looks: Float[Tensor, "count looks"]
    """Appearance of each exemplar: its coordinates along the largest variations of all."""
    scale: Float[Tensor, " shape"]
    """Standard deviation of each number of the shape in the footage."""
    bend: Float[Tensor, "shape points 2"]
    """How far landmarks move for one unit of each number, pixels of the canonical crop; teeth move
    nothing."""
    rest: Float[Tensor, " shape"]
    """Shape of the mouth in silence."""
    sharpen: Float[Tensor, ""]
    """Strength of the unsharp mask that gives warped pictures the sharpness of filmed ones."""

    def __init__(self, config: ExemplarConfig) -> None:
        super().__init__()
        self.config = config
        count, shape, points = config.count, len(SHAPE), len(CONTROL)
        self.retarget = nn.ModuleDict({name: Retarget(config) for name in config.motions})
        self.register_buffer("frames", torch.zeros(count, dtype=torch.int32))
        self.register_buffer("follows", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("shapes", torch.zeros(count, shape))
        self.register_buffer("landmarks", torch.zeros(count, points, 2))
        self.register_buffer("looks", torch.zeros(count, config.looks))
        self.register_buffer("scale", torch.ones(shape))
        self.register_buffer("bend", torch.zeros(shape, points, 2))
        self.register_buffer("rest", torch.zeros(shape))
        self.register_buffer("sharpen", torch.zeros(()))
