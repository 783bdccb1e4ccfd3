"""USD (`.usda`, `.usdc`, `.usdz`): the figure with blend shapes and skeleton, animated (UsdSkel).

The figure is that of a `.glb`: the house figure, or the user's FLAME head or template. One
`SkelRoot` holds a `Skeleton` with its `SkelAnimation`, and a `Mesh` for each part whose
`BlendShape`s have the ARKit names. A frame is a time code; +Y up, facing +Z, metres. Textures of
the eyes lie beside `.usda` and `.usdc` files as `NAME.MATERIAL.png`, and inside a `.usdz`. USD has
no sound here.

Needs the package `usd-core`. Source: https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.errors import require
from motet.export.curves import single_motion
from motet.export.glb import figure_of, generator, making
from motet.export.gltf.parts import FigureParts, Material, Performance, Surface
from motet.export.options import ExportOptions
from motet.types import Clip

ROOT = "/Figure"
SKELETON, ANIMATION = f"{ROOT}/Skeleton", f"{ROOT}/Skeleton/Take"


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the figure with the clip's motion.

    Raises:
        MissingDependency: the package `usd-core` is not installed.
        InputError: the clip has no motion, or several takes.
    """
    pxr = require("pxr", "usd")
    motion = single_motion(clip, "USD")
    figure, performance = figure_of(clip, motion, options, "USD")
    with tempfile.TemporaryDirectory(prefix="motet-usd-") as folder:
        ending = path.suffix.lower()
        scene = Path(folder) / f"{path.stem}{'.usdc' if ending == '.usdz' else ending}"
        _Writer(pxr, scene, figure, performance).write({"motet": making(clip)})
        written = scene
        if ending == ".usdz":
            written = scene.with_suffix(".usdz")
            pxr_utils = require("pxr.UsdUtils", "usd")
            pxr_utils.CreateNewUsdzPackage(str(scene), str(written))
        else:
            for picture in Path(folder).glob("*.png"):
                write_bytes(path.with_name(picture.name), picture.read_bytes())
        write_bytes(path, written.read_bytes())
    options.report(motion.frames)


