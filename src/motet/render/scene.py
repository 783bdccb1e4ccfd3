"""Everything of a picture that does not change from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motet.geometry.camera import Camera
from motet.geometry.subdivide import Refinement, catmull_clark
from motet.render import shading
from motet.render.detail import pore_texture
from motet.render.sample_layout import CLOTH, EYE, HAIR, SKIN, SMOOTH, STRAND
from motet.render.strand_texture import combing_field, strand_texture, texture_size
from motet.rigs.house import HouseRig, ShapedHouse
from motet.rigs.house.hair import HairSurface

PLAIN, THIN = ("teeth_upper", "teeth_lower"), ("brows", "lashes")
"""Parts that are not refined: solid parts with enough vertices, and ribbons."""
SUPERSAMPLE = 2
MARGIN = 0.12
"""Surfaces are kept this far outside the frame, as a fraction of the picture's height, because
motion can bring them into view."""
SPLIT_LENGTH = 12.0
"""Samples: faces all of whose edges are shorter stay whole."""
FRAMINGS = ("head", "bust", "three-quarter", "body")
LEAST_ASPECT = 0.75
"""Aspect (width / height) below which a picture shows more above and below, not less at its
sides."""
_FACE_CAMERAS = {
    "head": (0.030, 0.188, 0.0),
    "bust": (0.115, 0.285, 0.0),
    "three-quarter": (0.030, 0.188, np.radians(32.0)),
}
"""Middle of the picture below the eyes and half its height in metres, angle around the figure."""
LOOSE_EVERY, LOOSE_EVERY_SMALL, SMALL = 20, 40, 720
"""Every n-th strand of the files is drawn, loose over the surface of the hair; fewer in pictures up
to so many pixels, and none of whole bodies, where a strand is far below a pixel."""
PORE_DEPTH = {256: 0.0, 512: 0.030, 1024: 0.055}
"""Slope of pores by the fineness of the textures, about a pixel to a texel."""


@dataclass(frozen=True)
class Scene:
    """Arrays over the drawn vertices.

    In this order: refined surface, plain parts (teeth), thin parts (brows, lashes), hair.
    """

    refinement: Refinement
    copied: np.ndarray
    """Figure vertices drawn unrefined: plain parts, then thin parts"""
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
    local: np.ndarray
    """Directions on the eyeballs in the eye's own axes; elsewhere places on the head, metres"""
    cover: np.ndarray
    """How far skin lies above the hairline"""
    iris: np.ndarray
    """Colours of outer and inner iris, pupil, limbus"""
    eye_rest: np.ndarray
    """Rotation from each eye's own axes (+Z is its axis) to its joint, 2 3 3"""
    surface_hair: np.ndarray
    """Vertices of the closed surface of the hair"""
    surface_hair_tangents: np.ndarray
    """Combing direction at each of them, at rest"""
    strands: np.ndarray
    """See `motet.render.strand_texture`"""
    pores: np.ndarray
    fineness: np.float32
    """How strong pores are drawn"""
    hair_ratio: np.ndarray
    """Colour of the hair over that of the skin"""
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
    inside: np.ndarray
    """Vertices inside the mouth, which is the darker the less it is open"""
    inside_least: np.ndarray
    """Share of their light that remains behind closed lips"""
    inner_lip: np.ndarray
    """Unrefined vertices in the middle of both lips, upper first"""
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


def figure_camera(shaped: ShapedHouse, framing: str, aspect: float = 1.0) -> Camera:
    """The camera of one of `FRAMINGS` for pictures of an aspect (width / height).

    Pictures higher than wide keep their width, so that a head is not cut off at its sides.
    """
    eye_height = float(shaped.joints[shaped.rig.joint_names.index("eye.L"), 1])
    taller = max(1.0, LEAST_ASPECT / aspect)
    if framing != "body":
        drop, half_height_m, angle = _FACE_CAMERAS[framing]
        target = (0.0, eye_height - drop, 0.04)
        side, front = 1.51 * np.sin(angle), 1.51 * np.cos(angle)
        eye = (float(side), eye_height - drop + 0.015, float(0.04 + front))
        return Camera(eye, target, 2 * np.arctan(taller * half_height_m / 1.51))
    top = float(shaped.vertices[:, 1].max())
    half_height = taller * 0.56 * top
    return Camera((0.0, 0.62 * top, 4.6), (0.0, 0.5 * top, 0.0), 2 * np.arctan(half_height / 4.6))


