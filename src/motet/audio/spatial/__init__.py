"""Spatial audio: HRTF, room, ambisonics, direction of arrival."""
