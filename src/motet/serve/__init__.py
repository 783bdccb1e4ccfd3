"""Frames for other programs over a socket."""