def _by_region(shaped: ShapedHouse, table: dict[str, tuple[float, ...]], size: int) -> np.ndarray:
    """A value for each vertex from a table of regions; zero for other regions."""
    rows = [table.get(name, (0.0,) * size) for name in shaped.rig.region_names]
    return np.array(rows, np.float32)[shaped.rig.regions]


def _kept_quads(
    shaped: ShapedHouse, camera: Camera, aspect: float, leave_out: tuple[str, ...]
) -> np.ndarray:
    """Quads near the frame, of all parts but those left out."""
    rig = shaped.rig
    quads = rig.quads
    left_out = np.zeros(len(rig.vertices), bool)
    absent = set(rig.part_names) - set(shaped.part_names)
    for name in (*leave_out, *absent):
        left_out[rig.part(name).vertices] = True
    column, row = camera.pixels(shaped.relaxed_vertices.numpy().astype(np.float64), 1, 1)[:, :2].T
    near = (np.abs(column - 0.5) < aspect / 2 + MARGIN) & (np.abs(row - 0.5) < 0.5 + MARGIN)
    is_drawn = near[quads].any(axis=1) & ~left_out[quads].any(axis=1)
    return quads[is_drawn & ~_under_hair(shaped)[quads].all(axis=1)]


def _under_hair(shaped: ShapedHouse) -> np.ndarray:
    """Skin vertices well under the closed surface of the hair, which are never visible."""
    rig = shaped.rig
    skin, cap = rig.part("skin").vertices, rig.part(f"hair_{shaped.look.hair}").vertices
    rest = shaped.vertices.numpy()
    hidden = np.zeros(len(rest), bool)
    scalp = np.arange(skin.start, skin.stop)[rig.regions[skin] == rig.region_names.index("scalp")]
    # The cap's vertices are the scalp's, lifted: each hides the one some millimetres below it.
    height = np.linalg.norm(rest[scalp][:, None] - rest[cap][None], axis=2).min(axis=1)
    hidden[scalp] = (height > 0.004) & (height < 0.03)
    return hidden


def _large(
    shaped: ShapedHouse, camera: Camera, quads: np.ndarray, width: int, height: int
) -> np.ndarray:
    """Quads with an edge long enough in the picture to be worth splitting."""
    vertices = shaped.relaxed_vertices.numpy()
    size = SUPERSAMPLE * width, SUPERSAMPLE * height
    nearness = camera.pixels(vertices.astype(np.float64), *size)[:, 2]
    world = vertices[quads]
    # Lengths as if seen face-on: a face that turns towards the camera later must be fine enough.
    longest = np.linalg.norm(world - np.roll(world, 1, axis=1), axis=2).max(axis=1)
    return longest * nearness[quads[:, 0]] * camera.focal(size[1]) > SPLIT_LENGTH


