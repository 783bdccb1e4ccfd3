"""The shape of a mouth in numbers: landmarks of the lower face in the canonical view, and a few
distances between them.

The head's pose is taken out first, so that a nod is no opening. Lengths are in heights of the face
(forehead to chin) in the canonical view, so that the numbers of two people compare.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.methods.speech2lip.geometry import observed_to_canonical
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth

DISTANCES = ("gap", "width", "height", "upper", "chin", "upper_lip")
SHAPE = (*DISTANCES, "teeth")
"""Opening between the inner lips, distance of the corners, height from lip border to lip border,
nose base to upper lip border, nose base to chin, thickness of the upper lip (a rounded lip is
thick and narrow, a pressed one thin), and how much of the teeth is seen (`teeth_of`)."""
OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
JAW = (152, 148, 176, 149, 150, 136, 377, 400, 378, 379, 365)
BELOW = (200, 199, 18, 83, 313, 106, 335)
"""Middle of the chin and the skin under the lower lip."""
BESIDE = (205, 425, 206, 426, 216, 436, 212, 432, 214, 434, 210, 430)
"""Cheeks beside the mouth."""
CONTROL = (*OUTER, *INNER, *JAW, *BELOW, *BESIDE)
"""Landmarks (of the landmarker's 478) that a mouth is warped by."""
_NOSE, _TOP, _CHIN = 2, 10, 152
_GAPS = ((13, 14), (82, 87), (312, 317))
_NEEDED = tuple(dict.fromkeys((*CONTROL, _NOSE, _TOP)))


def canonical_landmarks(
    person: Likeness, mouth: Mouth, frames: Float[Tensor, " some"] | None = None
) -> Float[Tensor, "some points 2"]:
    """Where the landmarks of `needed` lie in the canonical crop once the head's pose is taken out,
    pixels.

    Args:
        frames: numbers of frames; all when left out.
    """
    chosen = torch.arange(person.facts.frames) if frames is None else frames
    points = person.track.landmarks[:, list(_NEEDED)].float()
    pieces = [
        observed_to_canonical(
            mouth.depth, mouth.relative[some], person.facts.focal_px, points[some].unsqueeze(2), 4
        )[:, :, 0]
        for some in chosen.split(512)
    ]
    return torch.cat(pieces)


def controls(landmarks: Float[Tensor, "some needed 2"]) -> Float[Tensor, "some points 2"]:
    """The landmarks of `CONTROL` among those of `canonical_landmarks`."""
    return landmarks[:, : len(CONTROL)]


def distances_of(landmarks: Float[Tensor, "some needed 2"]) -> Float[Tensor, "some distances"]:
    """The numbers of `DISTANCES`, in face heights."""
    at = {point: landmarks[:, index] for index, point in enumerate(_NEEDED)}
    face = (at[_TOP] - at[_CHIN]).norm(dim=-1).median()

    def down(upper: int, lower: int) -> Tensor:
        return at[lower][:, 1] - at[upper][:, 1]

    gap = torch.stack([down(upper, lower) for upper, lower in _GAPS]).mean(0)
    width = (at[291] - at[61]).norm(dim=-1)
    return (
        torch.stack([gap, width, down(0, 17), down(_NOSE, 0), down(_NOSE, _CHIN), down(0, 13)], 1)
        / face
    )


def smoothed(values: Float[Tensor, " frames *rest"], shots: list[range]) -> Tensor:
    """Values over time with the landmarker's jitter taken off (1-2-1 over neighbours), each shot by
    itself.
    """
    result = values.clone()
    for shot in shots:
        part = values[shot.start : shot.stop]
        if len(part) > 2:
            result[shot.start + 1 : shot.stop - 1] = (part[:-2] + 2 * part[1:-1] + part[2:]) / 4
    return result


def spread_over(numbers: Float[Tensor, " some"], low: float = 5.0, high: float = 95.0) -> float:
    """Distance of two percentiles: how far something ranges, outliers apart."""
    values = numbers.double().numpy()
    return float(np.percentile(values, high) - np.percentile(values, low))
