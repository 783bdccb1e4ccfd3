"""Everything about a picture of the figure that does not change from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motet.geometry.camera import Camera
from motet.geometry.subdivide import Refinement, catmull_clark
from motet.render import shading as look
from motet.render.pixel_shading import EYE, SMOOTH, STRAND
from motet.rigs.house import HouseRig, ShapedHouse
from motet.rigs.house.hair import HairSurface

PLAIN, THIN = ("teeth_upper", "teeth_lower"), ("brows", "lashes")
"""Parts that are not refined: solid ones fine enough already, and ribbons."""
SUPERSAMPLE = 2
MARGIN = 0.12
"""Part of the picture's height around the frame within which surfaces are kept, for what turns into
view."""
SPLIT_LENGTH = 12.0
"""Samples: faces all of whose edges are shorter stay whole."""
SPARSE_HAIR = 2
"""Whole-body pictures draw every n-th strand, wider: single hairs are far below a pixel there."""


@dataclass(frozen=True)
class Scene:
    """Arrays over the vertices drawn: the refined surface, plain parts (teeth), thin things (brows,
    lashes), hair.
    """

    refinement: Refinement
    copied: np.ndarray
    """Figure vertices drawn as they are: plain parts, then thin things"""
    n_plain: int
    surface_triangles: np.ndarray
    triangles: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    """Material of each triangle; samples of one pixel are shaded together only within a material"""
    two_sided: np.ndarray
    eye_of: np.ndarray
    albedo: np.ndarray
    occlusion: np.ndarray
    wrap: np.ndarray
    gloss: np.ndarray
    eye_local: np.ndarray
    eye_rest: np.ndarray
    """Rotation from each eye's own frame (axis +Z) to its joint, 2 3 3"""
    hair_points: np.ndarray
    hair_directions: np.ndarray
    hair_albedo: np.ndarray
    hair_shine: np.ndarray
    hair_points_per_strand: int
    shadow_triangles: np.ndarray
    """Triangles of unrefined figure vertices that cast shadows"""
    n_still: int
    """The first triangles, which no motion moves"""
    moving: np.ndarray
    """Vertices of the others"""
    head_height: float
    """Height of the middle of the head, metres"""
    camera: Camera

    @property
    def n_refined(self) -> int:
        """Refined vertices."""
        return len(self.refinement.start) - 1

    @property
    def n_surface(self) -> int:
        """Vertices with normals of their own: refined and plain."""
        return self.n_refined + self.n_plain

    @property
    def n_solid(self) -> int:
        """Vertices that are not hair."""
        return self.n_refined + len(self.copied)


def figure_camera(shaped: ShapedHouse, framing: str) -> Camera:
    """The camera of a framing: `head` (head and shoulders) or `body` (the whole figure)."""
    eye_height = float(shaped.joints[shaped.rig.joint_names.index("eye.L"), 1])
    if framing == "head":
        target = (0.0, eye_height - 0.030, 0.04)
        return Camera((0.0, eye_height - 0.015, 1.55), target, 2 * np.arctan(0.188 / 1.51))
    top = float(shaped.vertices[:, 1].max())
    return Camera((0.0, 0.62 * top, 4.6), (0.0, 0.5 * top, 0.0), 2 * np.arctan(0.56 * top / 4.6))


def _by_region(shaped: ShapedHouse, table: dict[str, tuple[float, ...]], size: int) -> np.ndarray:
    rows = np.array(
        [table.get(name, (0.0,) * size) for name in shaped.rig.region_names], np.float32
    )
    return rows[shaped.rig.regions]


def _kept_quads(
    shaped: ShapedHouse, camera: Camera, aspect: float, leave_out: tuple[str, ...]
) -> np.ndarray:
    """Quads near the frame, of all parts but those left out."""
    rig = shaped.rig
    quads = rig.quads
    out = np.zeros(len(rig.vertices), bool)
    for name in leave_out:
        out[rig.part(name).vertices] = True
    place = camera.pixels(shaped.relaxed_vertices.numpy().astype(np.float64), 1, 1)
    near = (np.abs(place[:, 0] - 0.5) < aspect / 2 + MARGIN) & (
        np.abs(place[:, 1] - 0.5) < 0.5 + MARGIN
    )
    return quads[
        near[quads].any(axis=1) & ~out[quads].any(axis=1) & ~_under_hair(shaped)[quads].all(axis=1)
    ]