def _eyes(shaped: ShapedHouse) -> tuple[np.ndarray, np.ndarray]:
    """Directions of eyeball vertices in the eye's own axes (zero elsewhere), and those axes."""
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
    """Select the visible parts, refine them, and arrange all attributes."""
    rig, aspect = shaped.rig, width / height
    camera = figure_camera(shaped, framing, aspect)
    quads = _kept_quads(shaped, camera, aspect, (*PLAIN, *THIN))
    refinement = catmull_clark(quads, len(rig.vertices))
    split = refinement.triangles(_large(shaped, camera, quads, width, height))
    refinement, fine = refinement.keep(split)
    n_refined = len(refinement.start) - 1
    plain, plain_faces = _copied(shaped, PLAIN, n_refined)
    thin, thin_faces = _copied(shaped, THIN, n_refined + len(plain))
    copied = np.concatenate([plain, thin])
    surface = np.concatenate([fine, plain_faces]).astype(np.int32)
    moves = _moves(shaped, refinement, surface)
    surface = surface[np.argsort(moves, kind="stable")]  # what no motion moves comes first
    every = LOOSE_EVERY_SMALL if height <= SMALL else LOOSE_EVERY
    # Those at the hairline would lie over bare skin like scratches.
    loose = np.flatnonzero(shaped.hair.fade == 0)[::every] if framing != "body" else []
    ribbons = shaped.hair.chosen(np.asarray(loose, np.int64)).surface()
    hair_faces = ribbons.faces + n_refined + len(copied)
    triangles = np.concatenate([surface, thin_faces, hair_faces]).astype(np.int32)
    n_still = int((~moves).sum())
    regions = np.concatenate([rig.regions[refinement.nearest], rig.regions[copied]])
    not_casting = (*PLAIN, *THIN, "eye_left", "eye_right", "tongue")
    casting = _kept_quads(shaped, camera, aspect, not_casting)
    return Scene(
        refinement,
        copied,
        len(plain),
        surface,
        triangles,
        **_triangle_attributes(rig, regions[surface[:, 0]], len(thin_faces) + len(hair_faces)),
        **_vertex_attributes(shaped, refinement, copied),
        eye_rest=_eyes(shaped)[1],
        **_hair(shaped, ribbons),
        **_surface_hair(shaped, refinement, regions, _pixels_per_metre(camera, height)),
        shadow_triangles=np.concatenate([casting[:, [0, 1, 2]], casting[:, [0, 2, 3]]]),
        n_still=n_still,
        moving=np.unique(triangles[n_still:]),
        **_inside(shaped, regions),
        head_height=float(shaped.joints[rig.joint_names.index("eye.L"), 1]) - 0.02,
        camera=camera,
    )


def _triangle_attributes(
    rig: HouseRig, region: np.ndarray, n_strands: int
) -> dict[str, np.ndarray]:
    """Kind, material, sides and eye of the surface triangles and then of the strands."""
    left, right = (rig.region_names.index(f"eye_{side}") for side in ("left", "right"))
    kind = np.where((region == left) | (region == right), EYE, SMOOTH)
    kind[region == rig.region_names.index("hair")] = HAIR
    for names, own in ((("skin", "scalp"), SKIN), (("top", "trousers"), CLOTH)):
        kind[np.isin(region, [rig.region_names.index(name) for name in names])] = own
    return {
        "kind": _padded(kind, n_strands, STRAND),
        "group": _padded(_material(rig, region), n_strands, 255),
        "two_sided": _padded(np.zeros(len(region)), n_strands, 1).astype(bool),
        "eye_of": _padded(region == right, n_strands, 0),
    }


def _padded(values: np.ndarray, count: int, fill: int) -> np.ndarray:
    return np.concatenate([values.astype(np.uint8), np.full(count, fill, np.uint8)])


def _vertex_attributes(
    shaped: ShapedHouse, refinement: Refinement, copied: np.ndarray
) -> dict[str, np.ndarray]:
    """Material attributes of the refined and then of the copied vertices."""
    rig, look = shaped.rig, shaped.appearance
    occlusion = look.occlusion
    gloss = _by_region(shaped, shading.GLOSS, 3)
    eyes = [rig.region_names.index(f"eye_{side}") for side in ("left", "right")]
    eyeballs = np.isin(rig.regions, eyes)
    gloss[eyeballs] = occlusion[eyeballs, None]
    local = _eyes(shaped)[0]
    local[~eyeballs] = shaped.vertices.numpy()[~eyeballs] - head_middle(shaped)
    albedo = look.skin.copy()
    albedo[rig.regions == rig.region_names.index("hair")] *= shading.HAIR_TINT
    figure = {
        "albedo": albedo,
        "occlusion": occlusion,
        "wrap": _by_region(shaped, shading.WRAP, 3),
        "gloss": gloss,
        "local": local,
        "cover": look.cover,
    }
    drawn = {"iris": np.concatenate([look.iris, shading.IRIS[2:]])}
    for name, values in figure.items():
        values = np.concatenate([refinement.apply(values), values[copied]])
        drawn[name] = np.ascontiguousarray(values, np.float32)
    return drawn


def _inside(shaped: ShapedHouse, regions: np.ndarray) -> dict[str, np.ndarray]:
    """The vertices inside the mouth, and how dark they become."""
    least = _table(shaped.rig, shading.BEHIND_LIPS)[regions]
    inside = np.flatnonzero(least > 0)
    return {
        "inside": inside,
        "inside_least": least[inside],
        "inner_lip": shaped.rig.inner_lip,
    }


