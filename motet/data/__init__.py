"""Clips on disk, their makers and their readers."""
