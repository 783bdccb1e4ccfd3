"""Everyday sounds, synthesised: 27 classes, seeded, with the times of their events."""
