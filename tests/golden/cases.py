"""The cases of the golden net: what is run, said once for `make.py` and `test_golden.py`.

A case goes only through doors that stay when modules move: `motet.run`, `motet.stream`,
`motet.load`, `Clip.save` and the command line. Cases of one method stand together, because only
a few loaded methods are kept in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

METHODS = ("artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip", "artalk,mospa")
MOVING = ("artalk", "diffposetalk", "kmtalk", "mospa", "artalk,mospa")
"""Methods whose takes are kept as `.npz`; speech2lip answers pictures."""
TEXT = (
    "and mister john dashwood had then leisure to consider how much there might be prudently in"
    " his power to do for them"
)


@dataclasses.dataclass(frozen=True)
class Take:
    """One call of `motet.run`, `motet.stream` or `motet.load(...).run`."""

    name: str
    method: str
    sound: str = "cut"
    """A name that `sounds.py` knows."""
    seeds: tuple[int, ...] = (3,)
    """More than one: a batch through `motet.load`."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """`{files}` in a text stands for the folder of committed files."""
    fps: float | None = None
    pieces: bool = False
    """Through `motet.stream`, in pieces of uneven length."""
    endings: tuple[str, ...] = ()
    """Formats in which `Clip.save` writes the take; their contents are compared too."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One or more command lines; every file they write is compared by its contents.

    `{files}` stands for the committed files, `{out}` for an empty folder, `{cut}`, `{tail}` and
    `{second}` for recordings.
    """

    name: str
    commands: tuple[str, ...]
    stdin: str = ""
    """Name of the sound that is given as raw 16-bit samples."""
    printed: str = ""
    """`json` or `jsonl`: what is printed is compared as well."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture of the house figure, at most 128 pixels wide."""

    name: str
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """ARKit weights of the face."""
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Axis-angle of the head, radians."""
    take: str = ""
    """Draw a frame of this committed take instead."""
    frame: int = 0
    source: str = ""
    """Place of the sound that the picture of a body marks."""


CUT = "{cut} --quiet --seed 5"
CASES: tuple[Take | Line, ...] = (
    Take("artalk_demo", "artalk", "demo", (0,)),
    Take("artalk_3", "artalk", endings=("npz", "csv", "json", "glb")),
    Take("artalk_4", "artalk", seeds=(4,)),
    Take("artalk_pieces", "artalk", pieces=True),
    Take("artalk_commit", "artalk", pieces=True, options={"commit": 4}),
    Take("artalk_batch", "artalk", "two", (3, 4)),
    Take("artalk_seeds", "artalk", seeds=(5, 6)),
    Take("artalk_style", "artalk", options={"style": "warm", "style_strength": 1.5}),
    Take("artalk_like_take", "artalk", options={"style": "{files}/diffposetalk.npz"}),
    Take("artalk_sample", "artalk", options={"decode": "sample", "temperature": 0.8}),
    Take("artalk_expected", "artalk", options={"decode": "expected"}),
    Take("artalk_greedy", "artalk", options={"decode": "greedy"}),
    Take("artalk_model_alone", "artalk", options={"closures": False, "opening": 0.0}),
    Take("artalk_30", "artalk", fps=30.0),
    Take("artalk_other_rate", "artalk", "other_rate"),
    Take("artalk_stereo", "artalk", "stereo"),
    Take("artalk_silence", "artalk", "silence"),
    Line("artalk_finish", (f"run {CUT} --intensity 1.3 --no-head --no-blink -o {{out}}/t.npz",)),
    Line("artalk_line", (f"run {CUT} --takes 2 --style warm --fps 60 -o {{out}}/t.csv",)),
    Line("artalk_live", ("live --seed 3 --intensity 0.8",), stdin="second", printed="jsonl"),
    Line("artalk_folder", ("run {cut} {tail} -o {out}/all --formats csv npz --quiet",)),
    Take("diffposetalk_demo", "diffposetalk", "demo", (0,)),
    Take("diffposetalk_3", "diffposetalk"),
    Take("diffposetalk_4", "diffposetalk", seeds=(4,)),
    Take("diffposetalk_pieces", "diffposetalk", pieces=True),
    Take("diffposetalk_batch", "diffposetalk", "two", (3, 4)),
    Take("diffposetalk_style", "diffposetalk", options={"style": "warm", "guidance_style": 2.0}),
    Take("diffposetalk_like_take", "diffposetalk", options={"style": "{files}/artalk.npz"}),
    Take(
        "diffposetalk_ddim",
        "diffposetalk",
        options={"sampler": "ddim", "steps": 4, "flexibility": 0.5, "head": 1.0},
    ),
    Take("diffposetalk_ancestral", "diffposetalk", options={"sampler": "ancestral", "steps": 4}),
    Take("diffposetalk_fresh", "diffposetalk", options={"fresh": True}),
    Line(
        "diffposetalk_line",
        (f"run {CUT} -m diffposetalk --guidance.audio 1.4 --no-blink -o {{out}}/t.npz",),
    ),
    Take("kmtalk_demo", "kmtalk", "demo", (0,)),
    Take("kmtalk_3", "kmtalk"),
    Take("kmtalk_4", "kmtalk", seeds=(4,)),
    Take("kmtalk_pieces", "kmtalk", pieces=True),
    Take("kmtalk_batch", "kmtalk", "two", (3, 4)),
    Take("kmtalk_text", "kmtalk", "demo", options={"text": TEXT}),
    Take("kmtalk_timing", "kmtalk", options={"timing": "{files}/phones.ctm"}),
    Take("kmtalk_keys", "kmtalk", "second", options={"keys": "{files}/kmtalk.keys.json"}),
    Take("kmtalk_uniform", "kmtalk", options={"recogniser": "none", "anchor": "uniform:0.2"}),
    Take("kmtalk_scaled", "kmtalk", options={"amplitude": 0.7, "head": 1.0, "seal": False}),
    Line("kmtalk_write_keys", ("keys {second} --quiet -o {out}/t.keys.json",)),
    Line("kmtalk_line", (f"run {CUT} -m kmtalk --intensity 0.6 --no-head -o {{out}}/t.npz",)),
    Take("mospa_demo", "mospa", "demo", (0,)),
    Take("mospa_3", "mospa"),
    Take("mospa_4", "mospa", seeds=(4,)),
    Take("mospa_pieces", "mospa", pieces=True, options={"source": "120,0,2"}),
    Take("mospa_batch", "mospa", "two", (3, 4)),
    Take("mospa_source", "mospa", options={"source": "120,0,2"}, endings=("npz", "bvh")),
    Take("mospa_path", "mospa", options={"source": "{files}/path.csv", "genre": "sensitive"}),
    Take("mospa_stereo", "mospa", "stereo"),
    # Guidance without a source differs by 2e-4 between kernels, so it is held with one.
    Take(
        "mospa_plain",
        "mospa",
        options={"feet": False, "guidance": 1.5, "source": "120,0,2"},
    ),
    Take("mospa_ancestral", "mospa", options={"sampler": "ancestral", "steps": 3}),
    Line(
        "mospa_line",
        (f"run {CUT} -m mospa --source 45,10,3 --genre dull --fps 24 -o {{out}}/t.bvh",),
    ),
    Take(
        "both_3",
        "artalk,mospa",
        options={"source": "120,0,2", "style": "warm"},
        endings=("npz", "glb", "bvh", "csv"),
    ),
    Take("both_60", "artalk,mospa", seeds=(4,), fps=60.0),
    Line("both_seeds", (f"run {CUT} -m artalk,mospa --takes 2 -o {{out}}/t.npz",)),
    Take("both_demo", "artalk,mospa", "demo", (0,)),
    Take("speech2lip_3", "speech2lip", "second"),
    Take("speech2lip_pieces", "speech2lip", "second", pieces=True),
    Take(
        "speech2lip_hold",
        "speech2lip",
        "second",
        options={"loop": "hold", "start": 200, "intensity": 1.5, "quiet_lips": False},
    ),
    Line(
        "speech2lip_line",
        ("run {second} -m speech2lip --intensity 1.2 --no-head --quiet -o {out}/t.mp4",),
    ),
    Line(
        "export_face",
        ("export {files}/artalk.npz -o {out}/t.npz -o {out}/t.csv -o {out}/t.json -o {out}/t.glb",),
    ),
    Line("export_24", ("export {files}/kmtalk.npz --fps 24 -o {out}/t.json",)),
    Line("export_keeps", ("export {files}/diffposetalk.npz -o {out}/t.npz -o {out}/t.csv",)),
    Line(
        "export_body",
        (
            "export {files}/mospa.npz -o {out}/t.npz -o {out}/t.bvh -o {out}/t.glb"
            " -o {out}/t.smplx.npz -o {out}/t.amass.npz -o {out}/t.beat2.npz",
        ),
    ),
    Line("export_both", ("export {files}/both.npz -o {out}/t.npz -o {out}/t.bvh -o {out}/t.csv",)),
    Line(
        "export_avatar",
        (
            "export {files}/artalk.npz -o {out}/first.glb",
            "export {files}/kmtalk.npz --avatar {out}/first.glb -o {out}/second.glb",
        ),
    ),
    Line(
        "export_back",
        (
            "export {files}/artalk.npz -o {out}/first.csv -o {out}/first.json",
            "export {out}/first.csv -o {out}/from_csv.npz",
            "export {out}/first.json -o {out}/from_json.npz",
            "export {files}/mospa.npz -o {out}/first.bvh -o {out}/first.smplx.npz",
            "export {out}/first.bvh -o {out}/from_bvh.npz",
            "export {out}/first.smplx.npz -o {out}/from_smplx.npz",
        ),
    ),
    Line("render_face", ("render {files}/artalk.npz --size 128 --quiet -o {out}/t.mp4",)),
    Line("render_body", ("render {files}/both.npz --size 128 --quiet -o {out}/t.mp4",)),
    Line("check_face", ("check {files}/artalk.npz --json",), printed="json"),
    Line("check_both", ("check {files}/both.npz --json",), printed="json"),
)

PICTURES: tuple[Picture, ...] = (
    Picture("face_rest"),
    Picture("face_open", {"jawOpen": 0.8, "mouthUpperUpLeft": 0.5, "mouthUpperUpRight": 0.5}),
    Picture(
        "face_smile",
        {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.7, "cheekSquintLeft": 0.6, "jawOpen": 0.2},
        (0.1, 0.3, 0.0),
    ),
    Picture(
        "face_left",
        {"eyeBlinkLeft": 1.0, "mouthPucker": 0.9, "browInnerUp": 0.8, "eyeLookOutRight": 0.7},
        (-0.15, 0.6, 0.1),
    ),
    Picture(
        "face_right",
        {"browDownLeft": 1.0, "browDownRight": 0.8, "mouthFunnel": 0.7, "tongueOut": 0.6},
        (0.2, -0.6, -0.15),
    ),
    Picture("face_take", take="artalk", frame=12),
    Picture("body_take", take="mospa", frame=20),
    Picture("body_source", take="mospa", frame=5, source="-30,10,1.2"),
    Picture("both_take", take="both", frame=15),
)
MOUTHS: dict[str, int] = {"speech2lip_4": 4, "speech2lip_18": 18}
"""Pictures of speech2lip, and the frames they show."""
