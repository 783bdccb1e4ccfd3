"""A glTF file's first animation, frame by frame: transforms of all nodes and morph weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError
from motet.export.gltf.accessors import Arrays
from motet.export.gltf.bones import ancestors, decompose
from motet.export.gltf.inspection import entries, entry
from motet.export.gltf.targets import morph_names, resting_weights

_KINDS = {"translation": "VEC3", "rotation": "VEC4", "scale": "VEC3", "weights": "SCALAR"}


@dataclasses.dataclass(frozen=True)
class _Curve:
    """What one channel does to its node."""

    times: Float[np.ndarray, " keys"]
    values: Float[np.ndarray, "keys size"]
    stepped: bool

    def at(self, seconds: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames size"]:
        """Values between the keys; before the first and after the last those of it."""
        last = len(self.times) - 1
        after = np.searchsorted(self.times, seconds + 1e-6, side="right")
        before = np.clip(after - 1, 0, last)
        if self.stepped:
            return self.values[before]
        after = np.clip(after, 0, last)
        span = np.maximum(self.times[after] - self.times[before], 1e-9)
        share = np.clip((seconds - self.times[before]) / span, 0.0, 1.0)[:, None]
        start, stop = self.values[before], self.values[after]
        # Of two quaternions for one rotation the nearer one.
        if self.values.shape[1] == 4:
            stop = np.where((start * stop).sum(1, keepdims=True) < 0, -stop, stop)
        return start + share * (stop - start)


class NodeAnimation:
    """Nodes of a file as its first animation moves them; at rest where there is none.

    Args:
        content: the document.
        arrays: its arrays.
        path: named in errors.

    Raises:
        AssetError: the animation or a node is damaged.
    """

    def __init__(self, content: dict[str, Any], arrays: Arrays, path: Path) -> None:
        self._content, self._path = content, path
        self._nodes = entries(content, "nodes", path)
        self._targets = {node: len(names) for node, names in morph_names(content, path).items()}
        animations = entries(content, "animations", path)
        self._curves = _curves(animations[0], self._targets, arrays, path) if animations else {}
        above = [ancestors(content, number, path) for number in range(len(self._nodes))]
        self.parents = [chain[0] if chain else -1 for chain in above]
        """The node above each; -1: none."""
        self._order = sorted(range(len(above)), key=lambda number: len(above[number]))

    def world(self, seconds: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames nodes 4 4"]:
        """From the axes of each node to the world."""
        from scipy.spatial.transform import Rotation

        matrices = np.zeros((len(seconds), len(self._nodes), 4, 4))
        for number in self._order:
            translation, turn, lengths = decompose(self._nodes[number], self._path)
            local = np.zeros((len(seconds), 4, 4))
            if (number, "rotation") in self._curves:
                values = self._curves[number, "rotation"].at(seconds)
                axes = Rotation.from_quat(values).as_matrix()  # (frames, 3, 3)
            else:
                axes = turn.as_matrix()
            if (number, "scale") in self._curves:
                lengths = self._curves[number, "scale"].at(seconds)[:, None, :]
            if (number, "translation") in self._curves:
                translation = self._curves[number, "translation"].at(seconds)
            local[:, :3, :3], local[:, :3, 3], local[:, 3, 3] = axes * lengths, translation, 1.0
            parent = self.parents[number]
            matrices[:, number] = local if parent < 0 else matrices[:, parent] @ local
        return matrices

    def weights(
        self, node: int, seconds: Float[np.ndarray, " frames"]
    ) -> Float[np.ndarray, "frames targets"]:
        """Weights of a node's morph targets."""
        if (node, "weights") in self._curves:
            return self._curves[node, "weights"].at(seconds)
        resting = resting_weights(self._content, node, self._targets[node], self._path)
        return np.tile(resting, (len(seconds), 1))

    def moved_targets(self, node: int) -> np.ndarray:
        """Which morph targets of a node are ever off their zero."""
        if (node, "weights") in self._curves:
            return np.flatnonzero(self._curves[node, "weights"].values.any(axis=0))
        resting = resting_weights(self._content, node, self._targets[node], self._path)
        return np.flatnonzero(resting)


def _curves(
    animation: dict[str, Any], targets: dict[int, int], arrays: Arrays, path: Path
) -> dict[tuple[int, str], _Curve]:
    """Curves by node and property."""
    curves: dict[tuple[int, str], _Curve] = {}
    for channel in entries(animation, "channels", path):
        target = channel.get("target")
        target = target if isinstance(target, dict) else {}
        node, kind = target.get("node"), target.get("path")
        if not isinstance(node, int) or kind not in _KINDS:
            continue  # extensions may animate anything, e.g. a material
        sampler = entry(animation, "samplers", channel.get("sampler"), path)
        times = arrays.read(sampler.get("input"), "SCALAR").astype(np.float64)
        values = arrays.read(sampler.get("output"), _KINDS[kind]).astype(np.float64)
        size = targets.get(node, 0) if kind == "weights" else values.shape[1]
        if not len(times) or not size or values.size != len(times) * size:
            raise AssetError(f"{path} is damaged: an animation with keys that do not match")
        stepped = sampler.get("interpolation") == "STEP"
        curves[node, kind] = _Curve(times, values.reshape(len(times), size), stepped)
    return curves
