"""Buffers that turn audio chunks of any size into fixed windows."""
