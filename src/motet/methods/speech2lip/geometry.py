"""Geometry-aware mutual explicit mapping: where a pixel of one view lies in another, given depth
and head poses.

Image camera as in `person.py`: x right, y down, z forward. `T` takes head to camera. Whole numbers
are pixel centres and the principal point is (width / 2, height / 2), as published.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def euler_rotation(euler: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rx(a) Ry(b) Rz(-c): the published tracker's reading of its three angles, radians."""
    a, b, c = euler.unbind(-1)  # (*batch) each
    zero, one = torch.zeros_like(a), torch.ones_like(a)

    def matrix(*numbers: Tensor) -> Tensor:
        return torch.stack(numbers, -1).unflatten(-1, (3, 3))

    x = matrix(one, zero, zero, zero, a.cos(), -a.sin(), zero, a.sin(), a.cos())
    y = matrix(b.cos(), zero, b.sin(), zero, one, zero, -b.sin(), zero, b.cos())
    z = matrix((-c).cos(), -(-c).sin(), zero, (-c).sin(), (-c).cos(), zero, zero, zero, one)
    return x @ y @ z


def tracker_projection(
    points: Float[Tensor, "*batch verts 3"],
    rotation: Float[Tensor, "*batch 3 3"],
    translation: Float[Tensor, "*batch 3"],
    focal: float,
    width: int,
    height: int,
) -> Float[Tensor, "*batch verts 3"]:
    """Column, row and depth of points seen by the published tracker's camera, which looks along its
    -z with y up.
    """
    # (*batch, verts, 3), camera axes
    seen = points @ rotation.transpose(-1, -2) + translation.unsqueeze(-2)
    x, y, z = seen.unbind(-1)
    # z is negative in front of this camera, hence the signs.
    return torch.stack([-focal * x / z + width / 2, focal * y / z + height / 2, -z], -1)


