"""From videos of one speaker to what fitting needs.

Shots at 25 fps, landmarks, head pose and shape, canonical view, masks.

Order of work: `shots` (files, sound, clocks) -> `faces` (landmarks, what is wrong with the footage)
-> `head_fit` (shape, camera, poses) -> `view` (canonical view, depth, masks) -> `capture` (all of
it, resumable, into a person's folder).
"""
