"""Bricks used by two or more networks."""
