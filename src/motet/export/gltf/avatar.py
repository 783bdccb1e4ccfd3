"""Animation added to a user's GLB or VRM, by the names of its morph targets and bones.

Nothing of the avatar is decoded or changed: bytes and an animation are appended, so compressed
meshes and unknown extensions stay as they are. Every number of the file is checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motet.errors import AssetError
from motet.export.curves import continuous
from motet.export.gltf.bones import (
    NECK_SHARE,
    bone_nodes,
    decompose,
    eye_turns,
    jaw_turns,
    turned,
    without_matrix,
)
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.document import Document
from motet.export.gltf.figure import add_animation
from motet.export.gltf.humanoid import (
    BodyCurves,
    body_curves,
    hanging_arms,
    humanoid_bones,
    no_body,
)
from motet.export.gltf.inspection import (
    Expression,
    check_self_contained,
    entries,
    vrm_expressions,
)
from motet.export.gltf.mapping import AvatarMap
from motet.export.gltf.parts import Performance
from motet.export.gltf.previous_take import MARK, remove_takes
from motet.export.gltf.targets import complete_targets, morph_names, resting_weights
from motet.export.gltf.visemes import Weights
from motet.export.gltf.vocabulary import Recognised, understood
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, Motion

BINARY_SWITCH = 0.5
"""Weight above which an expression that is either off or on is on."""


@dataclasses.dataclass(frozen=True)
class AvatarReport:
    """What of an avatar can be animated."""

    matched: tuple[str, ...]
    """Its morph targets and expressions that are driven."""
    missed: tuple[str, ...]
    """ARKit shapes without a counterpart; their effect is lost or approximated."""
    ignored: tuple[str, ...]
    """Its morph targets that are not driven."""
    bones: tuple[str, ...]
    """Its animated bones."""
    mouth: str
    """What the mouth speaks by: `ARKit shapes`, `visemes`, `vowels` or `the jaw bone`."""
    body: tuple[str, ...] = ()
    """Its bones that a body moves."""

    def lines(self) -> list[str]:
        """The report as text."""
        body = [f"bones of a body ({len(self.body)}): {_listed(self.body)}"] if self.body else []
        if not self.mouth:
            return body
        return [
            f"mouth by {self.mouth}",
            f"driven ({len(self.matched)}): {_listed(self.matched)}",
            f"bones ({len(self.bones)}): {_listed(self.bones)}",
            f"missing ARKit shapes ({len(self.missed)}): {_listed(self.missed)}",
            f"ignored ({len(self.ignored)}): {_listed(self.ignored)}",
            *body,
        ]


@dataclasses.dataclass(frozen=True)
class Driven:
    """What an animation moves."""

    curves: dict[int, list[np.ndarray]]
    """Weights of all morph targets of each animated node."""
    binary: frozenset[int]
    """Nodes whose weights jump between frames."""
    turns: dict[int, np.ndarray]
    """Rotations of bones in the world, axis-angle (frames, 3)."""
    weights: Weights
    """Weights by the avatar's names of morph targets and expressions, without resting weights."""
    report: AvatarReport


NOTHING = Driven({}, frozenset(), {}, {}, AvatarReport((), (), (), (), ""))
"""A take without a face moves the body only."""


def inspect_avatar(
    path: Path, by_hand: AvatarMap | None = None, *, has_face: bool = True
) -> AvatarReport:
    """What of an avatar can be driven, without writing anything.

    Args:
        has_face: False for takes of a body alone, which need no mouth.

    Raises:
        AssetError: not a usable GLB or VRM, or it has no mouth that can speak, or no body that
            can move.
        ConfigError: `by_hand` names what the avatar or motet does not have.
    """
    content, _ = read_glb(path)
    bones = humanoid_bones(content, path)
    nodes = entries(content, "nodes", path)
    body = tuple(str(nodes[bone.node].get("name", bone.node)) for bone in bones)
    if not has_face:
        if not body:
            raise no_body(path)
        return dataclasses.replace(NOTHING.report, body=body)
    still = {name: np.zeros(1) for name in ARKIT_SHAPES}
    driven = drive(content, still, np.zeros((1, 3)), 1.0, by_hand or AvatarMap(), path)
    return dataclasses.replace(driven.report, body=body)


def animated_avatar(
    path: Path, motion: Motion, facts: Mapping[str, Any], by_hand: AvatarMap | None = None
) -> tuple[bytes, AvatarReport]:
    """The avatar with the motion as its first animation, as the bytes of a GLB.

    An earlier take of motet in the file is replaced.

    Args:
        motion: one take of a face (`arkit`), of a body (`smplx25`), or of both. Of both, an avatar
            without a body moves its face only.
        facts: written into `asset.extras`.
        by_hand: names that are assigned by hand.

    Raises:
        AssetError: not a usable GLB or VRM, or it has no mouth that can speak, or no body that
            can move.
        ConfigError: `by_hand` names what the avatar or motet does not have.
    """
    document, report = animated_document(path, motion, facts, by_hand)
    try:
        return pack_glb(*document.finished()), report
    except ValueError as error:
        raise AssetError(
            f"{path} is damaged: its description holds numbers that are not finite"
        ) from error


