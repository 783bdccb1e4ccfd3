"""Rotations, joint chains, skinning, cameras and smooth refinement of meshes."""
