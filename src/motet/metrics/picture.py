"""Pictures: distance to filmed frames, sharpness, lip sync.

Conventions: pictures 0..1, sRGB, channels first. Landmarks in pixels of the picture.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric

METRICS = (
    Metric(
        "psnr", "dB", "face", "higher", "peak signal to noise ratio inside the face (99 when equal)"
    ),
    Metric("psnr_mouth", "dB", "drawn part", "higher", "the same where the mouth is drawn"),
    Metric(
        "ssim",
        "1",
        "face crop",
        "higher",
        "structural similarity, Gaussian window of 11 pixels, of brightness",
    ),
    Metric(
        "perceptual",
        "1",
        "surroundings of the mouth",
        "lower",
        "distance of normalised responses of a fixed bank of oriented filters at three scales"
        " (stands in for LPIPS)",
    ),
    Metric("lpips", "1", "face crop", "lower", "LPIPS 0.1 on the user's backbone"),
    Metric(
        "lmd",
        "px",
        "lips",
        "lower",
        "mean distance of the lips' landmarks, both found by the same landmarker",
    ),
    Metric(
        "opening_correlation",
        "1",
        "lips",
        "higher",
        "correlation of the opening of the lips over time",
    ),
    Metric(
        "cpbd",
        "1",
        "surroundings of the mouth",
        "like ground truth",
        "share of edges that are not seen as blurred",
    ),
    Metric(
        "seam",
        "1",
        "border of the drawn part",
        "like ground truth",
        "colour step across the border of the drawn part over the filmed one inside it",
    ),
    Metric(
        "seam_fade",
        "1",
        "fading edge of the drawn part",
        "like ground truth",
        "colour step where drawn fades into filmed over the filmed one inside",
    ),
    Metric(
        "sync_distance",
        "1",
        "mouth",
        "lower",
        "distance of mouth and sound as the sync expert sees it, at the best offset",
    ),
    Metric(
        "sync_confidence",
        "1",
        "mouth",
        "higher",
        "how much smaller that distance is than the median over offsets",
    ),
    Metric(
        "sync_offset",
        "frames",
        "mouth",
        "descriptive",
        "offset of sound to mouth at which the expert finds them nearest",
    ),
)


def check_pair(predicted: Tensor, truth: Tensor) -> None:
    """Two equally shaped, finite stacks of pictures.

    Raises:
        InputError: otherwise.
    """
    if predicted.shape != truth.shape or predicted.ndim != 4 or not predicted.numel():
        raise InputError(
            "two equal stacks (frames, channels, height, width) are needed, these are"
            f" {tuple(predicted.shape)} and {tuple(truth.shape)}"
        )
    if not bool(torch.isfinite(predicted).all() and torch.isfinite(truth).all()):
        raise InputError("the pictures contain values that are not finite")


def psnr(
    predicted: Float[Tensor, "frames c h w"],
    truth: Float[Tensor, "frames c h w"],
    mask: Float[Tensor, "*frames 1 h w"] | None = None,
) -> Float[Tensor, " frames"]:
    """Peak signal-to-noise ratio of each frame, dB, inside a mask; 99 for equal pictures."""
    check_pair(predicted, truth)
    square = (predicted - truth).square()
    weight = torch.ones_like(square) if mask is None else mask.expand_as(square)
    error = (square * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1e-12)  # (frames)
    return (-10 * error.clamp(min=1e-12).log10()).clamp(max=99.0)


def ssim(
    predicted: Float[Tensor, "frames 3 h w"], truth: Float[Tensor, "frames 3 h w"]
) -> Float[Tensor, " frames"]:
    """Structural similarity of brightness.

    Source: Wang et al. 2004; Gaussian window of 11 pixels with deviation 1.5, K1 = 0.01, K2 = 0.03,
    no padding.
    """
    check_pair(predicted, truth)
    if min(predicted.shape[-2:]) < 11:
        raise InputError(
            "structural similarity needs pictures of 11 pixels at least, these are"
            f" {tuple(predicted.shape[-2:])}"
        )
    # Gaussian window of 11 pixels, deviation 1.5 (Wang et al. 2004); separable: one pass along each
    # axis.
    line = torch.exp(-((torch.arange(11.0, dtype=predicted.dtype) - 5) ** 2) / (2 * 1.5**2))
    line = line / line.sum()

    def blurred(picture: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(picture, line.reshape(1, 1, 11, 1)), line.reshape(1, 1, 1, 11))

    one, two = brightness(predicted), brightness(truth)
    mean_one, mean_two = blurred(one), blurred(two)
    var_one, var_two = blurred(one * one) - mean_one**2, blurred(two * two) - mean_two**2
    both = blurred(one * two) - mean_one * mean_two
    # (0.01 L)^2 and (0.03 L)^2 for the range L = 1: they keep dark, flat windows stable.
    c1, c2 = 0.01**2, 0.03**2
    score = (
        (2 * mean_one * mean_two + c1)
        * (2 * both + c2)
        / ((mean_one**2 + mean_two**2 + c1) * (var_one + var_two + c2))
    )
    return score.mean((1, 2, 3))


def brightness(pictures: Float[Tensor, "frames 3 h w"]) -> Float[Tensor, "frames 1 h w"]:
    """Luma of sRGB pictures (BT.601, as picture metrics use it)."""
    return (pictures * pictures.new_tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(
        1, keepdim=True
    )


@functools.cache
def _bank() -> Float[Tensor, "filters 1 9 9"]:
    """Even and odd Gabor filters of eight directions, without response to flat colour."""
    # (9, 9) each
    y, x = torch.meshgrid(torch.arange(-4.0, 5.0), torch.arange(-4.0, 5.0), indexing="ij")
    made = []
    for turn in range(8):
        along = x * math.cos(turn * math.pi / 8) + y * math.sin(turn * math.pi / 8)
        window = torch.exp(-(x**2 + y**2) / (2 * 2.0**2))
        for wave in (torch.cos(along * 2 * math.pi / 5), torch.sin(along * 2 * math.pi / 5)):
            bare = window * wave
            # Without its mean under the window a filter answers to edges only, not to brightness.
            bare = bare - window * bare.sum() / window.sum()
            made.append(bare / bare.norm())
    return torch.stack(made).unsqueeze(1)  # 8 directions x 2 phases


def perceptual(
    predicted: Float[Tensor, "frames 3 h w"], truth: Float[Tensor, "frames 3 h w"]
) -> Float[Tensor, " frames"]:
    """Distance in the way of LPIPS, with a fixed bank of filters instead of a trained network:
    edges of all directions at three scales in brightness and two colour differences, each place's
    responses brought to unit length, squared differences averaged. Numbers are not comparable with
    those of LPIPS.
    """
    check_pair(predicted, truth)
    # Brightness and two colour differences; Gabor filters act on each.
    colours = predicted.new_tensor([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]])
    one, two = (torch.einsum("fchw,kc->fkhw", p, colours) for p in (predicted, truth))
    total, bank = predicted.new_zeros(len(predicted)), _bank().to(predicted)
    # Three scales; each halves the resolution.
    for _ in range(3):
        if min(one.shape[-2:]) < 9:
            break
        # (frames, 3 * filters, h, w)
        responses = [
            F.conv2d(p.flatten(0, 1).unsqueeze(1), bank).unflatten(0, (len(p), 3)).flatten(1, 2)
            for p in (one, two)
        ]
        # A small floor keeps flat skin, where there is nothing but noise, from counting.
        unit = [r / (r.square().sum(1, keepdim=True) + 0.01).sqrt() for r in responses]
        total = total + (unit[0] - unit[1]).square().sum(1).mean((1, 2))
        one, two = F.avg_pool2d(one, 2), F.avg_pool2d(two, 2)
    return total / 3


def landmark_distance(
    predicted: Float[Tensor, "frames points 2"], truth: Float[Tensor, "frames points 2"]
) -> float:
    """Mean distance of landmarks in pixels (LMD).

    Raises:
        InputError: different shapes, or none.
    """
    if predicted.shape != truth.shape or not predicted.numel():
        raise InputError(
            f"two equal sets of landmarks are needed, these are {tuple(predicted.shape)} and"
            f" {tuple(truth.shape)}"
        )
    return float((predicted - truth).norm(dim=-1).mean())


def correlation(one: Float[Tensor, " frames"], two: Float[Tensor, " frames"]) -> float:
    """Pearson's correlation; 0 when one of them never changes."""
    one, two = one.double() - one.double().mean(), two.double() - two.double().mean()
    size = float(one.norm() * two.norm())
    return float(one @ two) / size if size > 1e-12 else 0.0


