"""Timed phones: the inventory, forced alignment, phone time files, phone recognition."""