def animated_document(
    path: Path, motion: Motion, facts: Mapping[str, Any], by_hand: AvatarMap | None = None
) -> tuple[Document, AvatarReport]:
    """The document of `animated_avatar`, with the take as its first animation.

    Raises:
        AssetError: as there.
        ConfigError: as there.
    """
    content, data = read_glb(path)
    check_self_contained(content, path)
    face, body = split(motion)
    curves = None if body is None else body_curves(content, body, path)
    if face is None and curves is None:
        raise no_body(path)
    driven = NOTHING if face is None else _face(content, face, by_hand or AvatarMap(), path)
    if curves is None:
        driven = with_hanging_arms(driven, content, motion.frames, path)
    own = _own_bytes(content, data, path)
    document = Document(content, remove_takes(content, own, path))
    complete_targets(document, path)
    _add_take(document, driven, curves, motion.space.fps, path)
    asset = content["asset"]
    extras = asset.get("extras")
    asset["extras"] = {**(extras if isinstance(extras, dict) else {}), MARK: dict(facts)}
    return document, driven.report


def with_hanging_arms(driven: Driven, content: dict[str, Any], frames: int, path: Path) -> Driven:
    """The same with arms that hang, for takes that move no body (see `hanging_arms`)."""
    arms = {
        node: np.tile(turn, (frames, 1))  # (frames, 3), writable: SciPy takes no other
        for node, turn in hanging_arms(content, path).values()
    }
    return dataclasses.replace(driven, turns={**arms, **driven.turns})


def _face(content: dict[str, Any], face: Motion, by_hand: AvatarMap, path: Path) -> Driven:
    weights = {
        name: face.channel("blendshapes", name).detach().cpu().numpy().astype(np.float64)
        for name in ARKIT_SHAPES
    }
    head = face["head"].detach().double().cpu().numpy()
    return drive(content, weights, head, face.space.fps, by_hand, path)


def _add_take(
    document: Document, driven: Driven, curves: BodyCurves | None, fps: float, path: Path
) -> None:
    content = document.content
    rotations = {
        str(node): turned(content, node, turns, path) for node, turns in driven.turns.items()
    }
    moved: dict[str, np.ndarray] = {}
    if curves is not None:
        rotations = _composed(content, curves, rotations, path)
        moved = {str(curves.hips): curves.translation}
    for node in map(int, rotations):
        without_matrix(content["nodes"][node], path)
    # One name for each target of each node: two nodes may have targets of the same name.
    shapes = {
        node: tuple(f"{node}/{index}" for index in range(len(targets)))
        for node, targets in driven.curves.items()
    }
    unique = {
        name: curve
        for node, targets in driven.curves.items()
        for name, curve in zip(shapes[node], targets, strict=True)
    }
    joints = {name: int(name) for name in rotations}
    performance = Performance(fps, unique, rotations, moved)
    add_animation(document, performance, "take", shapes, joints, first=True)
    take = content["animations"][0]
    take["extras"] = {MARK: True}
    for channel in take["channels"]:
        if channel["target"]["path"] == "weights" and channel["target"]["node"] in driven.binary:
            take["samplers"][channel["sampler"]]["interpolation"] = "STEP"


def _composed(
    content: dict[str, Any],
    curves: BodyCurves,
    face: Mapping[str, np.ndarray],
    path: Path,
) -> dict[str, np.ndarray]:
    """Local rotations of all bones; what a face adds to head and neck comes on top of the body."""
    from scipy.spatial.transform import Rotation

    rotations = {str(node): turns for node, turns in curves.rotations.items()}
    for name, turns in face.items():
        if name in rotations:
            rest = decompose(content["nodes"][int(name)], path)[1]
            added = rest.inv() * Rotation.from_quat(turns)
            turns = continuous((Rotation.from_quat(rotations[name]) * added).as_quat())
        rotations[name] = turns
    return rotations