def _under_hair(shaped: ShapedHouse) -> np.ndarray:
    """Skin vertices well under the closed surface of the hair, which never show."""
    rig = shaped.rig
    skin, cap = rig.part("skin").vertices, rig.part("cap").vertices
    rest = shaped.vertices.numpy()
    hidden = np.zeros(len(rest), bool)
    scalp = np.arange(skin.start, skin.stop)[rig.regions[skin] == rig.region_names.index("scalp")]
    # The cap's vertices are the scalp's, lifted: each hides the one below it once it is a few
    # millimetres above.
    lifted = np.linalg.norm(rest[scalp][:, None] - rest[cap][None], axis=2)
    hidden[scalp] = (
        (lifted.argmin(axis=1) >= 0) & (lifted.min(axis=1) > 0.004) & (lifted.min(axis=1) < 0.03)
    )
    return hidden


def _large(
    shaped: ShapedHouse, camera: Camera, quads: np.ndarray, width: int, height: int
) -> np.ndarray:
    """Quads with an edge long enough in the picture to be worth splitting."""
    depth = camera.pixels(
        shaped.relaxed_vertices.numpy().astype(np.float64),
        SUPERSAMPLE * width,
        SUPERSAMPLE * height,
    )[:, 2]
    world = shaped.relaxed_vertices.numpy()[quads]
    # Lengths in the picture as if seen square on: what turns towards the camera later must be fine
    # enough too.
    longest = np.linalg.norm(world - np.roll(world, 1, axis=1), axis=2).max(axis=1)
    return longest * depth[quads[:, 0]] * camera.focal(SUPERSAMPLE * height) > SPLIT_LENGTH


def _eyes(shaped: ShapedHouse) -> tuple[np.ndarray, np.ndarray]:
    """Directions of eyeball vertices in their eye's own frame (zero elsewhere), and the frames."""
    rig = shaped.rig
    local = np.zeros((len(rig.vertices), 3), np.float32)
    frames = []
    for name in ("eye_left", "eye_right"):
        ball = rig.part(name).vertices
        points = shaped.vertices[ball].numpy()
        points = points - points.mean(axis=0)
        axis = points[np.argsort(-points[:, 2])[:8]].mean(axis=0)
        axis /= np.linalg.norm(axis)
        right = np.cross([0.0, 1.0, 0.0], axis)
        right /= np.linalg.norm(right)
        frame = np.stack([right, np.cross(axis, right), axis], axis=1)
        local[ball] = points @ frame
        frames.append(frame)
    return local, np.stack(frames).astype(np.float32)


def build_scene(shaped: ShapedHouse, framing: str, width: int, height: int) -> Scene:
    """Choose what is visible, refine it, and lay out all attributes."""
    rig = shaped.rig
    camera = figure_camera(shaped, framing)
    quads = _kept_quads(shaped, camera, width / height, (*PLAIN, *THIN))
    refinement = catmull_clark(quads, len(rig.vertices))
    refinement, fine = refinement.keep(
        refinement.triangles(_large(shaped, camera, quads, width, height))
    )
    n_refined = len(refinement.start) - 1
    plain, plain_faces = _copied(shaped, PLAIN, n_refined)
    thin, thin_faces = _copied(shaped, THIN, n_refined + len(plain))
    copied = np.concatenate([plain, thin])
    surface = np.concatenate([fine, plain_faces]).astype(np.int32)
    solid = {
        name: np.ascontiguousarray(
            np.concatenate([refinement.apply(value), value[copied]]), np.float32
        )
        for name, value in _attributes(shaped).items()
    }
    near = np.concatenate([rig.regions[refinement.nearest], rig.regions[copied]])
    moves = _moves(shaped, refinement, surface)
    surface = surface[np.argsort(moves, kind="stable")]
    left, right = (rig.region_names.index(f"eye_{side}") for side in ("left", "right"))
    region = near[surface[:, 0]]
    hair = (
        shaped.hair.surface() if framing == "head" else shaped.hair.thinned(SPARSE_HAIR).surface()
    )
    strands = len(thin_faces) + len(hair.faces)
    caster = _kept_quads(
        shaped, camera, width / height, (*PLAIN, *THIN, "eye_left", "eye_right", "tongue")
    )
    triangles = np.concatenate([surface, thin_faces, hair.faces + n_refined + len(copied)]).astype(
        np.int32
    )
    n_still = int((~moves).sum())
    return Scene(
        refinement,
        copied,
        len(plain),
        surface,
        triangles,
        kind=_padded(np.where((region == left) | (region == right), EYE, SMOOTH), strands, STRAND),
        group=_padded(_material(rig, region), strands, 255),
        two_sided=_padded(np.zeros(len(surface)), strands, 1).astype(bool),
        eye_of=_padded(region == right, strands, 0),
        **solid,
        eye_rest=_eyes(shaped)[1],
        **_hair(shaped, hair),
        shadow_triangles=np.concatenate([caster[:, [0, 1, 2]], caster[:, [0, 2, 3]]]).astype(
            np.int32
        ),
        n_still=n_still,
        moving=np.unique(triangles[n_still:]),
        head_height=float(shaped.joints[rig.joint_names.index("eye.L"), 1]) - 0.02,
        camera=camera,
    )


