"""An exemplar drawn into another frame: one look-up from the frame's pixels into the exemplar's, by
way of the canonical view, bent on the way to the shape asked for.

    pixel of the frame -> canonical view (depth, pose of the frame) -> canonical view of the
    exemplar (landmarks) -> pixel of the exemplar (depth, pose of the exemplar)

The three maps are composed on a coarse mesh and pictures are looked up once, so that teeth and skin
stay as sharp as they were filmed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from motet.methods.speech2lip.person.mouth_region import Mouth, dense, looked_up

REACH = 0.16
"""Reach of a landmark's displacement, in widths of the lip box (deviation of a Gaussian)."""
STIFF = 0.15
"""How much landmarks may be missed, for a smoother field."""
SLOPE = 0.1
"""What a gain that runs over the region costs, against the pixels it is fitted to."""
_SHADE = 0.03
"""Half width, in widths of the region, of the means that fade from one exemplar to the next."""
BANDS = 3
"""Basis of the light's course over the region: constant, across, down."""


def bent(
    positions: Float[Tensor, "some rows columns 2"],
    landmarks: Float[Tensor, "some points 2"],
    moved: Float[Tensor, "some points 2"],
    reach_px: float,
) -> Float[Tensor, "some rows columns 2"]:
    """Where canonical positions of the shape asked for lie in the exemplar's canonical view.

    A Gaussian radial basis at the moved landmarks, regularised; far from all landmarks nothing
    moves.

    Args:
        landmarks: of the exemplar.
        moved: how far each is moved to the shape asked for.
    """
    centres = landmarks + moved
    scale = -0.5 / reach_px**2

    def kernel(points: Tensor) -> Tensor:
        return (scale * torch.cdist(points, centres).square()).exp()

    # (some, points, points)
    gram = kernel(centres) + STIFF * torch.eye(centres.shape[1])
    weights = torch.linalg.solve(gram, -moved)  # (some, points, 2)
    field = kernel(positions.flatten(1, 2)) @ weights
    return positions + field.unflatten(1, positions.shape[1:3])


def canonical_positions(
    mouth: Mouth, mesh: Float[Tensor, "some rows columns 2"]
) -> Float[Tensor, "some rows columns 2"]:
    """Pixels of the canonical crop from `Region.mesh`."""
    box = mouth.facts.lip
    size = torch.tensor([box.width, box.height])
    return (mesh + 1) / 2 * size + torch.tensor([box.left, box.top]) - 0.5


def seen_by(
    mouth: Mouth,
    positions: Float[Tensor, "some rows columns 2"],
    frames: Int[Tensor, " some"],
) -> Float[Tensor, "some rows columns 2"]:
    """Pixels of the frames' regions that canonical positions appear at."""
    size, focal = mouth.facts.size, mouth.facts.focal_px
    z = looked_up(mouth.depth[None, None].expand(len(positions), -1, -1, -1), positions)[:, 0]
    rays = torch.cat([(positions - size / 2) / focal, torch.ones_like(z)[..., None]], -1)
    relative = mouth.relative[frames]
    # (some, rows, columns, 3): points in the camera of each frame
    points = (rays * z[..., None]) @ relative[:, None, :3, :3].transpose(-1, -2)
    points = points + relative[:, None, None, :3, 3]
    seen = focal * points[..., :2] / points[..., 2:] + size / 2
    corner = torch.stack([mouth.left[frames], mouth.top[frames]], -1)
    return seen - corner[:, None, None]


def sampled(
    pictures: Float[Tensor, "some 3 h w"], positions: Float[Tensor, "some rows columns 2"]
) -> Float[Tensor, "some 3 h w"]:
    """Bicubic look-up of whole regions at positions given on the coarse mesh."""
    height, width = pictures.shape[-2:]
    fine = dense(positions)  # (some, h, w, 2), pixels
    # `grid_sample` takes -1..1 over first to last pixel edge, hence the half pixel.
    grid = (2 * fine + 1) / fine.new_tensor([width, height]) - 1
    return F.grid_sample(
        pictures, grid, mode="bicubic", padding_mode="border", align_corners=False
    ).clamp(0, 1)