_BLOCK, _EDGE_SHARE, _BETA, _SEEN = 64, 0.002, 3.6, 0.63


def cpbd(picture: Float[Tensor, "3 h w"], block: int = _BLOCK) -> float:
    """Share of vertical edges whose blur is not noticeable, 0..1; 0 without edges.

    Source: Narvekar and Karam 2011. Edges are Sobel's, thinned along the row; a block counts when
    0.2 % of it are edges.

    Args:
        block: side of the blocks; 64 as published, smaller for small regions.
    """
    grey = brightness(picture[None])[0, 0].double().numpy() * 255
    height, width = grey.shape
    slope = np.zeros_like(grey)
    # Horizontal Sobel filter: only vertical edges count.
    slope[1:-1, 1:-1] = (
        (grey[:-2, 2:] + 2 * grey[1:-1, 2:] + grey[2:, 2:])
        - (grey[:-2, :-2] + 2 * grey[1:-1, :-2] + grey[2:, :-2])
    ) / 8
    strength = np.abs(slope)
    edge = strength > 2 * math.sqrt(float((strength**2).mean()) + 1e-12)
    # Thinned to the strongest pixel across the edge.
    edge[:, 1:-1] &= (strength[:, 1:-1] >= strength[:, :-2]) & (strength[:, 1:-1] > strength[:, 2:])
    edge[:, [0, -1]] = False
    seen: list[bool] = []
    for top in range(0, height - block + 1, block):
        for left in range(0, width - block + 1, block):
            part = edge[top : top + block, left : left + block]
            if part.mean() <= _EDGE_SHARE:
                continue
            values = grey[top : top + block, left : left + block]
            # Width of blur that is just noticeable, pixels: depends on the contrast of the block
            # (Narvekar and Karam 2011, section II).
            just = 5 if values.max() - values.min() <= 50 else 3
            for row, column in zip(*np.nonzero(part), strict=True):
                # Probability that the blur of this edge is noticed, eq. 3.
                blur = 1 - math.exp(
                    -(
                        (
                            _edge_width(
                                grey[top + row],
                                left + int(column),
                                float(slope[top + row, left + column]),
                            )
                            / just
                        )
                        ** _BETA
                    )
                )
                seen.append(blur <= _SEEN)
    return sum(seen) / len(seen) if seen else 0.0


