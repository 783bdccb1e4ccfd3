"""Frames for programs that listen: sockets."""
