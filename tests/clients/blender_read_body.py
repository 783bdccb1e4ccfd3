"""Runs inside Blender's Python: import a BVH or a GLB and tell where its bones are, as one line of
JSON."""

import json
import sys

import bpy

path, fps, frames = (
    sys.argv[1],
    int(sys.argv[2]),
    [int(number) for number in sys.argv[3].split(",")],
)
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = fps
if path.endswith(".bvh"):
    bpy.ops.import_anim.bvh(
        filepath=path,
        global_scale=0.01,
        axis_forward="-Z",
        axis_up="Y",
        frame_start=0,
        update_scene_duration=True,
    )
else:
    bpy.ops.import_scene.gltf(filepath=path)
armature = next(found for found in bpy.data.objects if found.type == "ARMATURE")
poses = []
for frame in frames:
    # Blender puts the rest pose of a BVH before its first frame.
    bpy.context.scene.frame_set(frame + 1 if path.endswith(".bvh") else frame)
    bpy.context.view_layer.update()
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    bones = {}
    for bone in posed.pose.bones:
        world, rest = posed.matrix_world @ bone.matrix, posed.matrix_world @ bone.bone.matrix_local
        turn = (world @ rest.inverted()).to_quaternion()
        bones[bone.name] = {
            "place": list(world.translation),
            "turn": [turn.x, turn.y, turn.z, turn.w],
        }
    poses.append(bones)
print("FOUND " + json.dumps({"version": bpy.app.version_string, "poses": poses}))
