"""Runs inside Blender's Python: import a GLB and tell what is there, as one line of JSON."""

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
bpy.ops.import_scene.gltf(filepath=path)
scene = bpy.context.scene
meshes = [found for found in bpy.data.objects if found.type == "MESH" and found.data.shape_keys]
armature = next((found for found in bpy.data.objects if found.type == "ARMATURE"), None)
actions = {action.name: [float(edge) for edge in action.frame_range] for action in bpy.data.actions}
poses = []
for frame in frames:
    scene.frame_set(frame)
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    # Blender gives the node's name to an empty parent and a numbered one to the mesh when a skinned
    # mesh is animated.
    keys = {
        found.name.split(".")[0]: {key.name: key.value for key in found.data.shape_keys.key_blocks}
        for found in meshes
    }
    bones = {}
    if armature is not None:
        for bone in armature.evaluated_get(graph).pose.bones:
            # The turn of a bone against its rest pose, in the world: the rest frames of bones are
            # Blender's own.
            turn = (
                armature.matrix_world
                @ bone.matrix
                @ (armature.matrix_world @ bone.bone.matrix_local).inverted()
            ).to_quaternion()
            bones[bone.name] = list(turn)
    points = {}
    for found in meshes:
        shape = found.evaluated_get(graph).to_mesh()
        points[found.name.split(".")[0]] = [
            list(found.matrix_world @ shape.vertices[number].co)
            for number in range(0, len(shape.vertices), max(1, len(shape.vertices) // 300))
        ]
    poses.append({"frame": frame, "keys": keys, "bones": bones, "points": points})
print(
    "FOUND " + json.dumps({"version": bpy.app.version_string, "actions": actions, "poses": poses})
)
