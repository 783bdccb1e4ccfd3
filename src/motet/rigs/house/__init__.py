"""The house figure: a whole person on one mesh, with 52 ARKit shapes, identity and a skeleton.

Baked by `recipes/bake_figure.py` from CC0 data. Rest frames of all joints are aligned with the
world, so a rest transform is a translation. The bind pose has lowered arms; `joint_relaxed` lets
them hang.

Three files, no pickled arrays:

- `figure.npz`: `vertices` (verts 3, m), `quads` (faces 4; a triangle repeats its last corner),
  `part_names` with `part_start` (vertex ranges), `region` (verts) into `region_names`, `colour`
  (verts 3, sRGB), `beard` (skin verts, density of a beard, /255), shapes as lists of moving
  vertices (`shape_names`, `shape_start`, `shape_vertex`, `shape_delta` m), `eye_turn` (2 shapes 3,
  axis-angle of the left and right eyeball at full weight), `joint_names`, `joint_parent`,
  `joint_position` (m), `joint_relaxed` (axis-angle), `joint_index` and `joint_weight` (verts 4,
  /255), lip vertex numbers, `licence`.
- `identity.npz`: `axis_names`, `axis_delta` (axes verts 3) times `axis_scale` (m), `axis_joint`
  (axes joints 3, m).
- `hair.npz`: for each cut (`bob.`, `tied.`, `short.`) strands of the scalp hair as polylines at
  rest, which follow the head joint; `occlusion` (verts, sky seen, /255); `cover` (skin verts,
  distance above the hairline in widths of the hairline, /32).

What a file writer needs:

- rest surface of a part of `shaped.part_names`: `rig.part(name)` -> vertex range and triangles;
  `shaped.vertices`, `shaped.appearance`, `rig.regions`
- hair as a surface: `shaped.hair.surface()` -> vertices, triangles; rigid with the joint `head`
- ARKit shapes: `rig.shape_deltas()` (shapes verts 3) in the order of `ARKIT_SHAPES`; eyeballs
  included on request
- skeleton: `rig.joint_names`, `rig.joint_parents`, `shaped.joints` (rest positions), `rig.relaxed`
  (default rotations)
- skin weights: `rig.joint_index`, `rig.joint_weight` (verts 4)
- head and eyes of a motion: `shaped.joint_rotations(motion)` (frames joints 3 3, local), default
  rotations included
"""

from motet.rigs.house.figure import HouseRig, ShapedHouse, load_figure, load_house

__all__ = ["HouseRig", "ShapedHouse", "load_figure", "load_house"]
