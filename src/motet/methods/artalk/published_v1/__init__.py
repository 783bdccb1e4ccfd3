"""The generator of the published model (generation R)."""
