"""Poses, projections, depth and the maps in both directions against the published code's
numbers."""

from __future__ import annotations

import torch

from motet.methods.speech2lip.geometry import (
    euler_rotation,
    filled_depth,
    initial_depth,
    interpolated_depth,
    map_pixels,
    observed_to_canonical,
    relative_pose,
    tracker_projection,
)
from tests.parity.speech2lip.conftest import close, facts, parameters, poses, tensors


def test_rotations_and_projections() -> None:
    found, size = tensors("b_gamem"), parameters()
    for view in ("can", "obs"):
        rotation = euler_rotation(found[f"{view}_euler"])
        close(rotation, found[f"rot_{view}"])
        close(
            tracker_projection(
                found["verts"],
                rotation,
                found[f"{view}_trans"],
                size["focal"],
                size["W"],
                size["H"],
            ),
            found[f"{view}_uvz"],
        )


def test_dense_depth() -> None:
    found, size = tensors("b_gamem"), parameters()
    for view in ("can", "obs"):
        depth, expected = (
            interpolated_depth(found[f"{view}_uvz"][0], size["W"], size["H"]),
            found[f"{view}_depth"],
        )
        differs = (depth - expected).abs() > 1e-3 * (1 + float(expected.max()))
        assert float(differs.float().mean()) <= 0.001


def test_poses_of_the_image_camera() -> None:
    found = tensors("b_gamem")
    canonical, observed = poses()
    close(canonical, found["T_can"])
    close(observed, found["T_obs"])
    close(relative_pose(observed, canonical), found["rel_obs2can"])
    close(relative_pose(canonical, observed), found["rel_can2obs"])


def test_maps_in_both_directions() -> None:
    found, focal = tensors("b_gamem"), parameters()["focal"]
    canonical, observed = poses()
    for source, name, relative in (
        ("obs", "obs2can", relative_pose(observed, canonical)),
        ("can", "can2obs", relative_pose(canonical, observed)),
    ):
        depth = found[f"{source}_depth"][None]
        places, z = map_pixels(depth, relative, focal)
        inside = depth[0] > 0
        expected = found[f"pix_{name}"]
        close(places[0][inside], expected[0][inside])
        close(z[0][inside], found[f"z_{name}"][0, 0][inside])
        assert ((places - expected).abs() <= 1e-3 * (1 + expected.abs())).all()
    close(
        map_pixels(found["obs_depth"][None], relative_pose(observed, canonical), focal, clamp=True)[
            0
        ],
        found["coords"],
    )


def test_round_trip_lands_where_it_began() -> None:
    found, size = tensors("b_gamem"), parameters()
    canonical, observed = poses()
    forth = map_pixels(found["can_depth"][None], relative_pose(canonical, observed), size["focal"])[
        0
    ][0]
    pixel = torch.stack(
        [(forth[..., 0] + 1) / 2 * (size["W"] - 1), (forth[..., 1] + 1) / 2 * (size["H"] - 1)], -1
    )
    depth = torch.nn.functional.grid_sample(
        found["obs_depth"][None, None], forth[None], align_corners=True
    )[0, 0]
    ray = torch.stack(
        [
            (pixel[..., 0] - size["W"] / 2) / size["focal"],
            (pixel[..., 1] - size["H"] / 2) / size["focal"],
            torch.ones_like(depth),
        ],
        -1,
    )
    back = (ray * depth[..., None]) @ relative_pose(observed, canonical)[
        0, :3, :3
    ].T + relative_pose(observed, canonical)[0, :3, 3]
    column, row = (
        size["focal"] * back[..., axis] / back[..., 2] + size[side] / 2
        for axis, side in ((0, "W"), (1, "H"))
    )
    rows, columns = torch.meshgrid(torch.arange(size["H"]), torch.arange(size["W"]), indexing="ij")
    error = torch.hypot(column - columns, row - rows)[(found["can_depth"] > 0) & (depth > 0)]
    assert (
        float(error.median())
        <= facts("meta")["gamem_roundtrip_px"]["can_depth_with_can2obs"][0] + 0.01
    )


def test_the_map_without_observed_depth_agrees_with_the_published_one() -> None:
    found, size = tensors("b_gamem"), parameters()
    canonical, observed = poses()
    rows, columns = torch.meshgrid(torch.arange(size["H"]), torch.arange(size["W"]), indexing="ij")
    places = torch.stack([columns, rows], -1).float()
    mapped = observed_to_canonical(
        filled_depth(found["can_depth"]), relative_pose(canonical, observed), size["focal"], places
    )[0]
    expected = torch.stack(
        [
            (found["pix_obs2can"][0, ..., axis] + 1) / 2 * (size[side] - 1)
            for axis, side in ((0, "W"), (1, "H"))
        ],
        -1,
    )
    middle = (
        torch.nn.functional.max_pool2d(-(found["obs_depth"] > 0).float()[None, None], 9, 1, 4)[0, 0]
        == -1
    )
    error = (mapped - expected).norm(dim=-1)[middle]
    assert float(error.median()) < 0.05
    assert float(error.quantile(0.95)) < 0.5


def test_filled_depth_is_the_mean_over_the_smallest_square_that_knows_any() -> None:
    random = torch.Generator().manual_seed(0)
    depth = torch.rand(41, 30, generator=random) + 0.5
    depth *= torch.rand(41, 30, generator=random) < 0.01
    filled = filled_depth(depth)
    for row, column in ((0, 0), (20, 15), (40, 29), (5, 28)):
        size = 1
        while True:
            half = size // 2
            rows = slice(max(row - half, 0), row + half + 1)
            square = depth[rows, max(column - half, 0) : column + half + 1]
            if bool((square > 0).any()):
                break
            size = 2 * size + 1
        expected = square[square > 0].mean()
        torch.testing.assert_close(filled[row, column], expected, atol=1e-5, rtol=0)


def test_initial_canonical_depth() -> None:
    found = tensors("b2_depth_init")
    close(
        initial_depth(tensors("b_gamem")["can_depth"], found["head_mask_decoded"]),
        found["canonical_depth_head"],
    )
