"""Sound files: reading, decoding, writing, checks of containers."""