def _edge_width(row: np.ndarray, column: int, slope: float) -> int:
    """Pixels from the dark end of an edge to its bright end along the row."""
    sign = 1 if slope > 0 else -1
    left = right = column
    while left > 0 and sign * (row[left] - row[left - 1]) > 0:
        left -= 1
    while right < len(row) - 1 and sign * (row[right + 1] - row[right]) > 0:
        right += 1
    return right - left


BORDER, INSIDE = 0.02, 0.5
"""How much of a pixel is drawn where the drawn part begins, and from where on it counts as its
inside."""


def seams(
    pictures: Float[Tensor, "batch 3 h w"],
    share: Float[Tensor, "batch 1 h w"],
    filmed: Float[Tensor, "batch 3 h w"],
) -> dict[str, Float[Tensor, " batch"]]:
    """Colour steps across the border of the drawn part, and in its fading edge.

    Means over neighbouring pixels, relative to the filmed steps inside.

    The same numbers of the filmed picture say what no seam looks like. The inside is always the
    filmed one, or a blurred mouth would count as a seam.

    Args:
        share: how much of each pixel is drawn.
    """
    drawn, true = _steps(pictures, share), _steps(filmed, share)
    inside = true["inside"].clamp(min=1e-6)
    return {"seam": drawn["border"] / inside, "seam_fade": drawn["fade"] / inside}


def _steps(
    pictures: Float[Tensor, "batch 3 h w"], share: Float[Tensor, "batch 1 h w"]
) -> dict[str, Float[Tensor, " batch"]]:
    """Mean colour step between neighbours at the border, in the fading edge, and inside."""
    sums = {name: pictures.new_zeros(len(pictures), 2) for name in ("border", "fade", "inside")}
    for axis in (-1, -2):
        steps = pictures.diff(dim=axis).abs().mean(1)  # (batch, h, w - 1) or (batch, h - 1, w)
        one, other = (share[:, 0].narrow(axis, first, share.shape[axis] - 1) for first in (0, 1))
        low, high = torch.minimum(one, other), torch.maximum(one, other)
        where = {
            "border": (low <= BORDER) & (high > BORDER),
            "fade": (low > BORDER) & (low <= INSIDE),
            "inside": low > INSIDE,
        }
        for name, mask in where.items():
            sums[name] += torch.stack([(steps * mask).sum((1, 2)), mask.sum((1, 2))], 1)
    return {name: total[:, 0] / total[:, 1].clamp(min=1) for name, total in sums.items()}


def sync_scores(
    mouths: Float[Tensor, "windows width"],
    sound: Float[Tensor, "offsets windows width"],
    offsets: list[int],
) -> dict[str, float]:
    """SyncNet's confidence, distance and offset, from the expert's unit vectors.

    Args:
        mouths: of each window of five mouths.
        sound: of the sound of the same windows moved by each offset.
        offsets: in frames.

    Source: Chung and Zisserman 2016: distances averaged over time for each offset; the smallest is
    the distance, the median less the smallest the confidence.
    """
    # (offsets): mean over windows of the distance at each shift of the sound
    distance = (sound - mouths.unsqueeze(0)).norm(dim=-1).mean(1)
    best = int(distance.argmin())
    return {
        "sync_distance": float(distance[best]),
        # How far the best shift stands out from a typical one.
        "sync_confidence": float(distance.median() - distance[best]),
        "sync_offset": float(offsets[best]),
    }