def pose(
    rotation: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """Head to camera as one matrix."""
    matrix = torch.zeros(*rotation.shape[:-2], 4, 4, dtype=rotation.dtype, device=rotation.device)
    matrix[..., :3, :3], matrix[..., :3, 3], matrix[..., 3, 3] = rotation, translation, 1.0
    return matrix


def tracker_pose(
    euler: Float[Tensor, "*batch 3"], translation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """The published tracker's pose for the image camera (y down, z forward)."""
    return pose(
        euler_rotation(euler * euler.new_tensor([1, -1, -1])),
        # From y up, z backwards to y down, z forwards.
        translation * translation.new_tensor([1, -1, -1]),
    )


def relative_pose(
    source: Float[Tensor, "*batch 4 4"], target: Float[Tensor, "*batch 4 4"]
) -> Float[Tensor, "*batch 4 4"]:
    """From the camera that sees the head in the source pose to the one that sees it in the target
    pose: T_t T_s^-1.
    """
    return target @ torch.linalg.inv(source)


def map_pixels(
    depth: Float[Tensor, "batch height width"],
    relative: Float[Tensor, "batch 4 4"],
    focal: float,
    clamp: bool = False,
) -> tuple[Float[Tensor, "batch height width 2"], Float[Tensor, "batch height width"]]:
    """Where each pixel of a view with depth lies in another view, in [-1, 1] over first to last
    pixel centre, and its depth there.

    Pixels without depth (0) get meaningless positions.
    """
    batch, height, width = depth.shape
    row, column = torch.meshgrid(  # (height, width) each
        torch.arange(height, device=depth.device),
        torch.arange(width, device=depth.device),
        indexing="ij",
    )
    rays = torch.stack(  # (height, width, 3): depth 1 along the optical axis
        [
            (column - width / 2) / focal,
            (row - height / 2) / focal,
            torch.ones_like(row, dtype=depth.dtype),
        ],
        -1,
    ).to(depth)
    points = (  # (batch, height, width, 3), target camera
        depth.unsqueeze(-1) * rays @ relative[:, None, :3, :3].transpose(-1, -2)
        + relative[:, None, None, :3, 3]
    )
    z = points[..., 2]
    # The released code projects with K, divides, then stretches to [-1, 1]; the tiny number keeps
    # empty pixels finite.
    x = (focal * points[..., 0] + width / 2 * z) / (z + 1e-7)
    y = (focal * points[..., 1] + height / 2 * z) / (z + 1e-7)
    grid = torch.stack([2 * (x / (width - 1) - 0.5), 2 * (y / (height - 1) - 0.5)], -1)
    return (grid.clamp(-1, 1) if clamp else grid), z


def sample(
    picture: Float[Tensor, "batch channels height width"],
    grid: Float[Tensor, "batch rows columns 2"],
    exact: bool = False,
    padding: str = "zeros",
) -> Tensor:
    """Bilinear look-up of a picture at positions in [-1, 1].

    Args:
        exact: positions mean first to last pixel centre, as `map_pixels` makes them. The released
            code reads them as first to last pixel edge, half a pixel off at the borders; False
            keeps that.
    """
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode=padding, align_corners=exact)


def interpolated_depth(
    points: Float[Tensor, "verts 3"], width: int, height: int
) -> Float[Tensor, "height width"]:
    """Dense depth from projected vertices (column, row, depth): linear between them, 0 outside; no
    visibility test, as released.
    """
    from scipy.interpolate import LinearNDInterpolator

    positions = points.double().numpy()
    row, column = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    return torch.from_numpy(
        LinearNDInterpolator(positions[:, :2], positions[:, 2], fill_value=0.0)(column, row)
    ).float()


def initial_depth(
    depth: Float[Tensor, "height width"], head_mask: Float[Tensor, "height width"]
) -> Float[Tensor, "height width"]:
    """Start of the learnable canonical depth: the face's own, its mean elsewhere on the head, 0
    outside the head.
    """
    face = depth > 0
    return torch.where(face, depth, depth[face].mean() * (head_mask > 0))


def observed_to_canonical(
    depth: Float[Tensor, "height width"],
    relative: Float[Tensor, "batch 4 4"],
    focal: float,
    positions: Float[Tensor, "*batch rows columns 2"],
    rounds: int = 6,
) -> Float[Tensor, "batch rows columns 2"]:
    """Canonical column and row of observed pixels, from the canonical depth alone.

    The published map needs a depth map of every frame; a rigid head has all of it in the canonical
    one. The canonical pixel p solves project(relative, p, depth(p)) = observed pixel. Fixed-point
    iteration finds it: views of one head differ by little more than a shift, so six rounds leave
    less than a hundredth of a pixel.

    Args:
        depth: of the canonical view, with no holes near the face (`filled_depth`).
        relative: canonical to observed, of each frame.
        positions: column and row of the observed pixels, the same for all frames or of each.
    """
    height, width = depth.shape
    batch = len(relative)
    target = positions.expand(batch, *positions.shape[-3:])
    # First estimate: the face as a plane at its median depth.
    middle = depth[depth > 0].median() if bool((depth > 0).any()) else depth.new_tensor(1.0)
    flat = _unproject(target, middle.expand(target.shape[:-1]), focal, width, height)
    back = torch.linalg.inv(relative)
    canonical = _project(_moved(flat, back), focal, width, height)
    # Fixed-point iteration; a face is nearly a plane, so a few rounds converge to a hundredth of a
    # pixel.
    for _ in range(rounds):
        stretched = torch.stack(
            [2 * canonical[..., 0] / (width - 1) - 1, 2 * canonical[..., 1] / (height - 1) - 1], -1
        )
        z = F.grid_sample(  # canonical depth at the present estimate, (batch, rows, columns)
            depth.expand(batch, 1, -1, -1),
            stretched,
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )[:, 0]
        seen = _moved(_unproject(canonical, z, focal, width, height), relative)
        # Keep the depth seen from the observed camera, put it on the target ray, and go back: exact
        # for planes.
        ray = _unproject(target, seen[..., 2], focal, width, height)
        canonical = _project(_moved(ray, back), focal, width, height)
    return canonical


def filled_depth(depth: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    """Depth with every hole filled from its surroundings, so that maps go on smoothly past the
    face's edge.
    """
    known = (depth > 0).to(depth)
    if not bool(known.any()):
        return torch.ones_like(depth)
    value, weight = (depth * known)[None, None], known[None, None]
    filled, done = value.clone(), weight > 0
    size = 3
    # Holes are filled from ever larger boxes: near holes stay sharp, far ones become smooth.
    while not bool(done.all()):
        wide = _box_mean(weight, size)
        mean = _box_mean(value, size) / wide.clamp(min=1e-12)
        new = ~done & (wide > 1e-9)
        filled, done = torch.where(new, mean, filled), done | new
        size = 2 * size + 1
    return filled[0, 0]


def _box_mean(image: Tensor, size: int) -> Tensor:
    """Mean over a square around every pixel, rows first, then columns."""
    half = size // 2
    rows = F.avg_pool2d(image, (1, size), 1, (0, half), count_include_pad=False)
    return F.avg_pool2d(rows, (size, 1), 1, (half, 0), count_include_pad=False)


def _unproject(pixel: Tensor, z: Tensor, focal: float, width: int, height: int) -> Tensor:
    return torch.stack(
        [(pixel[..., 0] - width / 2) / focal * z, (pixel[..., 1] - height / 2) / focal * z, z], -1
    )


def _moved(points: Tensor, matrix: Tensor) -> Tensor:
    return points @ matrix[:, None, :3, :3].transpose(-1, -2) + matrix[:, None, None, :3, 3]


def _project(points: Tensor, focal: float, width: int, height: int) -> Tensor:
    x, y, z = points.unbind(-1)
    return torch.stack([focal * x / z + width / 2, focal * y / z + height / 2], -1)