def drive(
    content: dict[str, Any],
    weights: Weights,
    head: np.ndarray,
    fps: float,
    by_hand: AvatarMap,
    path: Path,
) -> Driven:
    """Curves of all morph targets of every node that can be animated, turns of bones, report.

    Raises:
        AssetError: it has no mouth that can speak.
        ConfigError: `by_hand` names what the avatar or motet does not have.
    """
    names = morph_names(content, path)
    expressions = vrm_expressions(content, names, path)
    every = list(dict.fromkeys(name for targets in names.values() for name in targets))
    mapping = by_hand.shapes_of([*every, *expressions])
    meanings = understood(every, weights, expressions, mapping, fps)
    nodes = bone_nodes(content, path, by_hand.bones)
    turns = _turns(nodes, meanings, weights, head)
    jaw = nodes.get("jaw")
    mouth = meanings.mouth or ("the jaw bone" if jaw in turns else "")
    if not mouth:
        raise AssetError(f"{path} has no mouth that can speak: {_silent(every)}")
    curves, binary = _curves(content, names, expressions, meanings, path)
    # Targets that a driven expression moves are driven too.
    bound = {
        names[node][target]
        for name, expression in expressions.items()
        if name in meanings.curves
        for node, target, _ in expression.binds
    }
    driven = meanings.curves.keys() | bound
    report = AvatarReport(
        tuple(meanings.curves),
        tuple(name for name in ARKIT_SHAPES if name not in meanings.shapes),
        tuple(name for name in every if name not in driven),
        tuple(str(entries(content, "nodes", path)[node].get("name", node)) for node in turns),
        mouth,
    )
    return Driven(curves, binary, turns, meanings.curves, report)


def _turns(
    nodes: Mapping[str, int], meanings: Recognised, weights: Weights, head: np.ndarray
) -> dict[int, np.ndarray]:
    """Turns of bones; the jaw and the eyes only where no shapes move what they would."""
    turns = {}
    if "head" in nodes:
        share = NECK_SHARE if "neck" in nodes else 0.0
        if "neck" in nodes:
            # Both bones together make the head's rotation.
            turns[nodes["neck"]] = share * head
        turns[nodes["head"]] = (1.0 - share) * head
    if (
        "jaw" in nodes
        and meanings.mouth in ("", "ARKit shapes")
        and "jawOpen" not in meanings.shapes
    ):
        closes = {"mouthClose": np.zeros(len(head))} if "mouthClose" in meanings.shapes else {}
        turns[nodes["jaw"]] = jaw_turns({**weights, **closes})
    if not any(shape.startswith("eyeLook") for shape in meanings.shapes):
        for side in ("Left", "Right"):
            if f"{side.lower()}Eye" in nodes:
                turns[nodes[f"{side.lower()}Eye"]] = eye_turns(weights, side)
    return turns


def _curves(
    content: dict[str, Any],
    names: Mapping[int, list[str]],
    expressions: Mapping[str, Expression],
    meanings: Recognised,
    path: Path,
) -> tuple[dict[int, list[np.ndarray]], frozenset[int]]:
    """Weights of all targets of each moved node, and the nodes that only binary expressions move.

    Resting weights stay: a character that is customised by them keeps its looks.
    """
    frames = len(next(iter(meanings.curves.values()))) if meanings.curves else 1
    added = {
        node: [meanings.curves.get(name, np.zeros(frames)) for name in targets]
        for node, targets in names.items()
    }
    every = {name for targets in names.values() for name in targets}
    smooth = {node for node, targets in names.items() if meanings.curves.keys() & set(targets)}
    stepped: set[int] = set()
    for name, expression in expressions.items():
        # A target that is driven directly is not driven by an expression again.
        if name not in meanings.curves or name in every:
            continue
        curve = meanings.curves[name]
        if expression.binary:
            curve = (curve > BINARY_SWITCH).astype(np.float64)
        for node, target, share in expression.binds:
            added[node][target] = added[node][target] + share * curve
            (stepped if expression.binary else smooth).add(node)
    moved = {}
    for node in sorted(smooth | stepped):
        resting = resting_weights(content, node, len(names[node]), path)
        moved[node] = [
            # From the resting weight to 1: full weight is full weight for every character.
            rest + np.clip(curve, 0, 1) * (1 - rest if 0 <= rest <= 1 else 1)
            for rest, curve in zip(resting, added[node], strict=True)
        ]
    return moved, frozenset(stepped - smooth)


def _silent(every: list[str]) -> str:
    remedy = "rename them to ARKit names, or assign them with --map FILE.json"
    if not every:
        return "it has no morph targets at all and no jaw bone"
    if all(name.startswith("#") for name in every):
        return (
            f"its {len(every)} morph targets have no names; export it with names, or assign them as"
            f" {every[0]}..{every[-1]} with --map FILE.json"
        )
    return f"it has {_listed(every[:5])}, which are no known mouth shapes; {remedy}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) or "none"


def _own_bytes(content: dict[str, Any], data: bytes, path: Path) -> bytes:
    """The bytes of the file's own buffer, to which new ones are appended."""
    buffers = entries(content, "buffers", path)
    if not buffers:
        content["buffers"] = [{}]
        return b""
    length = buffers[0].get("byteLength")
    if "uri" in buffers[0] or not isinstance(length, int) or not 0 <= length <= len(data) + 3:
        raise AssetError(
            f"{path} keeps its data outside the file or states a wrong length of it; export it as"
            " one self-contained GLB"
        )
    return data[:length]