def _table(rig: HouseRig, values: dict[str, float]) -> np.ndarray:
    """A value for each region, 0 where there is none."""
    return np.array([values.get(name, 0.0) for name in rig.region_names], np.float32)


def head_middle(shaped: ShapedHouse) -> np.ndarray:
    """The point from which the textures of hair and skin are seen, in the rest pose, metres."""
    eye = shaped.joints[shaped.rig.joint_names.index("eye.L")].numpy()
    return np.array([0.0, eye[1] + 0.02, eye[2] - 0.085], np.float32)


def _pixels_per_metre(camera: Camera, height: int) -> float:
    distance = np.linalg.norm(np.subtract(camera.eye, camera.target))
    return float(camera.focal(height) / distance)


def _surface_hair(
    shaped: ShapedHouse, refinement: Refinement, regions: np.ndarray, pixels_per_metre: float
) -> dict[str, np.ndarray | np.float32]:
    """The closed surface of the hair, and the textures of hair and skin."""
    hair, middle = shaped.hair, head_middle(shaped)
    index = np.flatnonzero(regions == shaped.rig.region_names.index("hair"))
    points = (hair.strands - middle).reshape(-1, 3)
    tangents = hair.tangents.reshape(-1, 3)
    size = texture_size(pixels_per_metre)
    strand_points = refinement.apply(shaped.vertices.numpy() - middle)[index]
    return {
        "surface_hair": index,
        "surface_hair_tangents": combing_field(points, tangents, strand_points),
        "strands": strand_texture(points, tangents, size),
        "pores": pore_texture(),
        "fineness": np.float32(PORE_DEPTH[size]),
        "hair_ratio": shaped.appearance.hair / shaped.appearance.skin_mean,
    }


def _hair(shaped: ShapedHouse, hair: HairSurface) -> dict[str, np.ndarray]:
    """Attributes of the loose strands: dark roots, bright tips, a hairline that fades into skin."""
    shade = (0.72 + 0.28 * hair.along**0.7) * hair.tone
    fade = 0.2 * hair.fade[:, None]
    look = shaped.appearance
    albedo = shading.HAIR_TINT * look.hair * shade[:, None] * (1 - fade) + fade * look.skin_mean
    return {
        "hair_points": hair.vertices,
        "hair_directions": np.stack([hair.tangents, hair.normals], axis=1),
        "hair_albedo": albedo.astype(np.float32),
        "hair_shine": (hair.tone * (1 - hair.fade)).astype(np.float32),
        "hair_points_per_strand": 2 * shaped.hair.strands.shape[1],
    }


def _moves(shaped: ShapedHouse, refinement: Refinement, triangles: np.ndarray) -> np.ndarray:
    """Whether a motion can move each fine triangle, or change a normal of it."""
    turning = np.zeros(len(shaped.rig.vertices), np.float32)
    turning[shaped.turning.numpy()] = 1
    refined = refinement.apply(turning) != 0
    moving = np.concatenate([refined, np.ones(triangles.max() + 1 - len(refined), bool)])
    # Vertices of a moving triangle change their normals, which neighbours share.
    relit = np.zeros(len(moving), bool)
    relit[triangles[moving[triangles].any(axis=1)].ravel()] = True
    return relit[triangles].any(axis=1)


def _material(rig: HouseRig, region: np.ndarray) -> np.ndarray:
    """Material of each region; those that blend into one skin count as one material."""
    skin = [rig.region_names.index(name) for name in ("skin", "lips", "mouth", "scalp", "nails")]
    return np.where(np.isin(region, skin), 254, region).astype(np.uint8)


def _copied(
    shaped: ShapedHouse, names: tuple[str, ...], first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of unrefined parts, and their triangles in the scene's indices."""
    vertices, faces = [], []
    for name in names:
        part = shaped.rig.part(name)
        faces.append(part.faces.numpy() - part.vertices.start + first + sum(map(len, vertices)))
        vertices.append(np.arange(part.vertices.start, part.vertices.stop))
    return np.concatenate(vertices), np.concatenate(faces)
