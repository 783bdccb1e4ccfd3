"""A drawn mouth beside the filmed one, as a viewer would compare them: does it open as far, are
there teeth, is it as sharp, does it move as much.

Conventions: pictures 0..1, sRGB, channels first; lip landmarks in pixels in the order of
`motet.tracking.lip_landmarks.LIPS` (20 outer, then 20 inner). A ratio is drawn over filmed.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.errors import InputError
from motet.geometry.polygon import inside
from motet.metrics.metric import Metric
from motet.metrics.picture import brightness, correlation


def _over_filmed(name: str, where: str, what: str) -> Metric:
    """A score of the drawn mouth over the same of the filmed one: best at 1."""
    return Metric(name, "1", where, "like ground truth", f"{what}, over the filmed one")


def _with_filmed(name: str, where: str, what: str) -> Metric:
    """Correlation over time of the drawn with the filmed."""
    return Metric(name, "1", where, "higher", f"correlation over time of {what} with filmed")


_CORNERS_APART = "the distance of the corners of the mouth"
METRICS = (
    _over_filmed("opening_range", "lips", "5th to 95th percentile of the lips' opening"),
    _over_filmed("width_range", "lips", f"5th to 95th percentile of {_CORNERS_APART}"),
    _with_filmed("width_correlation", "lips", _CORNERS_APART),
    _over_filmed(
        "teeth", "inner lips", "area of bright pixels between the lips, none redder than the skin"
    ),
    _with_filmed("teeth_agreement", "inner lips", "the area of teeth"),
    _over_filmed("sharpness", "drawn part", "mean absolute Laplacian"),
    _over_filmed("motion", "drawn part", "mean absolute change from picture to picture"),
    _over_filmed(
        "flicker", "fading edge of the drawn part", "mean absolute change where little is drawn"
    ),
)
_UPPER, _LOWER = 25, 35
"""Middle of the inner lips (landmarks 13 and 14) among the 40."""
_CORNERS = (0, 10)
_TEETH_LIGHT = 0.5
"""Teeth are at least so bright, over the skin."""


def opening(points: Float[Tensor, "frames 40 2"]) -> Float[Tensor, " frames"]:
    """Distance of the inner lips in their middle, pixels."""
    return (points[:, _LOWER] - points[:, _UPPER]).norm(dim=-1)


def width(points: Float[Tensor, "frames 40 2"]) -> Float[Tensor, " frames"]:
    """Distance of the corners, pixels."""
    return (points[:, _CORNERS[1]] - points[:, _CORNERS[0]]).norm(dim=-1)


def ranged(values: Float[Tensor, " frames"]) -> float:
    """Distance of the 5th and the 95th percentile."""
    low, high = torch.quantile(values.float(), torch.tensor([0.05, 0.95])).tolist()
    return high - low


def lip_scores(
    drawn: Float[Tensor, "frames 40 2"], filmed: Float[Tensor, "frames 40 2"]
) -> dict[str, float]:
    """Ranges of opening and width over the filmed ones, and their correlations.

    Raises:
        InputError: different shapes, or fewer than three frames.
    """
    if drawn.shape != filmed.shape or len(drawn) < 3:
        raise InputError(
            f"two equal sets of lips of three frames at least are needed, these are"
            f" {tuple(drawn.shape)} and {tuple(filmed.shape)}"
        )
    scores = {}
    for name, measure in (("opening", opening), ("width", width)):
        one, two = measure(drawn), measure(filmed)
        scores[f"{name}_range"] = ranged(one) / max(ranged(two), 1e-6)
        scores[f"{name}_correlation"] = correlation(one, two)
    return scores


def teeth(
    pictures: Float[Tensor, "frames 3 h w"],
    points: Float[Tensor, "frames 40 2"],
    skin: Float[Tensor, "frames 3"],
) -> Float[Tensor, " frames"]:
    """Area of the teeth that are seen, in squares of the mouth's width: pixels between the lips
    that are neither dark nor redder than the skin, as lips, gums and tongue are.

    Args:
        skin: mean colour of the skin around the mouth, in the same light.
    """
    between = between_lips(points[:, 20:], *pictures.shape[-2:])
    colour = skin[..., None, None]
    light = brightness(pictures)[:, 0] / brightness(colour)[:, 0].clamp(min=1e-3)
    red = pictures[:, 0] / pictures[:, 1].clamp(min=0.02)
    seen = between & (light > _TEETH_LIGHT) & (red < colour[:, 0] / colour[:, 1].clamp(min=0.02))
    return seen.sum((1, 2)) / width(points).square().clamp(min=1)


def between_lips(
    inner: Float[Tensor, "frames points 2"], height: int, width: int
) -> Bool[Tensor, "frames h w"]:
    """Pixels whose centres lie inside the polygon of the inner lips (even-odd rule).

    Args:
        inner: once around.
    """
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([column, row], -1).reshape(1, -1, 2).float()
    return inside(inner, pixels).unflatten(1, (height, width))


def sharpness(
    pictures: Float[Tensor, "frames 3 h w"], share: Float[Tensor, "frames 1 h w"]
) -> float:
    """Mean absolute Laplacian of the brightness where the mouth is drawn."""
    grey = brightness(pictures)[:, 0]
    inner = 4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
    laplacian = (inner - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]).abs()
    weight = (share[:, 0, 1:-1, 1:-1] > 0.5).float()
    return float((laplacian * weight).sum() / weight.sum().clamp(min=1))


def change(pictures: Float[Tensor, "frames 3 h w"], weight: Float[Tensor, "frames 1 h w"]) -> float:
    """Mean absolute change of neighbouring pictures under a weight."""
    steps = pictures.diff(dim=0).abs().mean(1, keepdim=True)
    both = torch.minimum(weight[1:], weight[:-1])
    return float((steps * both).sum() / both.sum().clamp(min=1))