def relit(
    drawn: Float[Tensor, "some 3 h w"],
    filmed: Float[Tensor, "some 3 h w"],
    skin: Float[Tensor, "some 1 h w"],
    step: int = 4,
) -> Float[Tensor, "some 3 h w"]:
    """Drawn regions in the light of the filmed ones: a gain that runs linearly over the region,
    from the skin around the mouth, where both show the same.

    Pixels that differ much (a jaw elsewhere, a collar) count little: weights are those of a robust
    mean, after a first fit, and a gain that runs steeply costs.

    Args:
        skin: 1 on the skin around the mouth.
    """
    count, _, height, width = drawn.shape
    # Light changes slowly: a quarter of the size is enough.
    low = [F.avg_pool2d(p, step) for p in (drawn, filmed, skin)]
    one, other = (p.flatten(2) for p in low[:2])  # (some, 3, n)
    ring = low[2].flatten(1)  # (some, n)
    basis = light_basis(low[0].shape[-2], low[0].shape[-1])  # (n, 3)
    weight = ring
    gain = torch.ones(count, 3, BANDS)
    for _ in range(2):
        # Per colour: filmed = (basis @ gain) * drawn, least squares over the ring.
        inputs = one.unsqueeze(-1) * basis  # (some, 3, n, bands)
        weighted = inputs * weight[:, None, :, None]
        gram = weighted.transpose(-1, -2) @ inputs  # (some, 3, bands, bands)
        # (some, 3, bands): what a slope costs, relative to the constant's own weight
        cost = gram[..., :1, 0] * torch.tensor([1e-3, SLOPE, SLOPE]) + 1e-6
        gram = gram + torch.diag_embed(cost)
        prior = torch.zeros(BANDS)
        prior[0] = 1.0
        off = (weighted.transpose(-1, -2) @ (other - one).unsqueeze(-1))[..., 0]
        gain = prior + torch.linalg.solve(gram, off)
        error = ((inputs @ gain.unsqueeze(-1))[..., 0] - other).abs().mean(1)  # (some, n)
        # Errors above 0.03 of full brightness count less and less (Cauchy weights).
        weight = ring / (1 + (error / 0.03).square())
    field = (light_basis(height, width) @ gain.transpose(-1, -2)).transpose(-1, -2)
    return drawn * field.unflatten(-1, (height, width)).clamp(0.6, 1.6)


def light_basis(height: int, width: int) -> Float[Tensor, "pixels 3"]:
    """1, column and row of every pixel, -1..1."""
    row, column = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack([torch.ones_like(row), column, row], -1).reshape(-1, BANDS)


def faded(
    drawn: Float[Tensor, "some 3 h w"],
    left: Float[Tensor, "some 3 h w"],
    amount: Float[Tensor, " some"],
) -> Float[Tensor, "some 3 h w"]:
    """What is drawn with the light and shade of what is left: only the low frequencies fade, edges
    and teeth change at once, for two pictures laid over each other are blurred.
    """
    radius = max(1, round(_SHADE * drawn.shape[-1]))
    # Twice a mean over a square: close to a Gaussian, without blocks.
    change = F.avg_pool2d(left - drawn, 2 * radius + 1, 1, radius, count_include_pad=False)
    change = F.avg_pool2d(change, 2 * radius + 1, 1, radius, count_include_pad=False)
    return (drawn + amount[:, None, None, None] * change).clamp(0, 1)


def sharpened(pictures: Float[Tensor, "some 3 h w"], strength: float) -> Tensor:
    """Unsharp mask over the nearest pixels: restores what look-ups between pixels have blurred."""
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    padded = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv2d(padded, kernel, groups=3)
    return (pictures + strength * (pictures - blurred)).clamp(0, 1)