class _Writer:
    """One stage.

    Args:
        pxr: the package.
        path: where the stage is saved.
        figure: what is written, at rest.
        performance: its animation.
    """

    def __init__(
        self, pxr: ModuleType, path: Path, figure: FigureParts, performance: Performance
    ) -> None:
        for name in ("Gf", "Sdf", "Usd", "UsdGeom", "UsdShade", "UsdSkel", "Vt"):
            require(f"{pxr.__name__}.{name}", "usd")
        self._pxr: Any = pxr  # its modules are made at run time
        self._path, self._figure, self._performance = path, figure, performance
        self._stage = self._pxr.Usd.Stage.CreateNew(str(path))
        self._joints = _joint_paths(figure)
        self._materials: dict[Material, Any] = {}

    def write(self, facts: dict[str, Any]) -> None:
        """Everything, and save."""
        geom, skel, stage = self._pxr.UsdGeom, self._pxr.UsdSkel, self._stage
        geom.SetStageUpAxis(stage, geom.Tokens.y)
        geom.SetStageMetersPerUnit(stage, 1.0)
        stage.SetTimeCodesPerSecond(self._performance.fps)
        stage.SetFramesPerSecond(self._performance.fps)
        stage.SetStartTimeCode(0)
        stage.SetEndTimeCode(len(self._performance.times) - 1)
        layer = stage.GetRootLayer()
        layer.documentation = f"Synthetic: made by an algorithm ({generator()})"
        layer.customLayerData = {"motet": json.dumps(facts["motet"], default=str)}
        root = skel.Root.Define(stage, ROOT)
        stage.SetDefaultPrim(root.GetPrim())
        self._skeleton()
        self._animation()
        for surface in self._figure.surfaces:
            self._mesh(surface)
        layer.Save()

    def _skeleton(self) -> None:
        """Joints at rest; they are aligned with the world in the bind pose."""
        gf, figure = self._pxr.Gf, self._figure
        skeleton = self._pxr.UsdSkel.Skeleton.Define(self._stage, SKELETON)
        skeleton.CreateJointsAttr(self._joints)
        bind = [_placed(gf, position) for position in figure.joint_positions]
        rest = [
            _placed(gf, position, turn)
            for position, turn in zip(_offsets(figure), figure.joint_rotations_at_rest, strict=True)
        ]
        skeleton.CreateBindTransformsAttr(self._pxr.Vt.Matrix4dArray(bind))
        skeleton.CreateRestTransformsAttr(self._pxr.Vt.Matrix4dArray(rest))
        binding = self._pxr.UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
        binding.CreateAnimationSourceRel().SetTargets([ANIMATION])

    def _animation(self) -> None:
        """Turns and places of all joints and weights of all shapes, a sample each frame."""
        vt, figure, performance = self._pxr.Vt, self._figure, self._performance
        animation = self._pxr.UsdSkel.Animation.Define(self._stage, ANIMATION)
        animation.CreateJointsAttr(self._joints)
        frames, count = len(performance.times), len(self._joints)
        turns = np.tile(figure.joint_rotations_at_rest.astype(np.float32), (frames, 1, 1))
        translations = np.tile(_offsets(figure).astype(np.float32), (frames, 1, 1))
        for index, name in enumerate(figure.joint_names):
            if name in performance.turns:
                turns[:, index] = performance.turns[name]
            if name in performance.translations:
                translations[:, index] = performance.translations[name]
        names = list(performance.weights)
        animation.CreateBlendShapesAttr(list(map(_token, names)))
        weights = np.stack([*performance.weights.values()], 1) if names else np.zeros((frames, 0))
        # Memory of a quaternion is x y z w, as here.
        turned, moved = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
        shaped = animation.CreateBlendShapeWeightsAttr()
        animation.CreateScalesAttr(vt.Vec3hArray.FromNumpy(np.ones((count, 3), np.float16)))
        for frame in range(frames):
            turned.Set(vt.QuatfArray.FromNumpy(np.ascontiguousarray(turns[frame])), frame)
            moved.Set(vt.Vec3fArray.FromNumpy(np.ascontiguousarray(translations[frame])), frame)
            shaped.Set(vt.FloatArray.FromNumpy(weights[frame].astype(np.float32)), frame)

    def _mesh(self, surface: Surface) -> None:
        vt, path = self._pxr.Vt, f"{ROOT}/{_token(surface.name)}"
        mesh = self._pxr.UsdGeom.Mesh.Define(self._stage, path)
        faces = np.concatenate([*surface.faces.values()]).astype(np.int32)
        mesh.CreatePointsAttr(vt.Vec3fArray.FromNumpy(surface.vertices.astype(np.float32)))
        mesh.CreateFaceVertexCountsAttr(vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
        mesh.CreateFaceVertexIndicesAttr(vt.IntArray.FromNumpy(faces.reshape(-1)))
        mesh.CreateNormalsAttr(vt.Vec3fArray.FromNumpy(surface.normals.astype(np.float32)))
        mesh.SetNormalsInterpolation("vertex")
        mesh.CreateSubdivisionSchemeAttr("none")
        mesh.CreateDoubleSidedAttr(any(material.two_sided for material in surface.faces))
        primvars = self._pxr.UsdGeom.PrimvarsAPI(mesh)
        types = self._pxr.Sdf.ValueTypeNames
        if surface.colours is not None:
            colours = primvars.CreatePrimvar("displayColor", types.Color3fArray, "vertex")
            colours.Set(vt.Vec3fArray.FromNumpy(surface.colours.astype(np.float32)))
        if surface.texture_coordinates is not None:
            coordinates = surface.texture_coordinates.astype(np.float32) * [1, -1] + [0, 1]
            primvar = primvars.CreatePrimvar("st", types.TexCoord2fArray, "vertex")
            primvar.Set(
                vt.Vec2fArray.FromNumpy(coordinates.astype(np.float32))
            )  # v runs upwards in USD
        self._bind(mesh, surface)
        self._shapes(mesh, surface, path)
        self._dress(mesh, surface)

    def _bind(self, mesh: Any, surface: Surface) -> None:
        vt = self._pxr.Vt
        binding = self._pxr.UsdSkel.BindingAPI.Apply(mesh.GetPrim())
        binding.CreateSkeletonRel().SetTargets([SKELETON])
        identity = self._pxr.Gf.Matrix4d(1.0)
        binding.CreateGeomBindTransformAttr(identity)
        index = binding.CreateJointIndicesPrimvar(False, surface.joint_index.shape[1])
        index.Set(vt.IntArray.FromNumpy(surface.joint_index.astype(np.int32).reshape(-1)))
        weight = binding.CreateJointWeightsPrimvar(False, surface.joint_weight.shape[1])
        shares = surface.joint_weight.astype(np.float32) / 255
        weight.Set(vt.FloatArray.FromNumpy(shares.reshape(-1)))

    def _shapes(self, mesh: Any, surface: Surface, path: str) -> None:
        """Blend shapes of a mesh, as lists of the points that they move."""
        vt, targets = self._pxr.Vt, []
        for name, (rows, moved) in surface.shapes.items():
            shape = self._pxr.UsdSkel.BlendShape.Define(self._stage, f"{path}/{_token(name)}")
            shape.CreateOffsetsAttr(vt.Vec3fArray.FromNumpy(moved.astype(np.float32)))
            shape.CreatePointIndicesAttr(vt.IntArray.FromNumpy(rows.astype(np.int32)))
            targets.append(shape.GetPath())
        if targets:
            binding = self._pxr.UsdSkel.BindingAPI(mesh.GetPrim())
            binding.CreateBlendShapesAttr(list(map(_token, surface.shapes)))
            binding.CreateBlendShapeTargetsRel().SetTargets(targets)

    def _dress(self, mesh: Any, surface: Surface) -> None:
        """Materials: one for the mesh, or one for each of its groups of faces."""
        shade, vt, first = self._pxr.UsdShade, self._pxr.Vt, 0
        for material, faces in surface.faces.items():
            holder = mesh.GetPrim()
            if len(surface.faces) > 1:
                rows = np.arange(first, first + len(faces), dtype=np.int32)
                subset = self._pxr.UsdGeom.Subset.CreateGeomSubset(
                    mesh, _token(material.name), "face", vt.IntArray.FromNumpy(rows)
                )
                subset.CreateFamilyNameAttr("materialBind")
                holder = subset.GetPrim()
            shade.MaterialBindingAPI.Apply(holder).Bind(self._material(material))
            first += len(faces)

    def _material(self, material: Material) -> Any:
        """A preview surface coloured by its texture, or by the colours of the vertices."""
        if material in self._materials:
            return self._materials[material]
        shade, types = self._pxr.UsdShade, self._pxr.Sdf.ValueTypeNames
        path = f"{ROOT}/Materials/{_token(material.name)}_{len(self._materials)}"
        made = self._materials[material] = shade.Material.Define(self._stage, path)
        surface = shade.Shader.Define(self._stage, f"{path}/Surface")
        surface.CreateIdAttr("UsdPreviewSurface")
        surface.CreateInput("roughness", types.Float).Set(material.roughness)
        reader = shade.Shader.Define(self._stage, f"{path}/Colour")
        if material.texture_png is None:
            reader.CreateIdAttr("UsdPrimvarReader_float3")
            reader.CreateInput("varname", types.String).Set("displayColor")
            colour = reader.CreateOutput("result", types.Float3)
        else:
            colour = self._texture(material, reader, path)
        surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(colour)
        made.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
        return made

    def _texture(self, material: Material, reader: Any, path: str) -> Any:
        shade, types = self._pxr.UsdShade, self._pxr.Sdf.ValueTypeNames
        name = f"{self._path.stem}.{_token(material.name)}.png"
        assert material.texture_png is not None
        write_bytes(self._path.with_name(name), material.texture_png)
        coordinate_reader = shade.Shader.Define(self._stage, f"{path}/Places")
        coordinate_reader.CreateIdAttr("UsdPrimvarReader_float2")
        coordinate_reader.CreateInput("varname", types.String).Set("st")
        reader.CreateIdAttr("UsdUVTexture")
        reader.CreateInput("file", types.Asset).Set(f"./{name}")
        reader.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
        output = coordinate_reader.CreateOutput("result", types.Float2)
        reader.CreateInput("st", types.Float2).ConnectToSource(output)
        return reader.CreateOutput("rgb", types.Float3)


def _joint_paths(figure: FigureParts) -> list[str]:
    """Joints as USD names them: the way from the root, `pelvis/spine/neck`."""
    paths: list[str] = []
    for name, parent in zip(figure.joint_names, figure.joint_parents, strict=True):
        paths.append(f"{paths[parent]}/{_token(name)}" if parent >= 0 else _token(name))
    return paths


def _offsets(figure: FigureParts) -> Float[np.ndarray, "joints 3"]:
    """Places of the joints against their parents."""
    positions = np.asarray(figure.joint_positions, np.float64)
    parents = np.asarray(figure.joint_parents)
    return positions - np.where(parents[:, None] >= 0, positions[parents], 0.0)


def _placed(gf: Any, position: Any, turn: Any = (0.0, 0.0, 0.0, 1.0)) -> Any:
    x, y, z, w = map(float, turn)
    rotation = gf.Rotation(gf.Quatd(w, x, y, z))
    return gf.Matrix4d().SetTransform(rotation, gf.Vec3d(*map(float, position)))


def _token(name: str) -> str:
    """A name as USD allows it: letters, digits, `_`."""
    token = re.sub(r"\W", "_", name, flags=re.ASCII)
    return token if token and not token[0].isdigit() else f"_{token}"