def _padded(values: np.ndarray, count: int, fill: int) -> np.ndarray:
    return np.concatenate([values.astype(np.uint8), np.full(count, fill, np.uint8)])


def _attributes(shaped: ShapedHouse) -> dict[str, np.ndarray]:
    """What the surfaces are like, over all vertices of the figure."""
    rig = shaped.rig
    occlusion = rig.occlusion.astype(np.float32) / 255
    gloss = _by_region(shaped, look.GLOSS, 3)
    eyeballs = np.isin(
        rig.regions, [rig.region_names.index(f"eye_{side}") for side in ("left", "right")]
    )
    gloss[eyeballs] = occlusion[eyeballs, None]
    wrap = _by_region(shaped, look.WRAP, 3)
    return {
        "albedo": look.linear_from_srgb(rig.colours),
        "occlusion": occlusion,
        "wrap": wrap,
        "gloss": gloss,
        "eye_local": _eyes(shaped)[0],
    }


def _hair(shaped: ShapedHouse, hair: HairSurface) -> dict[str, np.ndarray]:
    """Attributes of the hair: roots lie in shadow, tips catch the light, the hairline fades into
    the skin.
    """
    rig = shaped.rig
    colour = look.linear_from_srgb(rig.colours)
    skin, base = (
        colour[rig.regions == rig.region_names.index(name)].mean(axis=0)
        for name in ("skin", "hair")
    )
    shade = (0.5 + 0.5 * hair.along**0.7) * hair.tone
    fade = 0.2 * hair.fade[:, None]
    return {
        "hair_points": hair.vertices,
        "hair_directions": np.stack([hair.tangents, hair.normals], axis=1),
        "hair_albedo": (
            (look.HAIR_TINT * base * shade[:, None] * (1 - fade) + fade * skin).astype(np.float32)
        ),
        "hair_shine": (hair.tone * (1 - hair.fade)).astype(np.float32),
        "hair_points_per_strand": 2 * shaped.hair.strands.shape[1],
    }


def _moves(shaped: ShapedHouse, refinement: Refinement, triangles: np.ndarray) -> np.ndarray:
    """Whether a motion can move (or, through a neighbour's normal, relight) each fine triangle."""
    loose = np.zeros(len(shaped.rig.vertices), np.float32)
    loose[shaped.turning.numpy()] = 1
    refined = refinement.apply(loose) != 0
    touched = np.concatenate([refined, np.ones(triangles.max() + 1 - len(refined), bool)])
    once = np.zeros(len(touched), bool)
    near = touched[triangles].any(axis=1)
    once[triangles[near].ravel()] = True
    return once[triangles].any(axis=1)


def _material(rig: HouseRig, region: np.ndarray) -> np.ndarray:
    """Regions that blend into each other on one skin count as one material."""
    skin = [rig.region_names.index(name) for name in ("skin", "lips", "mouth", "scalp", "nails")]
    return np.where(np.isin(region, skin), 254, region).astype(np.uint8)


def _copied(
    shaped: ShapedHouse, names: tuple[str, ...], first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of parts drawn as they are, and their triangles in the scene's numbering."""
    vertices, faces = [], []
    for name in names:
        part = shaped.rig.part(name)
        faces.append(part.faces.numpy() - part.vertices.start + first + sum(map(len, vertices)))
        vertices.append(np.arange(part.vertices.start, part.vertices.stop))
    return np.concatenate(vertices), np.concatenate(faces)
